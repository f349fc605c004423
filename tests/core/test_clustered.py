from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.regression.linear_model import OLS

from regime_nas_pipeline.core.clustered import (
    ClusteredEstimate,
    clustered_mean,
    clustered_slope,
    overlap_lags,
)
from regime_nas_pipeline.core.errors import DataError, ParameterError


def panel(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values on 30 dates, a different number on each, with a shock that a date shares."""
    rng = np.random.default_rng(seed)
    date = np.repeat(np.arange(30), rng.integers(2, 7, size=30))
    x = rng.normal(size=len(date)) + rng.normal(size=30)[date]
    return x, 0.5 + 0.3 * x + rng.normal(size=30)[date] + rng.normal(size=len(date)), date


def by_hand(
    x: np.ndarray, y: np.ndarray, date: np.ndarray, *, intercept: bool, lags: int
) -> tuple[float, float]:
    """The sandwich, written out: scores summed per date, then weighted over lags."""
    X = np.column_stack([np.ones_like(x), x]) if intercept else x[:, None]
    coefficients = np.linalg.solve(X.T @ X, X.T @ y)
    scores = X * (y - X @ coefficients)[:, None]
    sums = np.array([scores[date == each].sum(axis=0) for each in np.unique(date)])
    middle = sums.T @ sums
    for lag in range(1, lags + 1):
        crossed = sums[lag:].T @ sums[:-lag]
        middle += (1 - lag / (lags + 1)) * (crossed + crossed.T)
    bread = np.linalg.inv(X.T @ X)
    (n, k), dates = X.shape, len(sums)
    correction = dates / (dates - 1) * (n - 1) / (n - k)
    return coefficients[-1], np.sqrt(correction * (bread @ middle @ bread)[-1, -1])


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("lags", [0, 1, 4])
def test_slope_and_error_are_those_written_out(intercept: bool, lags: int) -> None:
    x, y, date = panel()
    found = clustered_slope(x, y, date, intercept=intercept, lags=lags)
    slope, error = by_hand(x, y, date, intercept=intercept, lags=lags)
    assert found.value == pytest.approx(slope)
    assert found.error == pytest.approx(error)
    assert (found.n_dates, found.n) == (30, len(x))


def test_without_lags_it_is_the_clustered_error_of_the_textbook() -> None:
    x, y, date = panel(3)
    columns = np.column_stack([np.ones_like(x), x])
    fit = OLS(y, columns).fit(cov_type="cluster", cov_kwds={"groups": date})
    found = clustered_slope(x, y, date, intercept=True)
    assert found.error == pytest.approx(fit.bse[1])
    low, high = fit.get_robustcov_results("cluster", groups=date, use_t=True).conf_int(0.1)[1]
    assert found.interval(0.9) == pytest.approx((low, high))


def test_numbers_of_dates_are_names_only() -> None:
    x, y, date = panel(4)
    found = clustered_slope(x, y, 10 * date + 7, intercept=False, lags=2)
    assert found == clustered_slope(x, y, date, intercept=False, lags=2)


def test_a_date_repeated_over_assets_says_no_more_than_once() -> None:
    values = np.random.default_rng(1).normal(size=40)
    once = clustered_mean(values, np.arange(40))
    many = clustered_mean(np.repeat(values, 25), np.repeat(np.arange(40), 25))
    assert once.value == pytest.approx(values.mean())
    assert once.error == pytest.approx(values.std(ddof=1) / np.sqrt(40))
    assert many.error == pytest.approx(once.error, rel=0.02)


def test_what_cannot_be_known_is_none_or_an_error() -> None:
    one_date = clustered_slope(np.array([1.0, 2.0]), np.ones(2), np.zeros(2), intercept=False)
    assert one_date.error is None
    assert one_date.interval() is None
    with pytest.raises(DataError, match="no slope"):
        clustered_slope(np.ones(4), np.ones(4), np.arange(4), intercept=True)
    with pytest.raises(DataError, match="one length"):
        clustered_slope(np.ones(4), np.ones(3), np.arange(4), intercept=False)
    with pytest.raises(DataError, match="one length"):
        clustered_mean(np.ones(0), np.ones(0))
    with pytest.raises(ParameterError, match="lags"):
        clustered_mean(np.ones(4), np.arange(4), lags=-1)
    with pytest.raises(ParameterError, match="level"):
        ClusteredEstimate(1.0, 1.0, 5, 5).interval(1.0)


@given(st.integers(1, 60), st.integers(1, 60))
def test_overlap_counts_the_earlier_targets_that_are_still_running(horizon: int, step: int) -> None:
    running = sum(number * step < horizon for number in range(1, horizon + 1))
    assert overlap_lags(horizon, step) == running
