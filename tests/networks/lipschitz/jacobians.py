"""Numerical Jacobians in float64, against which every bound is held."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# A norm is an eigenvalue computation: equal to the bound up to rounding where the bound is exact.
ROUNDING = 1e-9


def jacobian(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Matrix of all outputs by all inputs at ``x``."""
    matrix = torch.autograd.functional.jacobian(f, x)
    assert isinstance(matrix, Tensor)
    return matrix.reshape(-1, x.numel())


def jacobian_norm(f: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """Spectral norm of the Jacobian at ``x``."""
    return float(torch.linalg.matrix_norm(jacobian(f, x), ord=2))


def normal(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def uniform(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))


def whole(generator: torch.Generator, low: int, high: int) -> int:
    """A whole number from ``low`` to ``high``."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def spread(generator: torch.Generator) -> float:
    """A size between 0.03 and 30, as likely small as large."""
    return float(10.0 ** uniform(generator, -1.5, 1.5))


def onto_ball(tokens: Tensor, radius: float) -> Tensor:
    """Tokens (..., W) moved onto the ball of that radius where they lie outside."""
    size = tokens.norm(dim=-1, keepdim=True)
    return tokens * (radius / size.clamp_min(radius))
