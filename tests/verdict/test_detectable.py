from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.statistics import per_bar_rate
from regime_nas_pipeline.verdict.comparison.table import comparison_table
from regime_nas_pipeline.verdict.detectable import (
    COLUMNS,
    detectable_differences,
    smallest_difference,
)
from regime_nas_pipeline.verdict.sharpe import jobson_korkie_memmel

YEAR = {"risk_free": 0.02, "bars_per_year": 252}


def _pair(rng: np.random.Generator, n: int, gap: float, correlation: float) -> np.ndarray:
    """Normal returns whose true Sharpe ratios per bar are 0.05 + gap and 0.05, (n, 2)."""
    x, y = rng.normal(size=(2, n))
    rest = math.sqrt(1.0 - correlation**2)
    return np.column_stack(
        [0.01 * (0.05 + gap + x), 0.02 * (0.05 + correlation * x + rest * y)],
    )


def _returns(n: int = 2000) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    values = np.column_stack([_pair(rng, n, 0.01, 0.9), rng.normal(0.0004, 0.01, n)])
    dates = pd.bdate_range("2015-01-01", periods=n)
    return pd.DataFrame(values, dates, ["gru", "equal_weight", "momentum"])


@pytest.mark.parametrize("correlation", [0.0, 0.9])
@pytest.mark.parametrize("level", [0.05, 0.001])
def test_an_edge_of_that_size_is_found_with_the_power(correlation: float, level: float) -> None:
    n, n_samples, power = 1000, 1500, 0.8
    # Delta method under normality, with the true correlation and ratios near zero.
    error = math.sqrt((2.0 - 2.0 * correlation + 0.05**2 * (1.0 - correlation**2)) / n)
    edge = smallest_difference(error, level=level, power=power)
    rng = np.random.default_rng(7)
    found = 0
    for _ in range(n_samples):
        found += jobson_korkie_memmel(*_pair(rng, n, edge, correlation).T).z > norm.isf(level)
    # Binomial(1500, 0.8) / 1500 has a standard deviation of 0.010.
    assert found / n_samples == pytest.approx(power, abs=0.035)


def test_uncorrelated_normal_returns_give_the_closed_form_of_the_textbook() -> None:
    n = 5000
    rng = np.random.default_rng(1)
    dates = pd.bdate_range("2000-01-01", periods=n)
    returns = pd.DataFrame(_pair(rng, n, 0.0, 0.0), dates, ["a", "b"])
    tests = comparison_table(returns, ["b"], risk_free=0.0, bars_per_year=252, n_resamples=1)
    row = detectable_differences(tests, returns, bars_per_year=252, level=0.05).iloc[0]
    # Each yearly ratio has the variance 1 / years: 2.486 errors of √(2 / years).
    assert row["years"] == n / 252
    assert row["smallest_edge"] == pytest.approx(2.4865 * math.sqrt(2.0 * 252 / n), rel=0.04)
    # Tracking error of two uncorrelated volatilities of 1 and 2 % a bar.
    assert row["tracking_error"] == pytest.approx(math.sqrt(5e-4 * 252), rel=0.03)
    ratio = row["smallest_return"] / row["tracking_error"]
    assert ratio == pytest.approx(2.4865 / math.sqrt(n / 252), rel=1e-4)


@given(
    st.floats(1e-4, 10.0),
    st.floats(0.001, 0.4),
    st.floats(0.5, 0.99),
)
def test_the_power_at_the_smallest_difference_is_the_one_asked_for(
    error: float, level: float, power: float
) -> None:
    edge = smallest_difference(error, level=level, power=power)
    critical = norm.ppf(1.0 - level) * error
    assert norm.sf(critical, loc=edge, scale=error) == pytest.approx(power, rel=1e-9)
    assert smallest_difference(2.0 * error, level=level, power=power) == pytest.approx(2.0 * edge)
    assert smallest_difference(error, level=level / 2.0, power=power) > edge
    assert smallest_difference(error, level=level, power=power / 2.0 + 0.5) > edge


def test_every_pair_of_sharpe_ratios_has_a_row_and_the_larger_error_counts() -> None:
    returns = _returns()
    tests = comparison_table(returns, ["equal_weight", "momentum"], n_resamples=9, **YEAR)
    table = detectable_differences(tests, returns, bars_per_year=252, level=0.05)
    assert list(table.columns) == list(COLUMNS)
    assert list(zip(table["subject"], table["against"], strict=True)) == [
        ("gru", "equal_weight"),
        ("momentum", "equal_weight"),
        ("gru", "momentum"),
    ]
    assert (table["n_tests"] == 6).all()
    own = tests[(tests["subject"] == "gru") & (tests["against"] == "equal_weight")]
    row = table.iloc[0]
    assert row["standard_error"] == own["standard_error"].max()
    assert row["test"] == own.loc[own["standard_error"].idxmax(), "test"]
    rate = per_bar_rate(0.02, 252)
    plain = jobson_korkie_memmel(returns["gru"], returns["equal_weight"], rate)
    assert row["difference"] == pytest.approx(plain.difference * math.sqrt(252))
    # z(0.95) + z(0.8); then Holm's first step: two-sided 0.05 / 6, so 0.05 / 12 on one side.
    assert row["smallest_edge"] == pytest.approx(2.4865 * row["standard_error"], rel=1e-4)
    corrected = (norm.isf(0.05 / 12) + norm.isf(0.2)) * row["standard_error"]
    assert row["smallest_edge_holm"] == pytest.approx(corrected)
    # What follows the reference closely is found sooner.
    assert table["smallest_edge"].iloc[0] < 0.6 * table["smallest_edge"].iloc[1]


def test_dependence_over_time_makes_ledoit_wolf_decide() -> None:
    returns = _returns().ewm(alpha=0.4).mean()
    tests = comparison_table(returns, ["equal_weight"], n_resamples=9, **YEAR)
    full = detectable_differences(tests, returns, bars_per_year=252, level=0.05)
    assert full["test"].tolist() == ["ledoit_wolf"] * 2
    without = detectable_differences(
        tests, returns, bars_per_year=252, level=0.05, withdrawn={"ledoit_wolf": "it was wrong"}
    )
    assert without["test"].tolist() == ["jobson_korkie_memmel"] * 2
    assert (without["smallest_edge"] < 0.7 * full["smallest_edge"]).all()
    assert (without["n_tests"] == 4).all()
    none = detectable_differences(
        tests, returns, bars_per_year=252, level=0.05, withdrawn={"holm": "it was wrong"}
    )
    assert none.empty


def test_what_cannot_be_tested_is_blank() -> None:
    returns = _returns().assign(twin=lambda frame: frame["equal_weight"])
    tests = comparison_table(returns, ["equal_weight"], n_resamples=9, **YEAR)
    table = detectable_differences(tests, returns, bars_per_year=252, level=0.05)
    twin = table.set_index("subject").loc["twin"]
    blank = ["difference", "standard_error", "smallest_edge", "tracking_error", "smallest_return"]
    assert twin[blank].isna().all()
    assert twin["years"] == pytest.approx(2000 / 252)
    nothing = detectable_differences(tests.iloc[:0], returns, bars_per_year=252, level=0.05)
    assert nothing.empty
    assert list(nothing.columns) == list(COLUMNS)


def test_returns_of_a_compared_strategy_are_needed() -> None:
    returns = _returns()
    tests = comparison_table(returns, ["equal_weight"], n_resamples=9, **YEAR)
    with pytest.raises(DataError, match="'gru': there are no returns"):
        detectable_differences(tests, returns.drop(columns="gru"), bars_per_year=252, level=0.05)


@pytest.mark.parametrize(("level", "power"), [(0.0, 0.8), (0.3, 0.2), (0.05, 1.0)])
def test_level_and_power_that_do_not_fit_are_errors(level: float, power: float) -> None:
    with pytest.raises(ParameterError, match="0 < level < power < 1"):
        smallest_difference(1.0, level=level, power=power)


def test_a_negative_error_is_an_error_and_an_unknown_one_stays_unknown() -> None:
    with pytest.raises(ParameterError, match="negative"):
        smallest_difference(-1.0, level=0.05)
    assert math.isnan(smallest_difference(math.nan, level=0.05))
