"""Products of matrices by whoever multiplies them quickest.

In single precision oneDNN, which torch brings along for layers, was measured to be up to twice as
quick on an AMD processor as the library behind ``torch.mm`` (``benchmarks/products.py``). It has to
prepare for a size that is new, though, and small products are not worth its overhead.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

WORTHWHILE = 2**21
"""Multiplications of one product from which oneDNN is quicker."""

# What torch.compile calls for a linear layer; None where torch was built without oneDNN.
_ONEDNN: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)


def multiply(left: Tensor, right: Tensor, out: Tensor) -> None:
    """Put the products of matrices, in the type of the factors, into ``out``.

    Args:
        left: (S, M, K).
        right: (S, K, N).
        out: (S, M, N), of the same type or a more exact one.
    """
    if _worthwhile(left, right):
        for place, *pair in zip(out.unbind(0), left.unbind(0), right.unbind(0), strict=True):
            place.copy_(_product(*pair))
    elif out.dtype == left.dtype:
        torch.bmm(left, right, out=out)
    else:
        out.copy_(torch.bmm(left, right))


def add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add what :func:`multiply` makes to ``total``."""
    if _worthwhile(left, right):
        for place, *pair in zip(total.unbind(0), left.unbind(0), right.unbind(0), strict=True):
            place.add_(_product(*pair))
    elif total.dtype == left.dtype:
        total.baddbmm_(left, right)
    else:
        total += torch.bmm(left, right)


def linear(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``torch.nn.functional.linear`` of (..., I), (O, I) and (O,), with a first derivative only."""
    kind = inputs.device.type
    rows = inputs.flatten(0, -2)
    if torch.is_autocast_enabled(kind) or not _worthwhile(rows[None], weight.t()[None]):
        return functional.linear(inputs, weight, bias)
    result: Tensor = _Linear.apply(rows, weight, bias)  # type: ignore[no-untyped-call]
    return result.view(*inputs.shape[:-1], len(weight))


class _Linear(torch.autograd.Function):
    """A linear layer on rows (R, I). The weights' own gradient, (O, R) by (R, I), is torch's."""

    @staticmethod
    def forward(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        result: Tensor = _ONEDNN(rows, weight, bias, "none", [], "")
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        rows, weight, _ = inputs
        ctx.save_for_backward(rows, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        rows, weight = ctx.saved_tensors
        of_rows = _product(gradient, weight) if ctx.needs_input_grad[0] else None
        return of_rows, gradient.t() @ rows, gradient.sum(dim=0)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *given: Tensor) -> tuple[Tensor, int]:
        """Networks side by side are left to torch."""
        return torch.vmap(functional.linear, in_dims=in_dims)(*given), 0


def _worthwhile(left: Tensor, right: Tensor) -> bool:
    multiplications = left.shape[1] * left.shape[2] * right.shape[2]
    return (
        _ONEDNN is not None
        and multiplications >= WORTHWHILE
        and left.is_cpu
        and left.dtype == torch.float32
    )


def _product(left: Tensor, right: Tensor) -> Tensor:
    """(M, K) by (K, N); a linear layer has its weights transposed."""
    result: Tensor = _ONEDNN(left, right.t(), None, "none", [], "")
    return result
