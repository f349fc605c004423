import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from scipy.stats import t as student

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.calibration import (
    cross_sectional_slope,
    reliability,
    spread_calibration,
    volatility_coverage,
)


def test_spread_by_hand():
    dates = pd.date_range("2020-01-31", periods=3, freq="ME")
    mean = np.array([[0.01, 0.02, 0.03], [0.0, 0.0, np.nan], [0.01, np.nan, np.nan]])
    target = np.array([[0.05, np.nan, 0.01], [0.02, 0.04, 0.09], [0.01, 0.02, 0.03]])
    table = spread_calibration({"gru": (mean, target, dates)})
    # The first date compares assets 1 and 3, the second 1 and 2, the third has one only.
    assert list(table["date"]) == list(dates[:2])
    assert list(table["forecaster"]) == ["gru", "gru"]
    np.testing.assert_allclose(table["predicted_spread"], [0.02 / 2**0.5, 0.0])
    np.testing.assert_allclose(table["realised_spread"], [0.04 / 2**0.5, 0.02 / 2**0.5])


def test_spread_of_several_forecasters_and_of_none():
    dates = pd.date_range("2020-01-31", periods=2, freq="ME")
    mean = np.array([[0.1, 0.2], [0.3, 0.5]])
    table = spread_calibration({"a": (mean, mean, dates), "b": (2 * mean, mean, dates)})
    wide = table.pivot(index="date", columns="forecaster", values="predicted_spread")
    np.testing.assert_allclose(wide["b"], 2 * wide["a"])
    columns = ["date", "forecaster", "predicted_spread", "realised_spread"]
    assert list(spread_calibration({}).columns) == columns
    with pytest.raises(DataError, match="a: 2 rows of forecasts and 1 dates"):
        spread_calibration({"a": (mean, mean, dates[:1])})


def test_reliability_is_least_squares_with_bins_of_equal_size():
    rng = np.random.default_rng(0)
    mean = rng.normal(size=(50, 4))
    target = 0.1 + 0.4 * mean + rng.normal(size=mean.shape)
    target[0, 0] = np.nan
    found = reliability(mean, target)
    known = np.isfinite(target)
    fit = sm.OLS(target[known], sm.add_constant(mean[known])).fit()
    assert found.intercept == pytest.approx(fit.params[0])
    assert found.slope == pytest.approx(fit.params[1])
    assert len(found.table) == 10
    assert found.table["count"].sum() == 199
    assert set(found.table["count"]) <= {19, 20}
    assert found.table["predicted"].is_monotonic_increasing
    order = np.argsort(mean[known])
    assert found.table["predicted"].iloc[0] == pytest.approx(mean[known][order[:20]].mean())
    assert found.table["realised"].iloc[0] == pytest.approx(target[known][order[:20]].mean())


def test_a_bin_has_an_interval_that_lets_a_date_move_together():
    rng = np.random.default_rng(4)
    mean = rng.normal(size=(40, 6)) + 3.0 * rng.normal(size=(40, 1))
    target = 2.0 * rng.normal(size=(40, 1)) + rng.normal(size=mean.shape)
    target[5, 2] = np.nan
    found = reliability(mean, target, bins=4).table
    known = np.isfinite(target)
    dates = np.nonzero(known)[0]
    places = pd.qcut(mean[known], 4, labels=False)
    for place, row in found.iterrows():
        values, on = target[known][places == place], dates[places == place]
        fit = sm.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": on})
        n_dates = len(np.unique(on))
        half = student.ppf(0.975, n_dates - 1) * fit.bse[0]
        assert row["low"] == pytest.approx(row["realised"] - half)
        assert row["high"] == pytest.approx(row["realised"] + half)
        assert half > 1.5 * 1.96 * values.std() / len(values) ** 0.5
    narrow = reliability(mean, target, bins=4, confidence=0.5).table
    assert (narrow["high"] - narrow["low"] < found["high"] - found["low"]).all()
    assert reliability(mean[:1], target[:1]).table[["low", "high"]].isna().all(axis=None)


def test_forecasts_that_claim_twice_as_much_have_half_the_slope():
    rng = np.random.default_rng(1)
    target = rng.normal(size=(30, 3))
    assert reliability(target, target).slope == pytest.approx(1.0)
    assert reliability(2 * target, target).slope == pytest.approx(0.5)


def test_equal_forecasts_have_one_bin_and_no_slope():
    target = np.random.default_rng(1).normal(size=(30, 3))
    found = reliability(np.full((30, 3), 0.01), target)
    assert found.slope is None
    assert found.intercept is None
    assert list(found.table["count"]) == [90]
    assert found.table["realised"].iloc[0] == pytest.approx(target.mean())


def test_tied_forecasts_get_fewer_bins_and_lose_nobody():
    mean = np.repeat([[0.0, 0.0, 0.0, 1.0]], 25, axis=0)
    found = reliability(mean, mean)
    assert len(found.table) < 10
    assert found.table["count"].sum() == 100
    assert found.slope == pytest.approx(1.0)


def test_coverage_by_hand():
    target = np.array([[0.5, -1.0, 1.5, 3.0, np.nan]])
    table = volatility_coverage(np.zeros((1, 5)), np.ones((1, 5)), target)
    # Central normal intervals reach 0.674, 1.282 and 1.960.
    assert list(table["level"]) == [0.5, 0.8, 0.95]
    assert list(table["coverage"]) == [0.25, 0.5, 0.75]
    assert list(table["n"]) == [4, 4, 4]
    # One date says nothing about how sure a share is.
    assert table[["low", "high"]].isna().all(axis=None)


def test_a_correct_volatility_covers_what_it_claims():
    rng = np.random.default_rng(0)
    volatility = rng.uniform(0.01, 0.1, (2000, 5))
    mean = rng.normal(0, 0.05, volatility.shape)
    target = mean + volatility * rng.normal(size=volatility.shape)
    table = volatility_coverage(mean, volatility, target)
    # The standard error of a share of 10,000 is at most 0.005.
    np.testing.assert_allclose(table["coverage"], table["level"], atol=0.02)
    halved = volatility_coverage(mean, volatility / 2, target)
    assert (halved["coverage"] < table["coverage"] - 0.1).all()


def test_the_slope_has_an_error_that_lets_a_date_move_together():
    rng = np.random.default_rng(0)
    mean = rng.normal(size=(60, 5)) + rng.normal(size=(60, 1))
    target = 0.4 * mean + 3 * rng.normal(size=(60, 1)) + rng.normal(size=mean.shape)
    target[3, 1:4] = np.nan
    found = reliability(mean, target)
    known = np.isfinite(target)
    fit = sm.OLS(target[known], sm.add_constant(mean[known]))
    dates = np.nonzero(known)[0]
    clustered = fit.fit(cov_type="cluster", cov_kwds={"groups": dates})
    assert found.slope_error == pytest.approx(clustered.bse[1])
    assert found.slope_error > 1.2 * fit.fit().bse[1]
    assert reliability(mean, target, lags=3).slope_error != found.slope_error
    assert reliability(mean[:1], target[:1]).slope_error is None


def test_slope_across_assets_is_that_with_an_intercept_for_every_date():
    rng = np.random.default_rng(2)
    mean = rng.normal(size=(25, 6)) + 5 * rng.normal(size=(25, 1))
    target = 1.7 * mean - 9 * mean.mean(axis=1, keepdims=True) + rng.normal(size=mean.shape)
    mean[0, :2], target[4, 3:], target[7, 1:] = np.nan, np.nan, np.nan
    known = np.isfinite(mean) & np.isfinite(target)
    known &= known.sum(axis=1, keepdims=True) >= 2  # a single asset has no deviation
    dates = np.nonzero(known)[0]
    dummies = (dates[:, None] == np.unique(dates)).astype(float)
    fit = sm.OLS(target[known], np.column_stack([mean[known], dummies])).fit()
    found = cross_sectional_slope(mean, target)
    assert found.value == pytest.approx(fit.params[0])
    assert (found.n_dates, found.n) == (24, known.sum())
    low, high = found.interval(0.99)
    assert low < 1.7 < high


@given(st.floats(0.1, 10.0), st.floats(-1.0, 1.0), st.floats(-1.0, 1.0), st.integers(0, 2**31 - 1))
def test_slope_across_assets_falls_as_forecasts_spread_and_knows_no_level(
    factor: float, shift: float, drift: float, seed: int
):
    rng = np.random.default_rng(seed)
    mean, target = rng.normal(size=(8, 4)), rng.normal(size=(8, 4))
    plain = cross_sectional_slope(mean, target)
    moved = cross_sectional_slope(factor * mean + shift, target + drift * np.arange(8)[:, None])
    assert moved.value == pytest.approx(plain.value / factor, rel=1e-6, abs=1e-9)
    assert moved.error == pytest.approx(plain.error / factor, rel=1e-6, abs=1e-9)


def test_forecasts_that_do_not_differ_have_no_slope_across_assets():
    target = np.random.default_rng(0).normal(size=(5, 3))
    level = np.repeat(np.linspace(0.1, 0.3, 5)[:, None], 3, axis=1)
    assert cross_sectional_slope(level, target) is None
    assert cross_sectional_slope(target, np.full((5, 3), np.nan)) is None


def test_the_interval_of_a_coverage_is_that_of_the_dates_shares():
    rng = np.random.default_rng(5)
    size = np.exp(0.5 * rng.normal(size=(80, 1)))
    target = size * rng.normal(size=(80, 10))
    table = volatility_coverage(0 * target, np.ones(target.shape), target, confidence=0.9)
    for row in table.to_dict("records"):
        edge = norm.ppf(0.5 + row["level"] / 2)
        shares = (np.abs(target) <= edge).mean(axis=1)
        half = student.ppf(0.95, 79) * shares.std(ddof=1) / 80**0.5
        assert row["high"] - row["low"] == pytest.approx(2 * half, rel=0.01)
        assert (row["high"] + row["low"]) / 2 == pytest.approx(row["coverage"])
    certain = volatility_coverage(0 * target, 100 * np.ones(target.shape), target)
    np.testing.assert_allclose(certain[["low", "high"]], 1.0)


def test_faults_are_errors():
    ones = np.ones((2, 3))
    blank = np.full((2, 3), np.nan)
    with pytest.raises(DataError, match="dates x assets"):
        reliability(ones, ones[:1])
    with pytest.raises(DataError, match="no forecast"):
        reliability(ones, blank)
    with pytest.raises(ParameterError, match="bins"):
        reliability(ones, ones, bins=0)
    with pytest.raises(DataError, match="no volatility"):
        volatility_coverage(ones, blank, ones)
    with pytest.raises(DataError, match="positive"):
        volatility_coverage(ones, 0 * ones, ones)
    with pytest.raises(DataError, match="differ"):
        volatility_coverage(ones, ones[:1], ones)
    with pytest.raises(ParameterError, match="levels"):
        volatility_coverage(ones, ones, ones, levels=(0.5, 1.0))
