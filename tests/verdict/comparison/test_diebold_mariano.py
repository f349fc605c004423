import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import binom
from scipy.stats import t as student

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.comparison.diebold_mariano import (
    BARTLETT_NOTE,
    EQUAL_NOTE,
    diebold_mariano,
    loss_differences,
)


def test_one_step_ahead_by_hand():
    other, subject = np.array([3.0, 2.0, 4.0, 3.0]), np.array([1.0, 1.0, 1.0, 2.0])
    # Differences 2, 1, 3, 1: mean 7/4, variance (ddof 0) 11/16; factor sqrt(3/4).
    result = diebold_mariano(subject, other, horizon=1, every=1)
    expected = math.sqrt(3 / 4) * 1.75 / math.sqrt(11 / 16 / 4)
    assert result.statistic == pytest.approx(expected, rel=1e-12)
    assert result.p_two_sided == pytest.approx(2 * student.sf(expected, 3), rel=1e-12)
    assert result.p_beats == pytest.approx(result.p_two_sided / 2, rel=1e-12)
    assert (result.difference, result.lags, result.n, result.note) == (1.75, 0, 4, "")


def test_overlapping_targets_by_hand():
    differences = np.array([1.0, 2.0, 2.0, 1.0, 0.0, 0.0])
    # Mean 1, centred 0 1 1 0 -1 -1: γ0 = 4/6, γ1 = (0 + 1 + 0 + 0 + 1)/6 = 2/6.
    result = diebold_mariano(np.zeros(6), differences, horizon=2, every=1)
    variance = 4 / 6 + 2 * 2 / 6
    factor = math.sqrt((6 + 1 - 4 + 2 / 6) / 6)
    assert result.statistic == pytest.approx(factor / math.sqrt(variance / 6), rel=1e-12)
    assert result.lags == 1


@pytest.mark.parametrize(
    ("horizon", "every", "lags"), [(1, 1, 0), (21, 21, 0), (21, 5, 4), (20, 5, 3), (5, 21, 0)]
)
def test_the_lags_are_those_at_which_targets_overlap(horizon, every, lags):
    overlapping = sum(step * every < horizon for step in range(1, 100))
    loss = np.random.default_rng(0).random(200)
    result = diebold_mariano(loss, loss[::-1], horizon=horizon, every=every)
    assert result.lags == lags == overlapping


def test_without_overlap_it_is_students_test_of_the_mean():
    rng = np.random.default_rng(3)
    subject, other = rng.random((2, 80))
    fit = sm.OLS(other - subject, np.ones(80)).fit()
    result = diebold_mariano(subject, other, horizon=1, every=1)
    assert result.statistic == pytest.approx(float(fit.tvalues[0]), rel=1e-10)
    assert result.p_two_sided == pytest.approx(float(fit.pvalues[0]), rel=1e-10)


def test_with_overlap_the_variance_is_that_of_an_independent_regression():
    rng = np.random.default_rng(4)
    noise = rng.normal(size=303)
    differences = 0.1 + noise[3:] + noise[2:-1] + noise[1:-2] + noise[:-3]
    result = diebold_mariano(np.zeros(300), differences, horizon=4, every=1)
    fit = sm.OLS(differences, np.ones(300)).fit(
        cov_type="HAC", cov_kwds={"maxlags": 3, "kernel": lambda nlags: np.ones(nlags + 1)}
    )
    factor = math.sqrt((300 + 1 - 8 + 12 / 300) / 300)
    assert result.statistic == pytest.approx(factor * float(fit.tvalues[0]), rel=1e-9)


def test_a_variance_that_is_not_positive_falls_back_and_says_so():
    differences = np.array([1.0, -1.0] * 10) + 0.1
    result = diebold_mariano(np.zeros(20), differences, horizon=2, every=1)
    # γ0 = 1, γ1 = -19/20: 1 - 1.9 is negative; Bartlett gives 1 - 0.95 = 0.05.
    factor = math.sqrt((20 + 1 - 4 + 2 / 20) / 20)
    assert result.statistic == pytest.approx(factor * 0.1 / math.sqrt(0.05 / 20), rel=1e-9)
    assert result.note == BARTLETT_NOTE


def test_assets_of_one_date_are_one_observation():
    rng = np.random.default_rng(5)
    subject, other = rng.random((2, 40, 6))
    subject[3, 2] = np.nan
    other[7, :3] = np.nan
    expected = np.nanmean(np.where(np.isnan(other), np.nan, other - subject), axis=1)
    np.testing.assert_allclose(loss_differences(subject, other), expected, rtol=1e-12)
    repeated = diebold_mariano(
        np.tile(subject[:, :1], 50), np.tile(other[:, 3:4], 50), horizon=1, every=1
    )
    single = diebold_mariano(subject[:, 0], other[:, 3], horizon=1, every=1)
    assert repeated.n == single.n == 40
    assert repeated.statistic == pytest.approx(single.statistic, rel=1e-9)


def test_swapping_turns_the_sign():
    subject, other = np.random.default_rng(6).random((2, 50, 3))
    forward = diebold_mariano(subject, other, horizon=5, every=2)
    backward = diebold_mariano(other, subject, horizon=5, every=2)
    assert backward.statistic == -forward.statistic
    assert backward.p_two_sided == forward.p_two_sided
    assert backward.p_beats == pytest.approx(1.0 - forward.p_beats)


def test_equal_accuracy_is_rejected_about_as_often_as_the_level_says():
    rng = np.random.default_rng(8)
    rejected = 0
    for _ in range(1000):
        shocks = rng.normal(size=(2, 125))
        losses = (shocks[:, 2:] + shocks[:, 1:-1] + shocks[:, :-2]) ** 2
        rejected += diebold_mariano(losses[0], losses[1], horizon=3, every=1).p_two_sided < 0.1
    assert binom.ppf(0.001, 1000, 0.07) <= rejected <= binom.ppf(0.999, 1000, 0.13)


def test_blank_dates_at_the_ends_are_left_out_and_gaps_refused():
    dates = pd.bdate_range("2020-01-01", periods=30)
    subject, other = (
        pd.DataFrame(values, dates, list("abc"))
        for values in np.random.default_rng(9).random((2, 30, 3))
    )
    subject.iloc[:4] = np.nan
    other.iloc[-2:] = np.nan
    result = diebold_mariano(subject, other, horizon=1, every=1)
    assert result.n == 24
    inner = diebold_mariano(subject.iloc[4:-2], other.iloc[4:-2], horizon=1, every=1)
    assert result == inner
    other.iloc[10] = np.nan
    with pytest.raises(DataError, match=str(dates[10].date())):
        diebold_mariano(subject, other, horizon=1, every=1)


def test_the_same_losses_leave_nothing_to_test():
    loss = np.random.default_rng(0).random(30)
    for other in (loss, loss + 0.5):
        result = diebold_mariano(loss, other, horizon=1, every=1)
        assert math.isnan(result.statistic)
        assert (result.p_two_sided, result.p_beats, result.note) == (1.0, 1.0, EQUAL_NOTE)


def test_unusable_input_is_an_error():
    loss = np.random.default_rng(0).random((30, 2))
    with pytest.raises(ParameterError, match="at least 1"):
        diebold_mariano(loss, loss, horizon=0, every=1)
    with pytest.raises(DataError, match="same dates"):
        diebold_mariano(loss, loss[1:], horizon=1, every=1)
    with pytest.raises(DataError, match="same dates"):
        diebold_mariano(
            pd.DataFrame(loss, columns=["a", "b"]),
            pd.DataFrame(loss, columns=["b", "a"]),
            horizon=1,
            every=1,
        )
    with pytest.raises(DataError, match="at least 40 dates"):
        diebold_mariano(loss, loss[::-1], horizon=20, every=1)
    with pytest.raises(DataError, match="no date"):
        diebold_mariano(loss * np.nan, loss, horizon=1, every=1)
