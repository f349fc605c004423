"""Early stopping on the curvature of the validation loss in the architecture weights.

Zela et al. 2020, Understanding and robustifying differentiable architecture search, arXiv
1909.09656: architectures found where the dominant eigenvalue of that Hessian has shot up
generalise badly, so the search stops there and goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from regime_nas_pipeline.networks.fast_gru import torchs_own

NO_CURVATURE = 1e-9
"""Eigenvalues below this are rounding: a softmax leaves the Hessian singular, never negative."""


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """Use kernels that have a second derivative: fused attention and fused GRUs have none."""
    with sdpa_kernel(SDPBackend.MATH), torch.backends.cudnn.flags(enabled=False), torchs_own():
        yield


def hessian_product(loss: Tensor, parameters: Sequence[Tensor]) -> Callable[[Tensor], Tensor]:
    """The map from v to the Hessian of ``loss`` times v, by differentiating twice.

    Args:
        loss: Scalar, computed inside :func:`twice_differentiable`.
        parameters: What it is differentiated by, taken as one vector.
    """
    first = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
    gradient = torch.cat([part.flatten() for part in first])

    def product(vector: Tensor) -> Tensor:
        second = torch.autograd.grad(
            gradient @ vector.to(gradient), parameters, retain_graph=True, materialize_grads=True
        )
        return torch.cat([part.flatten() for part in second])

    return product


def largest_eigenvalue(product: Callable[[Tensor], Tensor], start: Tensor, products: int) -> float:
    """Largest eigenvalue of a symmetric matrix that is known by its products with vectors.

    Lanczos' method with full re-orthogonalisation. It is a lower bound that is exact after as
    many products as the matrix has different eigenvalues.

    Args:
        product: The matrix, as a map (D,) to (D,).
        start: First direction, (D,), not zero.
        products: How many products may be taken.
    """
    direction = start.double() / start.double().norm()
    basis: list[Tensor] = []
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(min(products, len(start))):
        basis.append(direction)
        image = product(direction).double()
        diagonal.append(float(image @ direction))
        # Twice, since once leaves errors of the size of the rounding that made it necessary.
        for _ in range(2):
            for known in basis:
                image = image - (image @ known) * known
        size = float(image.norm())
        if size <= 1e-10 * max(map(abs, diagonal)):
            break  # the directions so far span all that the matrix does to the first one
        beside.append(size)
        direction = image / size
    n = len(diagonal)
    small = np.diag(diagonal) + np.diag(beside[: n - 1], 1) + np.diag(beside[: n - 1], -1)
    return float(np.linalg.eigvalsh(small)[-1])


@dataclass
class CurvatureWatch:
    """Says when the smoothed eigenvalue has risen too far, and what to go back to.

    Attributes:
        window: Measurements that are averaged, and also the distance k of the two averages that
            are compared; 5 in the paper.
        ratio: Stop where the average exceeds this many times that of k measurements ago; 4/3 in
            the paper.
        values: Measurements so far.
        kept: Architecture weights at each measurement.
    """

    window: int
    ratio: float
    values: list[float] = field(default_factory=list)
    kept: list[list[Tensor]] = field(default_factory=list)

    def add(self, value: float, alphas: Sequence[Tensor]) -> list[Tensor] | None:
        """Take note of a measurement; the weights to go back to where it is time to stop."""
        self.values.append(value)
        self.kept.append([alpha.detach().clone() for alpha in alphas])
        if len(self.values) < 2 * self.window:
            return None
        now = float(np.mean(self.values[-self.window :]))
        before = float(np.mean(self.values[-2 * self.window : -self.window]))
        return self.kept[-1 - self.window] if now > self.ratio * max(before, NO_CURVATURE) else None
