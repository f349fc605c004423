"""What the verdict's pipeline hands to the report, mostly made by the functions it calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from trading_fixtures import ASSETS, FORECASTERS, NETWORKS, STRATEGIES

from regime_nas_pipeline.portfolio.economics.capacity import trading_figures
from regime_nas_pipeline.portfolio.economics.costs import break_even_costs, sharpe_by_cost
from regime_nas_pipeline.portfolio.economics.exposures import (
    benchmark_regressions,
    group_exposures,
)
from regime_nas_pipeline.portfolio.economics.periods import figures_by_crisis, figures_by_year
from regime_nas_pipeline.verdict.comparison import (
    ForecastLosses,
    comparison_table,
    comparison_words,
    superior_strategies,
)
from regime_nas_pipeline.verdict.detectable import detectable_differences
from regime_nas_pipeline.verdict.together import verdict_of
from regime_nas_pipeline.verdict.trials.counted import deflate_all, overfitting_by_search

YEAR = {"bars_per_year": 252, "risk_free": 0.015}
PUBLISHED = [
    {
        "title": "A paper",
        "source": "Journal 1(1)",
        "words": ["Ours are from other years."],
        "doubts": ["It counts 95 months in 74."],
        "figures": [
            {
                "quantity": "sharpe",
                "of": name,
                "beside": "",
                "published": 1.0,
                "ours": 0.5,
                "definition": "sharpe",
                "others": {"sharpe_cagr": 0.4, "sharpe_monthly": None, "sharpe_cagr_monthly": 0.3},
                "difference": -0.5,
                "reasons": ["Other years."],
            }
            for name in ("momentum", "equal_weight")
        ],
    }
]


@pytest.fixture(scope="session")
def comparisons(strategy_returns: pd.DataFrame, dates: pd.DatetimeIndex) -> dict[str, Any]:
    generator = np.random.default_rng(41)
    common = generator.standard_normal((96, 20))
    size = dict(zip(FORECASTERS, (0.1, 0.1, 0.3, 0.05, 0.6), strict=True))
    losses = {
        name: pd.DataFrame(
            (common + size[name] * generator.standard_normal((96, 20))) ** 2, index=dates[::21]
        )
        for name in FORECASTERS
    }
    forecasts = ForecastLosses(losses, ["momentum"], horizon=21, every=21)
    tests = comparison_table(
        strategy_returns, ["equal_weight", "momentum"], **YEAR, forecasts=forecasts, n_resamples=49
    )
    both = [
        superior_strategies(strategy_returns, "equal_weight", measure=measure, n_resamples=49)
        for measure in ("mean", "sharpe")
    ]
    return {
        "comparison_tests": tests,
        "superior_strategies": pd.concat(both, ignore_index=True),
        "comparison_words": comparison_words(tests, both[1]),
    }


@pytest.fixture(scope="session")
def counted(strategy_returns: pd.DataFrame) -> dict[str, Any]:
    generator = np.random.default_rng(43)
    names = pd.Series({f"{name}-{number}": name for name in NETWORKS for number in range(8)})
    trials = pd.DataFrame(0.004 * generator.standard_normal((400, 24)), columns=names.index)
    chosen = {name: f"{name}-0" for name in NETWORKS}
    return {
        "deflated_sharpes": deflate_all(strategy_returns, trials, chosen, **YEAR),
        "overfitting": {
            **overfitting_by_search(trials, names, n_blocks=10),
            "reference": "equal_weight",
            "first": "2012-01-03",
            "last": "2014-12-31",
            "n_in_ledger": 1030,
            "n_trials_counted": 24,
            "n_this_run": 16,
            "n_effective": 21,
            "left_out": {"on other prices": 1003, "without portfolio returns": 3, "on rain": 0},
            "out_of_sample": {
                "n_in_ledger": 21,
                "n_trials_counted": 17,
                "n_strategies": 8,
                "n_seeds": 4,
                "n_earlier": 5,
                "n_copies": 1,
                "n_effective": 9,
                "left_out": {"on other prices": 3, "on other dates": 0},
                "origins": {
                    "this_run": {
                        "n_in_ledger": 12,
                        "n_trials_counted": 12,
                        "n_copies": 0,
                        "left_out": {"on other prices": 0, "on other dates": 0},
                    },
                    "ablation": {
                        "n_in_ledger": 9,
                        "n_trials_counted": 5,
                        "n_copies": 1,
                        "left_out": {"on other prices": 3, "on other dates": 0},
                    },
                },
                "probability": 0.45,
            },
        },
    }


@pytest.fixture(scope="session")
def economics(strategy_returns: pd.DataFrame, dates: pd.DatetimeIndex) -> dict[str, Any]:
    generator = np.random.default_rng(47)
    traded = dict(zip(STRATEGIES, (0.5, 0.9, 1.2, 0.3, 1.5, 0.05, 0.1, 0.0), strict=True))
    trades = pd.DataFrame(
        [
            (name, date, asset, traded[name] / 20.0 * generator.choice((-1.0, 1.0)))
            for name in STRATEGIES[:7]
            for date in dates[::21]
            for asset in ASSETS
        ],
        columns=["strategy", "date", "asset", "traded"],
    )
    is_trade = np.arange(len(dates)) % 21 == 0
    notional = pd.DataFrame(
        {name: np.where(is_trade, traded[name], 0.0) for name in STRATEGIES}, index=dates
    )
    contributions = pd.DataFrame(
        [
            (name, asset, 0.05, generator.normal(0.03, 0.03))
            for name in STRATEGIES[:7]
            for asset in ASSETS
        ],
        columns=["strategy", "asset", "mean_weight", "contribution"],
    )
    groups = dict.fromkeys(ASSETS[:8], "Industry & energy") | dict.fromkeys(ASSETS[8:16], "Health")
    periods = [
        figures_by_year(strategy_returns, **YEAR),
        figures_by_crisis(strategy_returns, **YEAR),
    ]
    return {
        "cost_curve": sharpe_by_cost(strategy_returns, notional, range(0, 101, 2), **YEAR),
        "break_even_costs": break_even_costs(strategy_returns, notional, **YEAR),
        "trading_figures": trading_figures(trades, len(dates), bars_per_year=252),
        "participation": _participation(dates),
        "crises": pd.concat(periods, ignore_index=True),
        "group_exposures": group_exposures(contributions, groups),
        "benchmark_regressions": benchmark_regressions(
            strategy_returns, **YEAR, benchmarks=["buy_and_hold", "equal_weight"]
        ),
    }


def _participation(dates: pd.DatetimeIndex) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "strategy": STRATEGIES[:7],
            "binding_asset": "RRC",
            "n_trades": 1920,
            "n_unknown": 3,
            "mean_participation": 0.0004,
            "max_participation": 0.0132,
            "date": dates[63],
            "share_within": 1.0,
            "reason": "",
            "capacity": np.linspace(7.6e7, 9.1e8, 7),
        }
    )


@pytest.fixture(scope="session")
def attribution() -> dict[str, pd.DataFrame]:
    """Three tables whose rows add up as those of a real split do."""
    generator = np.random.default_rng(53)

    def split(**head: Any) -> dict[str, Any]:
        parts = dict(
            zip(("selection", "fallback", "costs"), generator.normal(0, 0.02, 3), strict=True)
        )
        parts["costs"] = -abs(parts["costs"]) / 4.0
        whole = {"difference": sum(parts.values()), "bars": 2014, "fallback_bars": 210}
        return {**head, "reference": "mvo_flat", **parts, **whole}

    years = range(2015, 2023)
    return {
        "attribution": pd.DataFrame([split(strategy=name) for name in FORECASTERS]),
        "attribution_by_year": pd.DataFrame(
            [split(strategy=name, year=year) for name in FORECASTERS for year in years]
        ),
        "attribution_by_asset": pd.DataFrame(
            [
                (name, asset, generator.normal(0.0, 0.004), 0.0)
                for name in FORECASTERS
                for asset in ASSETS
            ],
            columns=["strategy", "asset", "selection", "fallback"],
        ),
    }


@pytest.fixture(scope="session")
def verdict(
    strategy_returns: pd.DataFrame,
    comparisons: dict[str, Any],
    counted: dict[str, Any],
    economics: dict[str, Any],
    attribution: dict[str, pd.DataFrame],
) -> dict[str, Any]:
    """Dataset to content."""
    results = {**comparisons, **counted, **economics, **attribution}
    read = ("comparison_tests", "superior_strategies", "deflated_sharpes", "overfitting")
    detectable = detectable_differences(
        results["comparison_tests"], strategy_returns, bars_per_year=252, level=0.05
    )
    answers = verdict_of(
        list(STRATEGIES),
        **{name: results[name] for name in read},
        break_even_costs=results["break_even_costs"],
        detectable=detectable,
        level=0.05,
    )
    return {**results, "verdict": answers, "published_figures": PUBLISHED}
