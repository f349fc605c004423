from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jacobians import ROUNDING, jacobian, jacobian_norm, normal, onto_ball, spread, uniform, whole
from torch.nn import functional

from regime_nas_pipeline.networks.lipschitz.linear import exponential_average, running_mean
from regime_nas_pipeline.networks.lipschitz.pointwise import (
    ACTIVATION_SLOPES,
    lag_product_slope,
    squared_slope,
    volatility_scaling_slope,
    z_score_slope,
)

seeds = st.integers(0, 2**32 - 1)

ACTIVATIONS = {
    "identity": lambda x: 1.0 * x,
    "relu": torch.relu,
    "leaky_relu": functional.leaky_relu,
    "tanh": torch.tanh,
    "hardtanh": functional.hardtanh,
    "softplus": functional.softplus,
    "absolute": torch.abs,
    "sigmoid": torch.sigmoid,
    "gelu": functional.gelu,
}


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activation_slopes_are_reached_and_never_exceeded(name: str) -> None:
    x = torch.linspace(-30.0, 30.0, 60_001, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(ACTIVATIONS[name](x).sum(), x)
    steepest = float(slope.abs().max())
    assert steepest <= ACTIVATION_SLOPES[name] * (1 + ROUNDING)
    assert steepest == pytest.approx(ACTIVATION_SLOPES[name], rel=1e-6)


@given(seeds)
@settings(max_examples=50, deadline=None)
def test_moving_tokens_onto_a_ball_brings_none_further_apart(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    radius = spread(generator)
    x = spread(generator) * normal(generator, 4, 3)
    norm = jacobian_norm(lambda v: onto_ball(v, radius), x)
    assert norm <= ACTIVATION_SLOPES["ball"] * (1 + ROUNDING)


def random_average(generator: torch.Generator, length: int, width: int) -> np.ndarray:
    """Plain, running or exponential, (W, L, L)."""
    kind = whole(generator, 0, 2)
    if kind == 0:
        return np.broadcast_to(np.eye(length), (width, length, length))
    if kind == 1:
        return np.broadcast_to(running_mean(length), (width, length, length))
    return exponential_average(torch.rand(width, generator=generator), length)


def averaged(average: np.ndarray, x: torch.Tensor) -> torch.Tensor:
    return torch.einsum("wts,sw->tw", torch.tensor(average), x)


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_squares_and_lag_products_of_clipped_values(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    length, width, clip = whole(generator, 1, 8), whole(generator, 1, 3), spread(generator)
    average = random_average(generator, length, width)
    # Values beyond the clip as well as within.
    x = 2.0 * clip * normal(generator, length, width)

    def clipped(v: torch.Tensor) -> torch.Tensor:
        return functional.hardtanh(v, -clip, clip)

    def lag_product(v: torch.Tensor) -> torch.Tensor:
        before = functional.pad(clipped(v), (0, 0, 1, 0))[:-1]
        return averaged(average, clipped(v) * before)

    assert jacobian_norm(lambda v: clipped(v) ** 2, x) <= squared_slope(clip).window
    slope = lag_product_slope(clip, average)
    matrix = jacobian(lag_product, x)
    assert float(torch.linalg.matrix_norm(matrix, ord=2)) <= slope.window * (1 + ROUNDING)
    assert float(torch.linalg.matrix_norm(matrix[-width:], ord=2)) <= slope.last * (1 + ROUNDING)
    # All bars a hair within the clip come as close as one likes.
    level = torch.full((length, width), clip * (1 - 1e-12), dtype=torch.float64)
    assert jacobian_norm(lag_product, level) == pytest.approx(slope.window, abs=1e-9)


@given(seeds)
@settings(max_examples=100, deadline=None)
def test_volatility_scaling_with_a_floor(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    length, width = whole(generator, 1, 8), whole(generator, 1, 3)
    floor, clip = spread(generator), spread(generator)
    average = exponential_average(torch.rand(width, generator=generator), length)
    # Steepest are quiet windows that end on a jump of about floor / weight.
    x = floor * 10.0 ** uniform(generator, -3, 1) * normal(generator, length, width)
    x[-1] *= 10.0 ** uniform(generator, 0, 3)

    def scale(v: torch.Tensor) -> torch.Tensor:
        return v / (averaged(average, v.abs()) + floor)

    free = volatility_scaling_slope(average, floor=floor)
    matrix = jacobian(scale, x)
    assert float(torch.linalg.matrix_norm(matrix, ord=2)) <= free.window * (1 + ROUNDING)
    assert float(torch.linalg.matrix_norm(matrix[-width:], ord=2)) <= free.last * (1 + ROUNDING)
    held = volatility_scaling_slope(average, floor=floor, clip=clip)
    norm = jacobian_norm(lambda v: scale(functional.hardtanh(v, -clip, clip)), x)
    assert norm <= held.window * (1 + ROUNDING)
    assert held.window <= free.window * (1 + ROUNDING)


def test_volatility_scaling_reaches_its_bound_of_the_last_bar() -> None:
    # Quiet bars, then one of floor / weight: the derivative in the earlier bars is the bound's.
    average = exponential_average(np.array([0.8]), 6)
    floor, own = 0.1, average[0, -1, -1]
    x = torch.full((6, 1), 1e-9, dtype=torch.float64)
    x[-1] = floor / own

    def scale(v: torch.Tensor) -> torch.Tensor:
        return v / (averaged(average, v.abs()) + floor)

    earlier = jacobian(scale, x)[-1, :-1].abs().numpy()
    np.testing.assert_allclose(earlier, average[0, -1, :-1] / (4 * floor * own), rtol=1e-6)


@given(seeds)
@settings(max_examples=150, deadline=None)
def test_z_scores_with_a_floor(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    length = whole(generator, 1, 12)
    floor, variance_floor = spread(generator), spread(generator) ** 2 * 1e-3
    numbers = torch.arange(1, length + 1, dtype=torch.float64)
    # Growing, shrinking and steady windows, from far below the floor to far above.
    shape = numbers ** uniform(generator, -2, 3)
    x = floor * 10.0 ** uniform(generator, -2, 1) * shape * normal(generator, length)

    def z_score(v: torch.Tensor) -> torch.Tensor:
        mean = v.cumsum(0) / numbers
        variance = ((v**2).cumsum(0) / numbers - mean**2).clamp_min(0)
        return (v - mean) / ((variance + variance_floor).sqrt() + floor)

    slope = z_score_slope(length, floor=floor, variance_floor=variance_floor)
    matrix = jacobian(z_score, x)
    assert float(torch.linalg.matrix_norm(matrix, ord=2)) <= slope.window * (1 + ROUNDING) + 1e-12
    assert float(matrix[-1].norm()) <= slope.last * (1 + ROUNDING) + 1e-12


def test_z_score_of_a_still_window_is_as_steep_as_its_bound_of_the_last_bar() -> None:
    numbers = torch.arange(1, 11, dtype=torch.float64)

    def z_score(v: torch.Tensor) -> torch.Tensor:
        mean = v.cumsum(0) / numbers
        variance = ((v - mean[-1]) ** 2).mean()
        return (v - mean) / ((variance + 1e-4).sqrt() + 0.1)

    slope = z_score_slope(10, floor=0.1, variance_floor=1e-4)
    last = jacobian(z_score, torch.ones(10, dtype=torch.float64))[-1]
    assert float(last.norm()) == pytest.approx(slope.last, rel=1e-6)
