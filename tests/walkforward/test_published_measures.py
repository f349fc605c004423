from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.portfolio.metrics import performance
from regime_nas_pipeline.verdict.comparison import comparison_table
from regime_nas_pipeline.verdict.published import QUANTITIES
from regime_nas_pipeline.walkforward.published_measures import measured_figures

RISK_FREE = 0.02
STRATEGIES = ("gru", "equal_weight", "still")


@pytest.fixture(scope="module")
def returns() -> pd.DataFrame:
    dates = pd.bdate_range("2020-01-02", "2021-06-30", name="date")
    values = np.random.default_rng(5).normal(0.0005, 0.01, (len(dates), 3))
    values[:, 2] = 0.0
    return pd.DataFrame(values, index=dates, columns=list(STRATEGIES))


@pytest.fixture(scope="module")
def figures(returns: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {
        name: performance(returns[name], bars_per_year=252, risk_free=RISK_FREE)
        | {"turnover": 0.25}
        for name in returns
    }


@pytest.fixture(scope="module")
def measured(returns, figures) -> dict[tuple[str, str, str], float | None]:
    dates = returns.index[[0, 21]]
    spreads = pd.DataFrame(
        {
            "date": [*dates, *dates],
            "forecaster": ["gru", "gru", "garch", "garch"],
            "predicted_spread": [0.01, 0.03, 0.0, 0.0],
            "realised_spread": [0.05, 0.06, 0.05, 0.06],
        }
    )
    accuracy = {"mae": 0.1, "rmse": 0.2, "r2": -0.01, "r2_zero": 0.01, "rank_ic": None}
    groups = pd.DataFrame(
        {
            "strategy": ["gru", "gru", "equal_weight"],
            "group": ["bonds", "gold", "gold"],
            "mean_weight": [0.3, 0.7, 1.0],
        }
    )
    return measured_figures(
        strategy_returns=returns,
        strategy_figures=figures,
        forecast_figures={"gru": accuracy, "no_change": {"mae": 0.1, "rank_ic": None}},
        spread_calibration=spreads,
        comparison_tests=comparison_table(
            returns, ["equal_weight"], risk_free=RISK_FREE, bars_per_year=252, n_resamples=19
        ),
        group_exposures=groups,
        risk_free=RISK_FREE,
    )


def months_of(returns: pd.Series) -> np.ndarray:
    """Returns compounded over calendar months, by a plain loop."""
    wealth: dict[tuple[int, int], float] = {}
    for day, value in returns.items():
        key = (day.year, day.month)
        wealth[key] = wealth.get(key, 1.0) * (1.0 + value)
    return np.array(list(wealth.values())) - 1.0


def test_every_definition_of_every_quantity_is_measured(measured) -> None:
    every = {name for quantity in QUANTITIES.values() for name in quantity.definitions}
    assert {name for name, _, _ in measured} == every


def test_figures_per_bar_are_those_of_the_evaluation(measured, figures) -> None:
    for name, own in figures.items():
        for key in ("cagr", "volatility", "sharpe", "max_drawdown", "calmar", "turnover"):
            assert measured[key, name, ""] == own[key]


def test_monthly_figures_follow_from_compounded_months(measured, returns, figures) -> None:
    months = months_of(returns["gru"])
    assert len(months) == 18
    volatility = months.std(ddof=1) * math.sqrt(12)
    excess = months - (1.0 + RISK_FREE) ** (1.0 / 12.0) + 1.0
    path = np.concatenate([[1.0], np.cumprod(1.0 + months)])
    fall = (path / np.maximum.accumulate(path) - 1.0).min()
    cagr = figures["gru"]["cagr"]
    expected = {
        "volatility_monthly": volatility,
        "sharpe_monthly": excess.mean() / excess.std(ddof=1) * math.sqrt(12),
        "sharpe_cagr_monthly": (cagr - RISK_FREE) / volatility,
        "max_drawdown_monthly": fall,
        "calmar_monthly": cagr / abs(fall),
        "total_return": path[-1] - 1.0,
        "sharpe_cagr": (cagr - RISK_FREE) / figures["gru"]["volatility"],
    }
    for name, value in expected.items():
        assert measured[name, "gru", ""] == pytest.approx(value), name


def test_a_strategy_that_never_moves_has_no_ratios(measured) -> None:
    ratios = ("sharpe", "sharpe_cagr", "sharpe_monthly", "sharpe_cagr_monthly", "calmar_monthly")
    assert {name: measured[name, "still", ""] for name in ratios} == dict.fromkeys(ratios)
    assert measured["jobson_korkie_memmel", "still", "equal_weight"] is None
    assert measured["max_drawdown_monthly", "still", ""] == 0.0


def test_a_pair_asked_the_other_way_round_changes_its_sign(measured) -> None:
    for test in ("jobson_korkie_memmel", "ledoit_wolf"):
        one = measured[test, "gru", "equal_weight"]
        assert one is not None
        assert measured[test, "equal_weight", "gru"] == -one
    better = measured["sharpe", "gru", ""] > measured["sharpe", "equal_weight", ""]
    assert (measured["jobson_korkie_memmel", "gru", "equal_weight"] > 0.0) == better


def test_spreads_are_means_over_dates(measured) -> None:
    assert measured["predicted_spread", "gru", ""] == pytest.approx(0.02)
    assert measured["realised_spread", "gru", ""] == pytest.approx(0.055)
    assert measured["predicted_spread", "garch", ""] == 0.0


def test_forecasting_no_change_is_no_forecaster(measured) -> None:
    assert measured["r2_zero", "gru", ""] == 0.01
    assert measured["rank_ic", "gru", ""] is None
    assert "no_change" not in {owner for _, owner, _ in measured}


def test_a_group_that_a_strategy_never_held_weighs_nothing(measured) -> None:
    assert measured["mean_weight", "equal_weight", "bonds"] == 0.0
    assert measured["mean_weight", "gru", "bonds"] == 0.3
