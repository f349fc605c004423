from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jacobians import ROUNDING, jacobian, jacobian_norm, normal, onto_ball, spread, whole

from regime_nas_pipeline.networks.lipschitz.gate import (
    GATE_SLOPE_TO_SUM,
    mixture_slope,
)

SIGNS = torch.tensor([[1, 1, -1], [1, -1, 1], [-1, 1, 1]], dtype=torch.float64)


def gate(logits: torch.Tensor) -> torch.Tensor:
    """The mean of a Dirichlet distribution with evidence exp(logits) over a flat one."""
    strength = logits.exp() + 1.0
    return strength / strength.sum()


@pytest.mark.parametrize("weigh", [gate, lambda logits: logits.softmax(dim=0)])
def test_gate_bound_holds_on_a_grid_of_logits(
    weigh: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    grid = torch.cartesian_prod(*[torch.linspace(-8.0, 8.0, 17, dtype=torch.float64)] * 3)
    matrices = torch.vmap(torch.func.jacrev(weigh))(grid)
    sums = (SIGNS @ matrices).norm(dim=2).max(dim=1).values
    assert float(sums.max()) <= GATE_SLOPE_TO_SUM * (1 + ROUNDING)
    # Not loose: two regimes with much evidence come within a hundredth.
    assert float(sums.max()) > 0.99 * GATE_SLOPE_TO_SUM


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_mixture_of_bounded_blocks(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    width, radius = whole(generator, 1, 4), spread(generator)
    blocks = spread(generator) * normal(generator, 3, width, width)
    evidence = spread(generator) * normal(generator, 3, width)

    def mixture(v: torch.Tensor) -> torch.Tensor:
        outputs = onto_ball(torch.einsum("kij,j->ki", blocks, v), radius)
        return gate((evidence @ v).clamp(-8.0, 8.0)) @ outputs

    bound = mixture_slope(
        [float(torch.linalg.matrix_norm(block, ord=2)) for block in blocks],
        output_norm=radius,
        gate=GATE_SLOPE_TO_SUM * float(torch.linalg.matrix_norm(evidence, ord=2)),
    )
    x = spread(generator) * normal(generator, width)
    assert jacobian_norm(mixture, x) <= bound * (1 + ROUNDING)


def test_mixture_without_a_clip_has_no_bound_unless_the_gate_is_fixed() -> None:
    assert mixture_slope([1.0, 2.0], output_norm=math.inf, gate=0.1) == math.inf
    assert mixture_slope([1.0, 2.0], output_norm=math.inf, gate=0.0) == 2.0


def test_mixture_slope_is_nearly_reached() -> None:
    # Opposite constant outputs of norm B, and a gate that moves weight from one to the other.
    outputs = torch.tensor([[5.0], [-5.0], [0.0]], dtype=torch.float64)
    logits = torch.tensor([8.0, 8.0, -8.0], dtype=torch.float64)
    matrix = jacobian(lambda v: gate(v) @ outputs, logits)
    bound = mixture_slope([0.0, 0.0, 0.0], output_norm=5.0, gate=GATE_SLOPE_TO_SUM)
    assert 0.99 * bound < float(matrix.norm()) <= bound
