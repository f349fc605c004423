import math

import numpy as np
import pytest

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.comparison.dependence import (
    block_length_for,
    checked_block_length,
    long_run_variance,
)


def _autoregressive(slope: float, n: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=n)
    series = np.empty(n)
    series[0] = noise[0]
    for t in range(1, n):
        series[t] = slope * series[t - 1] + noise[t]
    return series


def _by_hand(series: np.ndarray) -> float:
    """Andrews and Monahan's estimator, written down again with explicit sums."""
    x = series - series.mean()
    slope = sum(x[t] * x[t - 1] for t in range(1, len(x))) / sum(v * v for v in x[:-1])
    white = [x[t] - slope * x[t - 1] for t in range(1, len(x))]
    n = len(white)
    rho = sum(white[t] * white[t - 1] for t in range(1, n)) / sum(v * v for v in white[:-1])
    bandwidth = 1.3221 * (4 * rho**2 / (1 - rho) ** 4 * n) ** (1 / 5)
    total = sum(v * v for v in white) / n
    for lag in range(1, n):
        q = lag / bandwidth
        angle = 6 * math.pi * q / 5
        weight = 25 / (12 * math.pi**2 * q**2) * (math.sin(angle) / angle - math.cos(angle))
        total += 2 * weight * sum(white[t] * white[t - lag] for t in range(lag, n)) / n
    return total / (1 - slope) ** 2


@pytest.mark.parametrize("slope", [-0.4, 0.0, 0.6])
def test_the_variance_is_andrews_and_monahans(slope):
    series = _autoregressive(slope, 200, seed=3)
    assert long_run_variance(series) == pytest.approx(_by_hand(series), rel=1e-9)


@pytest.mark.parametrize("slope", [-0.5, 0.0, 0.7])
def test_the_variance_is_near_that_of_the_process(slope):
    series = _autoregressive(slope, 20_000, seed=1)[:20_000]
    assert long_run_variance(series) == pytest.approx(1.0 / (1.0 - slope) ** 2, rel=0.15)


def test_the_variance_scales_with_the_square_and_ignores_the_level():
    series = _autoregressive(0.3, 400, seed=2)
    assert long_run_variance(3.0 * series + 7.0) == pytest.approx(
        9.0 * long_run_variance(series), rel=1e-9
    )
    assert long_run_variance(np.full(50, 0.1)) == 0.0


def test_dependence_makes_blocks_longer_up_to_a_tenth_of_the_sample():
    independent = block_length_for(_autoregressive(0.0, 2000, seed=0))
    dependent = block_length_for(_autoregressive(0.8, 2000, seed=0))
    assert 1 <= independent < 6 < dependent <= 200
    both = np.column_stack([_autoregressive(0.0, 2000, seed=0), _autoregressive(0.8, 2000, seed=0)])
    assert block_length_for(both) == dependent
    assert block_length_for(np.cumsum(_autoregressive(0.0, 50, seed=0))) == 5


def test_what_cannot_be_estimated_is_refused():
    with pytest.raises(DataError, match="29 bars"):
        long_run_variance(np.arange(29.0))
    with pytest.raises(DataError, match="29 bars"):
        block_length_for(np.arange(29.0))
    assert checked_block_length(10, 100) == 10
    for length in (0, 11):
        with pytest.raises(ParameterError, match="from 1 to 10"):
            checked_block_length(length, 100)
