from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jacobians import ROUNDING, jacobian, jacobian_norm, normal, spread, whole
from torch.nn import functional

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.lipschitz.linear import (
    convolution_slope,
    cross_section_slope,
    deviation_slope,
    exponential_average,
    over_bars,
    row_norm,
    running_mean,
    running_sum_slope,
    shared_input_norm,
    spectral_norm,
)

seeds = st.integers(0, 2**32 - 1)


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_spectral_norm_is_the_largest_stretch_and_is_reached(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    matrix = spread(generator) * normal(generator, whole(generator, 1, 6), whole(generator, 1, 6))
    bound = spectral_norm(matrix)
    directions = normal(generator, matrix.shape[1], 50)
    stretched = (matrix @ directions).norm(dim=0) / directions.norm(dim=0)
    assert float(stretched.max()) <= bound
    # Power iteration, an independent way to the same number.
    vector = normal(generator, matrix.shape[1])
    for _ in range(400):
        vector = matrix.T @ (matrix @ vector)
        vector = vector / vector.norm()
    assert float((matrix @ vector).norm()) == pytest.approx(bound, rel=0.02)


def test_float32_weights_are_measured_in_float64() -> None:
    weight = torch.eye(2) * 0.1
    assert spectral_norm(weight) == pytest.approx(float(np.float32(0.1)), rel=1e-11)


def test_weights_that_are_not_numbers_have_no_bound() -> None:
    broken = torch.tensor([[1.0, math.nan]])
    assert spectral_norm(broken) == math.inf
    assert row_norm(broken) == math.inf
    assert convolution_slope(broken[:, :, None], length=3).window == math.inf


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_convolution_bound_holds_for_the_whole_toeplitz_matrix(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    width_in, width_out, taps = (whole(generator, 1, 4) for _ in range(3))
    dilation, length = whole(generator, 1, 4), whole(generator, 1, 24)
    weight = normal(generator, width_out, width_in, taps)

    def convolve(x: torch.Tensor) -> torch.Tensor:
        padded = functional.pad(x.T[None], ((taps - 1) * dilation, 0))
        return functional.conv1d(padded, weight, dilation=dilation)[0].T

    toeplitz = jacobian(convolve, torch.zeros(length, width_in, dtype=torch.float64))
    slope = convolution_slope(weight, dilation=dilation, length=length)
    exact = float(torch.linalg.matrix_norm(toeplitz, ord=2))
    last = float(torch.linalg.matrix_norm(toeplitz[-width_out:], ord=2))
    assert exact <= slope.window * (1 + ROUNDING)
    assert last <= slope.last * (1 + ROUNDING)


def test_convolution_bound_is_the_limit_of_long_windows() -> None:
    weight = normal(torch.Generator().manual_seed(3), 3, 3, 3)

    def convolve(x: torch.Tensor) -> torch.Tensor:
        return functional.conv1d(functional.pad(x.T[None], (2, 0)), weight)[0].T

    toeplitz = jacobian(convolve, torch.zeros(150, 3, dtype=torch.float64))
    exact = float(torch.linalg.matrix_norm(toeplitz, ord=2))
    assert convolution_slope(weight, length=150).window == pytest.approx(exact, rel=0.01)


def test_reshaped_kernel_is_no_bound_for_a_convolution() -> None:
    # Why the frequencies are needed: three equal taps add up to three times the input.
    weight = torch.ones(1, 1, 3, dtype=torch.float64)
    assert spectral_norm(weight.reshape(1, 3)) == pytest.approx(math.sqrt(3.0))
    assert convolution_slope(weight, length=100).window == pytest.approx(3.0, rel=0.01)


def test_grid_correction_covers_a_peak_between_grid_points() -> None:
    # The rotation moves the peak of the norm away from w = pi/2, a grid point.
    for shift in np.linspace(0.0, 0.1, 7):
        rotated = np.array([[np.cos(shift), -np.sin(shift)], [np.sin(shift), np.cos(shift)]])
        weight = np.stack([rotated @ rotated, np.zeros((2, 2)), -np.eye(2)], axis=2)
        angles = np.linspace(0.0, np.pi, 20_001)
        symbol = weight[:, :, 2] + weight[:, :, 0] * np.exp(-2j * angles)[:, None, None]
        truth = np.linalg.svd(symbol, compute_uv=False).max()
        bound = convolution_slope(weight, length=1000).window
        assert truth <= bound <= truth * 1.01


@pytest.mark.parametrize("length", [1, 2, 7, 60])
def test_running_sum_norm_in_closed_form(length: int) -> None:
    summing = np.tril(np.ones((length, length)))
    slope = running_sum_slope(length)
    assert slope.window == pytest.approx(np.linalg.norm(summing, 2), rel=1e-10)
    assert slope.last == pytest.approx(np.linalg.norm(summing[-1]), rel=1e-10)


@pytest.mark.parametrize("length", [1, 6, 60])
def test_running_sum_over_root_and_running_mean(length: int) -> None:
    generator = torch.Generator().manual_seed(length)
    numbers = torch.arange(1, length + 1, dtype=torch.float64)
    x = normal(generator, length)
    slope = running_sum_slope(length, over_root=True)
    assert jacobian_norm(lambda v: v.cumsum(0) / numbers.sqrt(), x) == pytest.approx(slope.window)
    mean = over_bars(running_mean(length))
    assert jacobian_norm(lambda v: v.cumsum(0) / numbers, x) == pytest.approx(mean.window)
    assert mean.window < 2.0  # Hardy's inequality
    deviation = deviation_slope(running_mean(length))
    away = jacobian_norm(lambda v: v - v.cumsum(0) / numbers, x)
    assert away == pytest.approx(deviation.window, abs=1e-9)
    assert mean.last == pytest.approx(1.0 / math.sqrt(length))


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_exponential_averages_against_their_recursion(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    length, width = whole(generator, 1, 12), whole(generator, 1, 4)
    decay = torch.rand(width, generator=generator, dtype=torch.float64)

    def average(x: torch.Tensor) -> torch.Tensor:
        total, weight, results = torch.zeros(width), torch.zeros(width), []
        for bar in x:
            total, weight = decay * total + bar, decay * weight + 1.0
            results.append(total / weight)
        return torch.stack(results)

    x = normal(generator, length, width)
    matrices = exponential_average(decay, length)
    applied = np.einsum("wts,sw->tw", matrices, x.numpy())
    np.testing.assert_allclose(applied, average(x).numpy(), atol=1e-10)
    exact = jacobian(average, x)
    slope = over_bars(matrices)
    assert float(torch.linalg.matrix_norm(exact, ord=2)) == pytest.approx(slope.window)
    assert float(torch.linalg.matrix_norm(exact[-width:], ord=2)) == pytest.approx(slope.last)
    away = jacobian_norm(lambda v: v - average(v), x)
    assert away == pytest.approx(deviation_slope(matrices).window, abs=1e-9)


def test_a_decay_outside_the_unit_interval_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"decay .* \[0, 1\]"):
        exponential_average(np.array([0.5, 1.2]), 4)


@pytest.mark.parametrize("present", [1, 2, 5])
def test_cross_sectional_mean_among_the_assets_that_are_there(present: int) -> None:
    def mean(x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=0, keepdim=True).expand_as(x)

    x = torch.zeros(present, 3, 2, dtype=torch.float64)
    assert jacobian_norm(mean, x) == pytest.approx(cross_section_slope().window)


def test_cross_sectional_mean_given_to_absent_assets_too_is_steeper() -> None:
    # Five rows are given the mean of two: sqrt(5 / 2), so absent assets must be left out.
    def mean(x: torch.Tensor) -> torch.Tensor:
        return x[:2].mean(dim=0, keepdim=True).expand_as(x)

    norm = jacobian_norm(mean, torch.zeros(5, 2, dtype=torch.float64))
    assert norm == pytest.approx(math.sqrt(2.5))


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_inputs_that_all_rows_share(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    rows, width, n_own, n_shared = (whole(generator, 1, 4) for _ in range(4))
    own, shared = normal(generator, width, n_own), normal(generator, width, n_shared)

    def embed(x: torch.Tensor) -> torch.Tensor:
        assets, market = x[: rows * n_own].reshape(rows, n_own), x[rows * n_own :]
        return assets @ own.T + shared @ market

    x = torch.zeros(rows * n_own + n_shared, dtype=torch.float64)
    assert jacobian_norm(embed, x) == pytest.approx(shared_input_norm(own, shared, rows))
