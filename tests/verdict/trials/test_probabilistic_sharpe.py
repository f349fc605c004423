import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm
from skfolio.measures import probabilistic_sharpe_ratio

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.trials import (
    SharpeMoments,
    deflated_sharpe,
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_moments,
)

RATIO = st.floats(-0.4, 0.4)
SKEWNESS = st.floats(-3.0, 3.0)
BARS = st.integers(10, 5000)


def _moments(sharpe: float, skewness: float, n: int) -> SharpeMoments:
    # One more than the least kurtosis that this skewness allows.
    return SharpeMoments(sharpe, skewness, 2.0 + skewness**2, n)


def _paper(n_trials: int, skewness: float = -3.0, kurtosis: float = 10.0):
    """Example of Bailey and Lopez de Prado (2014): 5 years of 250 days, yearly ratio 2.5.

    The trials' yearly ratios have a variance of 1/2, so those per day have 1/2 ÷ 250.
    """
    moments = SharpeMoments(2.5 / math.sqrt(250), skewness, kurtosis, 1250)
    return deflated_sharpe(moments, n_trials=n_trials, trial_variance=0.5 / 250)


def test_the_worked_example_of_the_paper():
    result = _paper(100)
    assert result.threshold == pytest.approx(0.1132, abs=5e-5)
    assert result.probability == pytest.approx(0.9004, abs=5e-5)
    # 46 trials are the most at which the example passes at 95 %, with normal returns 88.
    assert _paper(46).probability == pytest.approx(0.9505, abs=5e-5)
    assert _paper(47).probability < 0.95
    assert _paper(88, 0.0, 3.0).probability == pytest.approx(0.9505, abs=5e-5)
    assert _paper(89, 0.0, 3.0).probability < 0.95


def test_the_result_carries_every_ingredient():
    result = _paper(100)
    assert (result.n_trials, result.n, result.skewness, result.kurtosis) == (100, 1250, -3.0, 10.0)
    assert result.trial_variance == 0.002
    denominator = math.sqrt(1 + 3 * result.sharpe + 9 / 4 * result.sharpe**2)
    z = (result.sharpe - result.threshold) * math.sqrt(1249) / denominator
    assert result.probability == pytest.approx(0.5 * math.erfc(-z / math.sqrt(2)), rel=1e-12)


@pytest.mark.parametrize(("per_year", "years"), [(252, 2.73), (52, 2.83), (12, 3.24)])
def test_track_records_of_the_2012_paper_with_normal_returns(per_year, years):
    # A yearly ratio of 2 to be above 1 with 95 %.
    moments = SharpeMoments(2 / math.sqrt(per_year), 0.0, 3.0, 100)
    bars = minimum_track_record(moments, 1 / math.sqrt(per_year), level=0.95)
    assert bars / per_year == pytest.approx(years, abs=0.005)


def test_track_record_of_the_2012_paper_with_hedge_fund_moments():
    moments = SharpeMoments(2 / math.sqrt(12), -0.72, 5.78, 100)
    assert minimum_track_record(moments, 1 / math.sqrt(12)) / 12 == pytest.approx(4.99, abs=0.005)


@pytest.mark.parametrize(("n_trials", "off"), [(2, 0.08), (5, 0.03), (40, 0.015), (1000, 0.005)])
def test_the_expected_maximum_is_that_of_normal_variates(n_trials, off):
    exact, _ = quad(lambda x: x * n_trials * norm.pdf(x) * norm.cdf(x) ** (n_trials - 1), -9, 9)
    assert expected_maximum_sharpe(n_trials, 0.04) == pytest.approx(0.2 * exact, rel=off)


def test_nothing_was_chosen_among_one_trial_or_equal_ones():
    assert expected_maximum_sharpe(1, 0.3) == 0.0
    assert expected_maximum_sharpe(50, 0.0) == 0.0


def test_moments_and_probability_of_a_series_are_those_of_another_library():
    rng = np.random.default_rng(0)
    returns = pd.Series(rng.standard_t(5, size=700) * 0.01 + 0.0008)
    moments = sharpe_moments(returns, 0.0001)
    excess = returns.to_numpy() - 0.0001
    centred = excess - excess.mean()
    second = (centred**2).mean()
    assert moments.n == 700
    assert moments.sharpe == pytest.approx(excess.mean() / excess.std(ddof=1), rel=1e-12)
    assert moments.skewness == pytest.approx((centred**3).mean() / second**1.5, rel=1e-10)
    assert moments.kurtosis == pytest.approx((centred**4).mean() / second**2, rel=1e-10)
    for threshold in (0.0, 0.05):
        other = probabilistic_sharpe_ratio(returns.to_numpy(), threshold, 0.0001)
        assert probabilistic_sharpe(moments, threshold) == pytest.approx(other, rel=1e-6)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_skewed_returns_pass_at_their_true_ratio_as_often_as_the_level_says(sign):
    # Gamma returns: skewness ±1, kurtosis 4.5; ratio 0.2 at the truth.
    rng = np.random.default_rng(1)
    standard = sign * (rng.gamma(4.0, size=(2000, 400)) - 4.0) / 2.0
    passed = [
        probabilistic_sharpe(sharpe_moments(pd.Series(0.002 + 0.01 * row)), 0.2) > 0.95
        for row in standard[:1000]
    ]
    # Binomial(1000, 0.05) has a standard deviation of 6.9.
    assert 30 <= sum(passed) <= 75


@given(RATIO, RATIO, SKEWNESS, BARS)
def test_a_normal_ratio_is_judged_the_same_in_its_mirror_image(sharpe, threshold, skewness, n):
    here = probabilistic_sharpe(_moments(sharpe, skewness, n), threshold)
    there = probabilistic_sharpe(_moments(-sharpe, -skewness, n), -threshold)
    assert here + there == pytest.approx(1.0, abs=1e-12)


@given(st.floats(-0.3, 0.3), st.floats(0.01, 0.1), BARS)
def test_probability_grows_with_the_ratio_under_normal_returns(sharpe, step, n):
    low = probabilistic_sharpe(SharpeMoments(sharpe, 0.0, 3.0, n))
    high = probabilistic_sharpe(SharpeMoments(sharpe + step, 0.0, 3.0, n))
    assert low < high or high == pytest.approx(1.0, abs=1e-12) or low == pytest.approx(0, abs=1e-12)


@given(st.floats(0.01, 0.3), SKEWNESS, st.integers(10, 300), st.integers(1, 300))
def test_probability_grows_with_the_track_record(sharpe, skewness, n, more):
    short = probabilistic_sharpe(_moments(sharpe, skewness, n))
    long = probabilistic_sharpe(_moments(sharpe, skewness, n + more))
    assert short < long or short == pytest.approx(1.0, abs=1e-12)


@given(RATIO, RATIO, SKEWNESS, st.floats(0.6, 0.999))
def test_the_minimum_track_record_reaches_the_level_exactly(sharpe, threshold, skewness, level):
    assume(sharpe - threshold > 1e-3)
    moments = _moments(sharpe, skewness, 100)
    bars = minimum_track_record(moments, threshold, level=level)
    # The probability is a function of whole bars, so that it is checked on both sides.
    below, above = max(2, math.floor(bars)), max(2, math.ceil(bars))
    assert probabilistic_sharpe(_moments(sharpe, skewness, above), threshold) >= level - 1e-9
    if below < bars:
        assert probabilistic_sharpe(_moments(sharpe, skewness, below), threshold) <= level + 1e-9


@given(RATIO, SKEWNESS, st.integers(1, 500), st.integers(1, 500), st.floats(1e-5, 0.05))
def test_the_deflated_probability_falls_with_the_number_of_trials(s, skewness, few, more, variance):
    moments = _moments(s, skewness, 300)
    first = deflated_sharpe(moments, n_trials=few, trial_variance=variance)
    second = deflated_sharpe(moments, n_trials=few + more, trial_variance=variance)
    assert second.threshold > first.threshold
    assert second.probability <= first.probability <= probabilistic_sharpe(moments)


def test_no_track_record_is_long_enough_below_the_threshold():
    assert minimum_track_record(SharpeMoments(0.1, 0.0, 3.0, 50), 0.1) == math.inf
    assert minimum_track_record(SharpeMoments(-0.1, 0.0, 3.0, 50)) == math.inf


def test_impossible_figures_are_errors():
    with pytest.raises(ParameterError, match=r"at least 1 \+ skewness² = 5"):
        SharpeMoments(0.1, -2.0, 3.0, 100)
    with pytest.raises(ParameterError, match="finite"):
        SharpeMoments(math.nan, 0.0, 3.0, 100)
    with pytest.raises(ParameterError, match="at least 2 bars"):
        SharpeMoments(0.1, 0.0, 3.0, 1)
    with pytest.raises(ParameterError, match="level"):
        minimum_track_record(SharpeMoments(0.1, 0.0, 3.0, 100), level=0.5)
    with pytest.raises(ParameterError, match="n_trials"):
        expected_maximum_sharpe(0, 0.1)
    for variance in (-0.1, math.nan):
        with pytest.raises(ParameterError, match="trial_variance"):
            expected_maximum_sharpe(3, variance)
    # Two values, with ratio 2 ÷ skewness: the linear terms of the error cancel.
    with pytest.raises(DataError, match="two values"):
        probabilistic_sharpe(SharpeMoments(1.0, 2.0, 5.0, 100))


def test_series_without_a_ratio_are_errors_that_name_them():
    with pytest.raises(DataError, match=r"'cash'.*every return is 0\.01"):
        sharpe_moments(pd.Series([0.01] * 9, name="cash"))
    with pytest.raises(DataError, match=r"'gru'.*row 1"):
        sharpe_moments(pd.Series([0.01, np.nan, 0.02], name="gru"))
    with pytest.raises(DataError, match=r"'gru'.*at least 3 bars"):
        sharpe_moments(pd.Series([0.01, 0.02], name="gru"))
