from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jacobians import ROUNDING, jacobian, jacobian_norm, normal, onto_ball, spread, whole

from regime_nas_pipeline.networks.lipschitz.attention import (
    PoolSlope,
    pooled_attention_slope,
    self_attention_slope,
)
from regime_nas_pipeline.networks.lipschitz.slope import Slope

seeds = st.integers(0, 2**32 - 1)


def attend(
    x: torch.Tensor,
    weights: tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor],
    heads: int,
    bias: torch.Tensor,
) -> torch.Tensor:
    """Plain multi-head attention of tokens (n, D), head by head; ``bias`` (n, n) on the logits."""
    query, key, value, output = weights
    size = len(query) // heads
    results = []
    for head in range(heads):
        rows = slice(head * size, (head + 1) * size)
        q, k, v = x @ query[rows].T, x @ key[rows].T, x @ value[rows].T
        results.append(torch.softmax(q @ k.T / math.sqrt(size) + bias, dim=-1) @ v)
    return torch.cat(results, dim=-1) @ output.T


@given(seeds)
@settings(max_examples=120, deadline=None)
def test_self_attention_in_a_ball(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    heads, length, dim = whole(generator, 1, 3), whole(generator, 1, 6), whole(generator, 1, 4)
    width = heads * whole(generator, 1, 2)
    radius, sharp = spread(generator), spread(generator)
    weights = (
        sharp * normal(generator, width, dim),
        normal(generator, width, dim),
        normal(generator, width, dim),
        normal(generator, dim, width),
    )
    bias = torch.zeros(length, length, dtype=torch.float64)
    if whole(generator, 0, 1):  # causal, and leaning to recent bars
        ages = torch.arange(length)[:, None] - torch.arange(length)[None, :]
        bias = torch.where(ages >= 0, -0.3 * ages.double(), -math.inf)
    x = radius * 10.0 ** (whole(generator, -1, 1)) * normal(generator, length, dim)

    def attention(v: torch.Tensor) -> torch.Tensor:
        return attend(onto_ball(v, radius), weights, heads, bias)

    slope = self_attention_slope(*weights, heads=heads, length=length, radius=radius)
    matrix = jacobian(attention, x)
    one = torch.linalg.matrix_norm(matrix.reshape(length, dim, -1), ord=2)
    assert float(torch.linalg.matrix_norm(matrix, ord=2)) <= slope.window * (1 + ROUNDING)
    assert float(one.max()) <= slope.last * (1 + ROUNDING)  # not only at the last token


def test_self_attention_that_all_pay_to_one_token_needs_the_root_of_their_number() -> None:
    # Every bar copies the first token: its change arrives n times, a norm of sqrt(n).
    n = 9
    one = torch.ones(1, 1, dtype=torch.float64)
    bias = torch.full((n, n), -math.inf, dtype=torch.float64)
    bias[:, 0] = 0.0
    x = torch.linspace(-1.0, 1.0, n, dtype=torch.float64)[:, None]
    norm = jacobian_norm(lambda v: attend(v, (0 * one, 0 * one, one, one), 1, bias), x)
    assert norm == pytest.approx(math.sqrt(n))
    slope = self_attention_slope(0 * one, 0 * one, one, one, heads=1, length=n, radius=1.0)
    assert slope.window == pytest.approx(norm)
    assert slope.last == pytest.approx(1.0)


def test_a_query_bias_breaks_the_bound() -> None:
    # Half the weight on one token of fifty: a bias on the query, of which the formula knows
    # nothing, makes the weights react although queries and keys are otherwise unrelated.
    n, query_bias = 50, 30.0
    one, none = np.ones((1, 1)), np.zeros((1, 1))
    x = torch.zeros(n, 1, dtype=torch.float64)
    x[0] = math.log(n - 1) / query_bias

    def biased(v: torch.Tensor) -> torch.Tensor:
        logits = (0.0 * v + query_bias) @ v.T
        return torch.softmax(logits, dim=-1) @ v

    slope = self_attention_slope(none, one, one, one, heads=1, length=n, radius=1.0)
    assert jacobian_norm(biased, x) > 1.4 * slope.window


def test_heads_that_share_their_weights_are_no_steeper_than_their_values() -> None:
    # Four heads that average alike, with orthogonal values: 1, where head by head it would be 2.
    n, width = 5, 4
    one, none = np.eye(width), np.zeros((width, width))
    x = normal(torch.Generator().manual_seed(1), n, width)
    weights = tuple(torch.tensor(matrix) for matrix in (none, none, one, one))
    bias = torch.zeros(n, n, dtype=torch.float64)
    slope = self_attention_slope(none, none, one, one, heads=4, length=n, radius=1.0)
    assert slope.last == pytest.approx(1.0)
    assert jacobian_norm(lambda v: attend(v, weights, 4, bias), x) == pytest.approx(1.0)
    pooled = pooled_attention_slope(np.zeros((4, width)), one, one, radius=1.0)
    assert pooled.of_all == pytest.approx(1.0)
    assert pooled.of_largest == pytest.approx(2.0)


def test_pooling_what_attention_makes_takes_the_smaller_bound() -> None:
    pool = PoolSlope(of_all=1.0, of_largest=2.0)
    assert pool.after(Slope(window=10.0, last=3.0)) == 6.0
    assert pool.after(Slope(window=4.0, last=3.0)) == 4.0


def test_attention_without_a_ball_has_no_bound() -> None:
    one = np.ones((1, 1))
    slope = self_attention_slope(one, one, one, one, heads=1, length=3, radius=math.inf)
    assert slope.window == math.inf
    assert slope.last == math.inf


@given(seeds)
@settings(max_examples=120, deadline=None)
def test_pooling_by_a_learned_query(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    heads, length, dim = whole(generator, 1, 3), whole(generator, 1, 8), whole(generator, 1, 4)
    size = whole(generator, 1, 2)
    radius = spread(generator)
    logits = spread(generator) * normal(generator, heads, dim)
    value = normal(generator, heads * size, dim)
    output = normal(generator, dim, heads * size)
    lean = -spread(generator) * torch.arange(length).flip(0).double()
    x = radius * normal(generator, length, dim)

    def pool(v: torch.Tensor) -> torch.Tensor:
        tokens = onto_ball(v, radius)
        weight = torch.softmax(logits @ tokens.T + lean, dim=-1)
        pooled = torch.stack(
            [weight[h] @ tokens @ value[h * size : (h + 1) * size].T for h in range(heads)]
        )
        return output @ pooled.flatten()

    bound = pooled_attention_slope(logits, value, output, radius=radius)
    matrix = jacobian(pool, x)
    assert float(torch.linalg.matrix_norm(matrix, ord=2)) <= bound.of_all * (1 + ROUNDING)
    # Every token moved by at most one, in directions as bad as signs of the Jacobian make them.
    by_token = matrix.reshape(dim, length, dim)
    aim = torch.linalg.svd(matrix).U[:, 0]
    moves = torch.einsum("o,otd->td", aim, by_token)
    moves = moves / moves.norm(dim=1, keepdim=True).clamp_min(1e-300)
    moved = torch.einsum("otd,td->o", by_token, moves)
    assert float(moved.norm()) <= bound.of_largest * (1 + ROUNDING)
    assert bound.of_all <= bound.of_largest * (1 + ROUNDING)
