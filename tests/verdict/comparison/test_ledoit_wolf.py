import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.comparison.ledoit_wolf import (
    ledoit_wolf,
    sharpe_difference,
    sharpe_gradient,
)
from regime_nas_pipeline.verdict.sharpe import jobson_korkie_memmel


def _pair(seed: int, n: int = 300, gap: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.random.default_rng(seed).normal(size=(2, n))
    return 0.01 * x + 0.0005 + gap, 0.02 * (0.6 * x + 0.8 * y) + 0.001


@given(
    st.tuples(st.floats(-0.05, 0.05), st.floats(-0.05, 0.05)),
    st.tuples(st.floats(0.005, 0.1), st.floats(0.005, 0.1)),
)
def test_the_gradient_is_the_numerical_one(means, volatilities):
    mean, volatility = np.array(means), np.array(volatilities)
    moments = np.concatenate([mean, volatility**2 + mean**2])
    numerical = np.empty(4)
    for i in range(4):
        size = 1e-4 * (volatility[i] if i < 2 else volatility[i - 2] ** 2)
        step = np.eye(4)[i] * size
        up, down = sharpe_difference(moments + step), sharpe_difference(moments - step)
        numerical[i] = (up - down) / (2 * size)
    np.testing.assert_allclose(sharpe_gradient(moments), numerical, rtol=1e-4, atol=1e-2)
    ratios = mean / volatility
    assert sharpe_difference(moments) == pytest.approx(ratios[0] - ratios[1], abs=1e-9)


def test_the_standard_error_is_memmels_on_independent_normal_returns():
    a, b = _pair(0, n=20_000)
    result, memmel = ledoit_wolf(a, b, n_resamples=1), jobson_korkie_memmel(a, b)
    assert result.difference == pytest.approx(memmel.difference, rel=1e-9)
    assert result.standard_error == pytest.approx(memmel.difference / memmel.z, rel=0.05)


def test_dependence_over_time_widens_the_standard_error():
    a, b = _pair(1, n=4000)
    slow = [pd.Series(x).ewm(alpha=0.4).mean().to_numpy() for x in (a, b)]
    result, memmel = ledoit_wolf(*slow, n_resamples=1), jobson_korkie_memmel(*slow)
    # An AR(1) with slope 0.6 has (1 + 0.6) / (1 - 0.6) = 4 times the variance of the mean.
    assert result.standard_error == pytest.approx(2.0 * memmel.difference / memmel.z, rel=0.2)


def _plain_bootstrap(a, b, block_length, n_resamples, seed):
    """One resample after the other, with a covariance matrix of block sums as in the paper."""
    n = len(a)
    n_blocks = n // block_length
    starts = np.random.default_rng(seed).integers(n, size=(n_resamples, n_blocks))
    observed = a.mean() / a.std(ddof=1) - b.mean() / b.std(ddof=1)
    z = []
    for row in starts:
        rows = np.concatenate([np.arange(start, start + block_length) % n for start in row])
        x, y = a[rows], b[rows]
        centred = np.column_stack([x, y, x**2, y**2])
        centred = centred - centred.mean(axis=0)
        psi = np.zeros((4, 4))
        for j in range(n_blocks):
            block = centred[j * block_length : (j + 1) * block_length].sum(axis=0)
            psi += np.outer(block, block) / block_length / n_blocks
        gradient = sharpe_gradient(np.array([x.mean(), y.mean(), (x**2).mean(), (y**2).mean()]))
        difference = x.mean() / x.std(ddof=1) - y.mean() / y.std(ddof=1)
        z.append((difference - observed) / math.sqrt(gradient @ psi @ gradient / len(rows)))
    return np.array(z)


@pytest.mark.parametrize("block_length", [1, 4, 7])
def test_the_p_values_are_those_of_a_plain_bootstrap(block_length):
    a, b = _pair(2, n=102, gap=0.001)
    result = ledoit_wolf(a, b, block_length=block_length, n_resamples=150, seed=5)
    z = _plain_bootstrap(a, b, block_length, 150, seed=5)
    assert result.p_two_sided == (1 + (np.abs(z) >= abs(result.z)).sum()) / 151
    assert result.p_beats == (1 + (z >= result.z).sum()) / 151
    assert (result.block_length, result.n_resamples, result.n) == (block_length, 150, 102)


def test_blocks_of_one_bar_are_the_independent_bootstrap():
    a, b = _pair(2, n=102, gap=0.001)
    result = ledoit_wolf(a, b, block_length=1, n_resamples=150, seed=5)
    rows = np.random.default_rng(5).integers(102, size=(150, 102))
    x, y = a[rows], b[rows]
    sharpe_x, sharpe_y = (v.mean(axis=1) / v.std(axis=1, ddof=1) for v in (x, y))
    # Influence of one bar on a Sharpe ratio: standardised return, less half S times its square.
    influence = 0.0
    for sign, v in ((1, x), (-1, y)):
        standard = (v - v.mean(axis=1, keepdims=True)) / v.std(axis=1, keepdims=True)
        ratio = v.mean(axis=1, keepdims=True) / v.std(axis=1, keepdims=True)
        influence = influence + sign * (standard - 0.5 * ratio * (standard**2 - 1))
    errors = influence.std(axis=1) / math.sqrt(102)
    z = (sharpe_x - sharpe_y - result.difference) / errors
    assert result.p_beats == (1 + (z >= result.z).sum()) / 151


def test_p_values_are_about_uniform_when_the_ratios_are_equal():
    rng = np.random.default_rng(7)
    two_sided, beats = [], []
    for seed in range(300):
        noise = rng.standard_t(6, size=(161, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
        returns = 0.002 + 0.01 * (noise[1:] + 0.3 * noise[:-1])
        returns[:, 0] -= 0.002
        returns[:, 1] -= 0.002
        test = ledoit_wolf(returns[:, 0], returns[:, 1], n_resamples=199, seed=seed)
        two_sided.append(test.p_two_sided)
        beats.append(test.p_beats)
    for p_values in (two_sided, beats):
        for level in (0.1, 0.5, 0.9):
            # True size within 4 points of the level: the band is exact for both ends of that.
            low = binom.ppf(0.001, 300, level - 0.04)
            high = binom.ppf(0.999, 300, level + 0.04)
            assert low <= (np.array(p_values) <= level).sum() <= high


def test_a_real_difference_is_found_and_its_direction():
    a, b = _pair(4, n=2000, gap=0.002)
    won, lost = ledoit_wolf(a, b), ledoit_wolf(b, a)
    assert won.p_two_sided == won.p_beats == pytest.approx(1 / 5001)
    assert lost.p_beats == 1.0


@settings(max_examples=15)
@given(st.integers(0, 1000), st.floats(0.1, 10.0))
def test_swapping_turns_the_sign_and_leverage_changes_nothing(seed, leverage):
    a, b = _pair(seed, n=120)
    forward = ledoit_wolf(a, b, n_resamples=99)
    backward = ledoit_wolf(b, a, n_resamples=99)
    assert backward.difference == pytest.approx(-forward.difference, abs=1e-12)
    assert backward.standard_error == pytest.approx(forward.standard_error, rel=1e-9)
    assert backward.p_two_sided == forward.p_two_sided
    assert forward.p_beats + backward.p_beats == pytest.approx(1.01)
    scaled = ledoit_wolf(leverage * np.clip(a, -0.09, 0.09), b, n_resamples=99)
    assert scaled.z == pytest.approx(ledoit_wolf(np.clip(a, -0.09, 0.09), b, n_resamples=99).z)
    assert scaled.p_two_sided == pytest.approx(forward.p_two_sided, abs=0.011)


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    a, b = _pair(0)
    first = ledoit_wolf(a, b, n_resamples=500, seed=1)
    assert first == ledoit_wolf(a, b, n_resamples=500, seed=1)
    assert first.p_two_sided != ledoit_wolf(a, b, n_resamples=500, seed=2).p_two_sided


def test_the_risk_free_return_is_taken_off_both():
    a, b = _pair(3)
    shifted = ledoit_wolf(a - 0.0002, b - 0.0002, n_resamples=99)
    result = ledoit_wolf(a, b, 0.0002, n_resamples=99)
    assert result.z == pytest.approx(shifted.z, rel=1e-9)
    assert result.p_two_sided == shifted.p_two_sided
    assert result.z != pytest.approx(ledoit_wolf(a, b, n_resamples=99).z, rel=1e-6)


def test_series_that_cannot_be_told_apart():
    a, _ = _pair(0)
    for other in (a.copy(), 3 * a):
        result = ledoit_wolf(a, other)
        assert result.difference == 0.0
        assert math.isnan(result.z)
        assert (result.p_two_sided, result.p_beats) == (1.0, 1.0)
        assert (result.block_length, result.n_resamples) == (None, 0)
    flat = ledoit_wolf(a, np.zeros(300))
    assert math.isnan(flat.difference)
    assert flat.p_two_sided == 1.0


def test_resamples_without_any_move_do_not_help_to_reject():
    a, b = np.zeros(300), np.zeros(300)
    a[10], b[200] = 0.05, 0.01
    result = ledoit_wolf(a, b, block_length=1, n_resamples=200)
    # A share of about (1 - 1/300)^300 = 0.37 of the resamples leaves out each of the two moves.
    assert result.p_two_sided > 0.5


def test_unusable_input_is_an_error():
    a, b = _pair(0)
    with pytest.raises(DataError, match="row 0"):
        ledoit_wolf(np.concatenate([[np.nan], a[1:]]), b)
    with pytest.raises(DataError, match="300 and 299"):
        ledoit_wolf(a, b[1:])
    with pytest.raises(DataError, match="at least 30"):
        ledoit_wolf(a[:29], b[:29])
    dates = pd.date_range("2020", periods=300)
    with pytest.raises(DataError, match="same dates"):
        ledoit_wolf(pd.Series(a, dates), pd.Series(b, dates.shift(1)))
    with pytest.raises(ParameterError, match="block_length"):
        ledoit_wolf(a, b, block_length=31)
    with pytest.raises(ParameterError, match="n_resamples"):
        ledoit_wolf(a, b, n_resamples=0)
