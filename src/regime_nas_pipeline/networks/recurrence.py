"""The recurrence of a GRU over a window, and its gradient, written out.

A leading dimension holds networks that are trained together, each with weights of its own; a
layer by itself is the case of one. ``torch.vmap`` over networks ends up there, too.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor

from regime_nas_pipeline.networks.products import add_product, multiply
from regime_nas_pipeline.networks.workspace import Workspace

WORKSPACE = Workspace()
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


class Recurrence(torch.autograd.Function):
    """One layer of S networks over L bars of B windows, of I inputs and W units.

    With σ the logistic function, of state h and input x (Cho et al. 2014, in torch's form):
    r, z = σ(W h + V x + b), n = tanh(V' x + b' + r m) with m = W' h + c', next state n + z (h - n).

    ``seen`` holds for each bar the rows x, 1 and h, so that (x, 1) and (1, h) each lie together.
    """

    @staticmethod
    def forward(  # noqa: PLR0917 - a Function is applied by position
        inputs: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
        last_only: bool,
        product_type: torch.dtype,
    ) -> tuple[Tensor, ...]:
        """States (S, L, W, B), or the last alone (S, W, B), and what the gradient needs.

        Args:
            inputs: (S, L, I, B).
            weight_ih: (S, 3 W, I), rows of r, z and n.
            weight_hh: (S, 3 W, W).
            bias_ih: (S, 3 W).
            bias_hh: (S, 3 W).
            last_only: Whether only the state after the last bar is wanted.
            product_type: What matrices are multiplied in.
        """
        n_networks, length, n_inputs, size = inputs.shape
        width, exact = weight_hh.shape[-1], product_type == weight_hh.dtype
        rows = n_inputs + 1 + width
        seen = WORKSPACE.take((length + 1, n_networks, rows, size), like=inputs, kind=product_type)
        seen[:-1, :, :n_inputs] = inputs.transpose(0, 1)
        seen[:, :, n_inputs].fill_(1.0)
        entered = seen[:, :, n_inputs + 1 :]
        states = entered
        if not exact:
            states = WORKSPACE.take(tuple(entered.shape), like=weight_hh)
        states[0].zero_()
        entered[0].zero_()
        two, third = slice(2 * width), slice(2 * width, None)
        bias = (bias_ih + bias_hh)[:, two, None]
        for_gates = torch.cat([weight_ih[:, two], bias, weight_hh[:, two]], 2).to(product_type)
        for_memory = torch.cat([bias_hh[:, third, None], weight_hh[:, third]], 2).to(product_type)
        # tanh(a) = 2 σ(2 a) - 1, and σ takes a quarter of the time that tanh takes.
        twice = 2.0 * torch.cat([weight_ih[:, third], bias_ih[:, third, None]], 2)
        for_input = twice.to(product_type)
        gates = WORKSPACE.take((length, n_networks, 2 * width, size), like=weight_hh)
        remembered = WORKSPACE.take((length, n_networks, width, size), like=weight_hh)
        new = WORKSPACE.take((length, n_networks, width, size), like=weight_hh)
        argument, minus_one = torch.empty_like(new[0]), new.new_tensor(-1.0)
        for both, given, known, state, after, copy, gate, reset, update, memory, candidate in _bars(
            seen[:-1],
            seen[:-1, :, : n_inputs + 1],
            seen[:-1, :, n_inputs:],
            states[:-1],
            states[1:],
            entered[1:],
            gates,
            gates[:, :, :width],
            gates[:, :, width:],
            remembered,
            new,
        ):
            multiply(for_gates, both, gate)
            gate.sigmoid_()
            multiply(for_memory, known, memory)
            multiply(for_input, given, argument)
            argument.addcmul_(reset, memory, value=2.0).sigmoid_()
            torch.add(minus_one, argument, alpha=2.0, out=candidate)
            torch.lerp(candidate, state, update, out=after)
            if not exact:
                copy.copy_(after)
        wanted = states[-1] if last_only else states[1:].transpose(0, 1)
        # States that lie in what was seen are not kept twice.
        kept = states[:0].clone() if exact else states
        return wanted.clone(), seen, gates, new, remembered, kept

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep what the gradient needs."""
        _, weight_ih, weight_hh, _, _, ctx.last_only, _ = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(weight_ih, weight_hh, *output[1:])
        ctx.lease = WORKSPACE.lease(output[1:])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Gradients of inputs (where wanted) and weights, from that of the states."""
        if torch.is_grad_enabled():
            raise RuntimeError(
                "FastGRU's gradient has no derivative of its own; compute the loss inside "
                "fast_gru.torchs_own() to differentiate it twice."
            )
        given = gradients[0]
        if given is None:
            return (None,) * 7
        weight_ih, weight_hh, seen, gates, new, remembered, kept = ctx.saved_tensors
        length, n_networks, width, size = new.shape
        n_inputs = weight_ih.shape[2]
        states = kept if len(kept) else seen[:, :, n_inputs + 1 :]
        # Transposed: a wide and a narrow matrix multiply quicker with the narrow one first.
        of_hidden = weight_hh.new_zeros(n_networks, 1 + width, 3 * width)
        of_inputs = weight_hh.new_zeros(n_networks, n_inputs + 1, 3 * width)
        of_windows = None
        if ctx.needs_input_grad[0]:
            of_windows = weight_ih.new_empty(length, n_networks, n_inputs, size)
            inputs_back = weight_ih.transpose(1, 2).contiguous()
        state_back = weight_hh.roll(width, dims=1).transpose(1, 2).to(seen.dtype).contiguous()
        # Of m, r, z and the argument of tanh: the first three belong to h, the last three to x.
        change = weight_hh.new_empty(n_networks, 4 * width, size)
        of_memory, of_reset, of_update, of_argument = change.split(width, dim=1)
        changed = (
            change if seen.dtype == change.dtype else torch.empty_like(change, dtype=seen.dtype)
        )
        hidden, outer = changed[:, : 3 * width], changed[:, width:]
        hidden_back, outer_back = hidden.transpose(1, 2), outer.transpose(1, 2)
        work = torch.empty_like(new[0])
        carried = given.clone() if ctx.last_only else torch.zeros_like(new[0])
        arriving = itertools.repeat(None) if ctx.last_only else reversed(given.unbind(1))
        wanted = [None] * length if of_windows is None else of_windows.unbind(0)
        bars = _bars(
            seen[:-1, :, : n_inputs + 1],
            seen[:-1, :, n_inputs:],
            states[1:],
            gates[:, :, :width],
            gates[:, :, width:],
            remembered,
            new,
        )
        for (entered, known, after, reset, update, memory, candidate), arrived, of_window in zip(
            reversed(bars), arriving, reversed(wanted), strict=False
        ):
            if arrived is not None:
                carried += arrived
            torch.addcmul(carried, carried, update, value=-1.0, out=work)
            _tanh_backward(work, candidate, grad_input=of_argument)
            # z (h - n) is the next state less n, so that z' = (h - n) z (1 - z) needs no h.
            torch.sub(after, candidate, out=of_update).mul_(work)
            torch.mul(of_argument, reset, out=of_memory)
            torch.mul(of_argument, memory, out=work)
            _sigmoid_backward(work, reset, grad_input=of_reset)
            if changed is not change:
                changed.copy_(change)
            if of_window is not None:
                multiply(inputs_back, change[:, width:], of_window)
            add_product(carried.mul_(update), state_back, hidden)
            add_product(of_hidden, known, hidden_back)
            add_product(of_inputs, entered, outer_back)
        of_hidden = of_hidden.roll(-width, dims=2)  # m, r, z to r, z, m
        return (
            None if of_windows is None else of_windows.transpose(0, 1),
            of_inputs[:, :-1].transpose(1, 2),
            of_hidden[:, 1:].transpose(1, 2),
            of_inputs[:, -1],
            of_hidden[:, 0],
            None,
            None,
        )

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *arguments: Any
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        """Networks of a ``torch.vmap`` join those of the leading dimension."""
        joined = []
        for value, dim in zip(arguments[:5], in_dims[:5], strict=True):
            stacked = value.expand(info.batch_size, *value.shape) if dim is None else value
            joined.append(stacked.movedim(dim or 0, 0).flatten(0, 1))
        outputs = run_layer(*joined, *arguments[5:])
        # What is kept for the gradient has networks behind bars.
        dims = (0, *([1] * (len(outputs) - 1)))
        apart = [
            value.unflatten(dim, (info.batch_size, -1))  # type: ignore[no-untyped-call]
            for value, dim in zip(outputs, dims, strict=True)
        ]
        return tuple(apart), dims


def _bars(*stacks: Tensor) -> list[tuple[Tensor, ...]]:
    """Tensors over bars, bar by bar: cut once, not with an index in every step of a loop."""
    return list(zip(*(stack.unbind(0) for stack in stacks), strict=True))


def run_layer(*arguments: Any) -> tuple[Tensor, ...]:
    """What :meth:`Recurrence.forward` gives, with its gradient."""
    outputs: tuple[Tensor, ...] = Recurrence.apply(*arguments)  # type: ignore[no-untyped-call]
    return outputs
