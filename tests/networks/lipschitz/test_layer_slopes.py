from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jacobians import ROUNDING, jacobian, jacobian_norm, normal, onto_ball, spread, whole
from searched_networks import shake

from regime_nas_pipeline.networks.attention import ClippedSelfAttention, LearnedQueryPool
from regime_nas_pipeline.networks.lipschitz.layers import (
    OPERATION_SLOPES,
    attention_slope,
    operation_slope,
    pool_slope,
)
from regime_nas_pipeline.networks.operations import OPERATIONS, Dense

seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@given(seed=seeds)
@settings(max_examples=12, deadline=None)
def test_no_operation_is_steeper_than_its_bound(name: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    heads, rows, length = whole(generator, 1, 2), whole(generator, 1, 3), whole(generator, 2, 8)
    width = 2 * heads
    operation = OPERATIONS[name](width, heads).double()
    shake(operation, generator)
    mask = torch.ones(1, rows, dtype=torch.bool)
    radius = spread(generator)
    x = spread(generator) * normal(generator, rows, length, width)

    def free(v: torch.Tensor) -> torch.Tensor:
        return operation(v[None], mask)[0]

    for limit, f in ((math.inf, free), (radius, lambda v: free(onto_ball(v, radius)))):
        slope = operation_slope(operation, length, radius=limit)
        matrix = jacobian(f, x)
        last = matrix.reshape(rows, length, width, -1)[:, -1].reshape(rows * width, -1)
        norm = float(torch.linalg.matrix_norm(matrix, ord=2))
        assert norm <= slope.window * (1 + ROUNDING) + 1e-12
        assert float(torch.linalg.matrix_norm(last, ord=2)) <= slope.last * (1 + ROUNDING) + 1e-12
        if slope.local:  # nothing of the earlier bars reaches the last one
            earlier = last.reshape(rows * width, rows, length, width)[:, :, :-1]
            assert float(earlier.abs().max()) == 0.0


def test_every_operation_of_the_search_has_a_bound() -> None:
    assert set(OPERATION_SLOPES) == set(OPERATIONS.values())
    for make in OPERATIONS.values():
        assert math.isfinite(operation_slope(make(4, 2), 60, radius=1.0).window)


def test_a_class_derived_from_an_operation_is_not_taken_for_it() -> None:
    class Steeper(Dense):
        def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return 100.0 * super().forward(x, mask)

    assert operation_slope(Steeper(4, 2), 5).window == math.inf


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_attention_layers(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    heads, length = whole(generator, 1, 2), whole(generator, 1, 6)
    width = 2 * heads
    attention = ClippedSelfAttention(width, heads, causal=bool(whole(generator, 0, 1))).double()
    pool = LearnedQueryPool(width, heads, recency=bool(whole(generator, 0, 1))).double()
    for layer in (attention, pool):
        shake(layer, generator)
    x = spread(generator) * normal(generator, length, width)
    slope = attention_slope(attention, length)
    assert jacobian_norm(lambda v: attention(v[None])[0], x) <= slope.window * (1 + ROUNDING)
    assert jacobian_norm(lambda v: pool(v[None])[0], x) <= pool_slope(pool).of_all * (1 + ROUNDING)
    both = pool_slope(pool).after(slope)
    assert jacobian_norm(lambda v: pool(attention(v[None]))[0], x) <= both * (1 + ROUNDING)
