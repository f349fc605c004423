"""A GRU whose gradient is written out: the numbers of ``torch.nn.GRU`` in two thirds of the time.

Automatic differentiation through a recurrence of 60 bars keeps and copies every intermediate and
adds up the weights' gradient bar by bar. Here the state, the input and a one stand in the rows of
one matrix per bar, with a column for each window, so that a bar is three matrix products and a
few elementwise operations on memory without gaps, and its share of the gradient three more.

A leading dimension holds networks that are trained together, each with weights of its own; a
layer by itself is the case of one. ``torch.vmap`` over networks ends up there, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn

_KERNEL: ContextVar[str] = ContextVar("kernel", default="best")
_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


class FastGRU(nn.GRU):
    """``torch.nn.GRU`` with the same weights and results; batch first, one direction, with biases.

    Where no gradient is wanted, and on a GPU, it is torch's own: that keeps no intermediates, and
    is one fused kernel there.

    Args:
        input_size: Inputs per bar.
        hidden_size: Units, W.
        num_layers: Stacked layers.
        dropout: Dropout between layers, in training.
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers=num_layers, batch_first=True, dropout=dropout
        )

    def all_states(self, windows: Tensor) -> Tensor:
        """The top layer's state after each bar: windows (B, L, inputs) to (B, L, W)."""
        if not _written_out(windows):
            states: Tensor = self(windows)[0]
            return states
        return self._run(windows, last_only=False).permute(2, 0, 1)

    def last_state(self, windows: Tensor) -> Tensor:
        """The top layer's state after the last bar: windows (B, L, inputs) to (B, W)."""
        if not _written_out(windows):
            last: Tensor = self(windows)[1][-1]
            return last
        return self._run(windows, last_only=True).t()

    def _run(self, windows: Tensor, *, last_only: bool) -> Tensor:
        """All states (L, W, B), or the last (W, B)."""
        states = windows.permute(1, 2, 0)
        for layer in range(self.num_layers):
            if layer and self.dropout:
                states = nn.functional.dropout(states, self.dropout, self.training)
            weights = [getattr(self, f"{name}_l{layer}")[None] for name in _WEIGHTS]
            last = last_only and layer == self.num_layers - 1
            states = _run_layer(states[None], *weights, last)[0][0]
        return states


@contextmanager
def torchs_own() -> Iterator[None]:
    """Leave every GRU to torch, whose gradient can be differentiated once more."""
    with _kernel("torch"):
        yield


@contextmanager
def side_by_side() -> Iterator[None]:
    """Write every GRU out, on a GPU too: torch's own does not go through ``torch.vmap``."""
    with _kernel("written out"):
        yield


@contextmanager
def _kernel(name: str) -> Iterator[None]:
    token = _KERNEL.set(name)
    try:
        yield
    finally:
        _KERNEL.reset(token)


def _written_out(windows: Tensor) -> bool:
    kernel = _KERNEL.get()
    if kernel == "best":
        return torch.is_grad_enabled() and not windows.is_cuda
    return kernel == "written out"


class _Recurrence(torch.autograd.Function):
    """One layer of S networks over L bars of B windows, of I inputs and W units.

    With σ the logistic function, of state h and input x (Cho et al. 2014, in torch's form):
    r, z = σ(W h + V x + b), n = tanh(V' x + b' + r (W' h + c')), next state n + z (h - n).
    """

    @staticmethod
    def forward(
        inputs: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
        last_only: bool,
    ) -> tuple[Tensor, ...]:
        """States (S, L, W, B), or the last alone (S, W, B), and what the gradient needs.

        Args:
            inputs: (S, L, I, B).
            weight_ih: (S, 3 W, I), rows of r, z and n.
            weight_hh: (S, 3 W, W).
            bias_ih: (S, 3 W).
            bias_hh: (S, 3 W).
            last_only: Whether only the state after the last bar is wanted.
        """
        n_networks, length, n_inputs, size = inputs.shape
        width = weight_hh.shape[-1]
        seen = inputs.new_empty(length + 1, n_networks, width + n_inputs + 1, size)
        seen[0, :, :width].zero_()
        seen[:-1, :, width:-1] = inputs.transpose(0, 1)
        seen[:-1, :, -1].fill_(1.0)
        # Rows of r, z and W' h + c': what the last reads of the input is nothing.
        of_input = torch.cat([weight_ih[:, : 2 * width], torch.zeros_like(weight_ih[:, :width])], 1)
        constant = torch.cat([(bias_ih + bias_hh)[:, : 2 * width], bias_hh[:, 2 * width :]], 1)
        for_both = torch.cat([weight_hh, of_input, constant[:, :, None]], dim=2)
        # tanh(a) = 2 σ(2 a) - 1, and σ takes a quarter of the time that tanh takes.
        for_input = torch.cat([weight_ih[:, 2 * width :], bias_ih[:, 2 * width :, None]], 2) * 2.0
        gates = inputs.new_empty(length, n_networks, 3 * width, size)
        new = inputs.new_empty(length, n_networks, width, size)
        argument = torch.empty_like(new[0])
        minus_one = inputs.new_tensor(-1.0)
        state = seen[0, :, :width]
        for both, given, after, gate, logits, reset, update, memory, candidate in _bars(
            seen[:-1],
            seen[:-1, :, width:],
            seen[1:, :, :width],
            gates,
            gates[:, :, : 2 * width],
            gates[:, :, :width],
            gates[:, :, width : 2 * width],
            gates[:, :, 2 * width :],
            new,
        ):
            torch.bmm(for_both, both, out=gate)
            logits.sigmoid_()
            torch.bmm(for_input, given, out=argument)
            argument.addcmul_(reset, memory, value=2.0).sigmoid_()
            torch.add(minus_one, argument, alpha=2.0, out=candidate)
            torch.lerp(candidate, state, update, out=after)
            state = after
        wanted = state if last_only else seen[1:, :, :width].transpose(0, 1)
        return wanted.clone(), seen, gates, new

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep what the gradient needs."""
        _, weight_ih, weight_hh, _, _, ctx.last_only = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(weight_ih, weight_hh, *output[1:])
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
            return (None,) * 6
        weight_ih, weight_hh, seen, gates, new = ctx.saved_tensors
        length, n_networks, width, size = new.shape
        # Transposed: a wide and a narrow matrix multiply quicker with the narrow one first.
        of_both = weight_hh.new_zeros(n_networks, seen.shape[2], 3 * width)
        of_input = weight_hh.new_zeros(n_networks, seen.shape[2] - width, width)
        of_windows = None
        if ctx.needs_input_grad[0]:
            of_windows = weight_ih.new_empty(length, n_networks, weight_ih.shape[2], size)
            inputs_back = weight_ih.transpose(1, 2).contiguous()
        state_back = weight_hh.transpose(1, 2).contiguous()
        # Of r, z, W' h + c' and, apart, of the argument of tanh.
        change = weight_hh.new_empty(n_networks, 3 * width, size)
        of_reset, of_update, of_memory = change.split(width, dim=1)
        of_argument, work = torch.empty_like(new[0]), torch.empty_like(new[0])
        change_back, argument_back = change.transpose(1, 2), of_argument.transpose(1, 2)
        carried = given.clone() if ctx.last_only else torch.zeros_like(new[0])
        arriving = itertools.repeat(None) if ctx.last_only else reversed(given.unbind(1))
        bars = _bars(
            seen[:-1],
            seen[:-1, :, width:],
            seen[1:, :, :width],
            gates[:, :, :width],
            gates[:, :, width : 2 * width],
            gates[:, :, 2 * width :],
            new,
        )
        wanted = [None] * length if of_windows is None else of_windows.unbind(0)
        for (both, entered, after, reset, update, memory, candidate), arrived, of_window in zip(
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
            if of_window is not None:
                direct = torch.cat([change[:, : 2 * width], of_argument], dim=1)
                torch.bmm(inputs_back, direct, out=of_window)
            carried.mul_(update).baddbmm_(state_back, change)
            of_both.baddbmm_(both, change_back)
            of_input.baddbmm_(entered, argument_back)
        of_inputs = torch.cat([of_both[:, width:, : 2 * width], of_input], dim=2)
        return (
            None if of_windows is None else of_windows.transpose(0, 1),
            of_inputs[:, :-1].transpose(1, 2),
            of_both[:, :width].transpose(1, 2),
            of_inputs[:, -1],
            of_both[:, -1],
            None,
        )

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *arguments: Any
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        """Networks of a ``torch.vmap`` join those of the leading dimension."""
        joined = []
        for value, dim in zip(arguments[:-1], in_dims[:-1], strict=True):
            stacked = value.expand(info.batch_size, *value.shape) if dim is None else value
            joined.append(stacked.movedim(dim or 0, 0).flatten(0, 1))
        outputs = _run_layer(*joined, arguments[-1])
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


def _run_layer(*arguments: Any) -> tuple[Tensor, ...]:
    outputs: tuple[Tensor, ...] = _Recurrence.apply(*arguments)  # type: ignore[no-untyped-call]
    return outputs
