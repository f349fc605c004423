"""A result set of the size and shape of a real run, made from a fixed random generator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.report import figures as draw

STRATEGIES = (
    "regime_nas",
    "gru",
    "transformer",
    "garch",
    "momentum",
    "equal_weight",
    "mvo_flat",
    "buy_and_hold",
)
FORECASTERS = STRATEGIES[:5]
NETWORKS = FORECASTERS[:3]
ASSETS = (
    "AAPL", "AMD", "BAC", "BBY", "CVX", "GE", "HD", "JNJ", "JPM", "KO",
    "LLY", "MRK", "MSFT", "PEP", "PFE", "PG", "RRC", "UNH", "WMT", "XOM",
)  # fmt: skip
BARS = 2014


@pytest.fixture(scope="session")
def dates() -> pd.DatetimeIndex:
    return pd.bdate_range("2015-01-02", periods=BARS, name="date")


@pytest.fixture(scope="session")
def strategy_returns(dates: pd.DatetimeIndex) -> pd.DataFrame:
    generator = np.random.default_rng(7)
    turbulence = 1.0 + 2.5 * np.exp(-(((np.arange(BARS) - 1320) / 45.0) ** 2))
    market = 0.0004 + 0.0095 * turbulence * generator.standard_normal(BARS)
    drift = dict(zip(STRATEGIES, np.array([9, 7, 3, 6, 8, 5, 1, 2]) * 1e-5, strict=True))
    own = {name: 0.0035 * generator.standard_normal(BARS) for name in STRATEGIES}
    return pd.DataFrame({n: drift[n] + market + own[n] for n in STRATEGIES}, index=dates)


@pytest.fixture(scope="session")
def regimes(dates: pd.DatetimeIndex) -> pd.DataFrame:
    generator = np.random.default_rng(11)
    steps = generator.standard_normal((BARS, 3)) * 0.5
    logits = pd.DataFrame(steps).ewm(halflife=25).mean().to_numpy() * 14.0
    logits[:, 0] += 5.0 * np.exp(-(((np.arange(BARS) - 1320) / 60.0) ** 2)) - 0.8
    weights = np.exp(logits)
    table = weights / weights.sum(axis=1, keepdims=True)
    return pd.DataFrame(table, index=dates, columns=["volatile", "trend", "range"])


@pytest.fixture(scope="session")
def weights(dates: pd.DatetimeIndex) -> pd.DataFrame:
    generator = np.random.default_rng(13)
    rebalances = dates[::21]
    frames = []
    for name in STRATEGIES[:7]:
        target = generator.dirichlet(np.full(len(ASSETS), 0.4), size=len(rebalances))
        if name == "equal_weight":
            target = np.full_like(target, 1 / len(ASSETS))
        daily = np.repeat(target, 21, axis=0)[:BARS]
        wide = pd.DataFrame(daily, index=dates, columns=pd.Index(ASSETS, name="asset"))
        frames.append(wide.reset_index().melt("date", value_name="weight").assign(strategy=name))
    benchmark = pd.DataFrame(
        {"date": dates, "asset": "S&P 500", "weight": 1.0, "strategy": "buy_and_hold"}
    )
    return pd.concat([*frames, benchmark], ignore_index=True)


@pytest.fixture(scope="session")
def forecasts() -> dict[str, dict[str, Any]]:
    def measures(theil_u: float, r2: float, rank_ic: float, spread: float, **cost: Any) -> Any:
        accuracy = {"mae": 0.0561 * theil_u, "rmse": 0.0764 * theil_u, "r2": r2}
        return {
            **accuracy,
            "theil_u": theil_u,
            "rank_ic": rank_ic,
            "spread_ratio": spread,
            "epochs": None,
            "seconds": None,
            "parameters": None,
            **cost,
        }

    return {
        "regime_nas": measures(
            0.9978, 0.0021, 0.021, 0.11, epochs=14.2, seconds=88, parameters=11842
        ),
        "gru": measures(1.0042, -0.0107, 0.013, 0.15, epochs=11.0, seconds=61, parameters=9217),
        "transformer": measures(
            1.0094, -0.0211, -0.008, 0.19, epochs=9.3, seconds=147, parameters=21505
        ),
        "garch": measures(0.9991, -0.0004, 0.004, 0.03, seconds=19.4, parameters=120),
        "momentum": measures(1.0310, -0.0652, 0.017, 0.42, seconds=0.1, parameters=0),
    }


@pytest.fixture(scope="session")
def spreads(dates: pd.DatetimeIndex) -> pd.DataFrame:
    generator = np.random.default_rng(17)
    rebalances = dates[::21]
    realised = 0.055 * np.exp(0.35 * generator.standard_normal(len(rebalances)))
    level = dict(zip(FORECASTERS, (0.006, 0.008, 0.011, 0.002, 0.024), strict=True))
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "date": rebalances,
                    "forecaster": name,
                    "predicted_spread": level[name]
                    * np.exp(0.3 * generator.standard_normal(len(rebalances))),
                    "realised_spread": realised,
                }
            )
            for name in FORECASTERS
        ],
        ignore_index=True,
    )


@pytest.fixture(scope="session")
def bins() -> pd.DataFrame:
    generator = np.random.default_rng(19)
    rows = []
    for name, width in zip(FORECASTERS, (0.012, 0.014, 0.018, 0.005, 0.03), strict=True):
        for place, predicted in enumerate(np.linspace(-width, width, 10)):
            realised = 0.009 + 0.2 * predicted + 0.003 * generator.standard_normal()
            rows.append((name, place, predicted, realised, 192))
    return pd.DataFrame(rows, columns=["forecaster", "bin", "predicted", "realised", "count"])


@pytest.fixture(scope="session")
def seed_spreads(dates: pd.DatetimeIndex) -> pd.DataFrame:
    generator = np.random.default_rng(23)
    rebalances = dates[::21]
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "date": rebalances,
                    "forecaster": name,
                    "seed_spread": 0.004 * np.exp(0.3 * generator.standard_normal(len(rebalances))),
                }
            )
            for name in NETWORKS
        ],
        ignore_index=True,
    )


@pytest.fixture(scope="session")
def found() -> dict[str, Any]:
    def block(*operations: str) -> list[dict[str, Any]]:
        chosen = iter(operations)
        return [
            {
                "node": node,
                "edges": [
                    {"from": source, "operation": next(chosen)}
                    for source in ("input", *map(str, range(1, node)))
                ],
            }
            for node in (1, 2, 3)
        ]

    return {
        "blocks": {
            "evidence": block(
                "absolute", "squared", "none", "lag_product", "convolution", "identity"
            ),
            "volatility": block(
                "squared", "none", "volatility_scaling", "gru", "identity", "linear"
            ),
            "trend": block(
                "average_difference", "lag_product", "running_sum", "none", "convolution", "gru"
            ),
            "range": block(
                "z_score", "mean_deviation", "cross_sectional_mean", "linear", "none",
                "self_attention",
            ),
        },
        "head": "gru",
        "width": 16,
        "lookback": 63,
        "timeframes": [1, 5, 21],
        "attention_heads": 2,
        "dropout": 0.13,
        "learning_rate": 0.00187,
        "weight_decay": 1.2e-5,
        "objective": {"smoothness_weight": 0.01, "label_weight": 0.1},
    }  # fmt: skip


@pytest.fixture(scope="session")
def trials() -> pd.DataFrame:
    generator = np.random.default_rng(29)
    rows = []
    for name in NETWORKS:
        for trial in range(20):
            failed = name == "transformer" and trial in {4, 11}
            score = 1.002 + 0.02 * generator.exponential() * 0.93**trial
            state = "FAIL" if failed else "COMPLETE"
            strategy = "random" if trial < 6 else "bayesian"
            rows.append((name, trial, np.nan if failed else score, 5000, state, strategy))
    columns = ["forecaster", "trial", "score", "budget_spent", "state", "strategy"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture(scope="session")
def front() -> pd.DataFrame:
    """Twenty trials: the smaller, the worse; every other one has no certified constant."""
    generator = np.random.default_rng(37)
    size = np.sort(generator.integers(2_000, 30_000, 20))
    error = 1.02 - 0.04 * np.linspace(0, 1, 20) + 0.004 * generator.standard_normal(20)
    bound = 40.0 * np.exp(generator.standard_normal(20))
    bound[::2] = np.nan
    lowest = np.minimum.accumulate(error)
    return pd.DataFrame(
        {
            "trial_id": [f"abc-{number:04d}" for number in range(20)],
            "number": range(20),
            "error": error,
            "parameters": size.astype(float),
            "latency": 0.4 + size / 20_000,
            "lipschitz": bound,
            "on_front": error <= lowest,
            "choices": [f'{{"head": "gru", "width": {w}}}' for w in size % 7],
        }
    )


@pytest.fixture(scope="session")
def search() -> dict[str, Any]:
    """What the three searches of a run found and spent, with an earlier run in the ledger."""
    return {
        "trials": 60,
        "trials_in_ledger": 141,
        "forecasters": {
            name: {
                "search_strategy": "bayesian",
                "trials": 20,
                "trials_in_ledger": 47,
                "best_trial": 11,
                "best_score": score,
                "budget": 100_000,
                "budget_spent": 99_400,
                "last_date_seen": "2014-12-31",
            }
            for name, score in zip(NETWORKS, (0.98712, 1.00213, 0.9991), strict=True)
        },
        "cells": {
            "regime_nas": {
                "alpha_steps": 25,
                "entropy": 0.676,
                "mixture_error": 1.0419,
                "discrete_error": 1.0416,
                "discretisation_gap": -0.0003,
                "skip_share": 0.1111,
                "epochs": 3.0,
                "parameters": 19445,
            }
        },
    }


@pytest.fixture(scope="session")
def summary(strategy_returns: pd.DataFrame, forecasts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    def measures(returns: pd.Series, number: int) -> dict[str, Any]:
        wealth = (1.0 + returns).cumprod()
        cagr = wealth.iloc[-1] ** (252 / len(returns)) - 1.0
        worst = (wealth / wealth.cummax() - 1.0).min()
        sharpe = (returns.mean() - 0.00006) / returns.std() * 252**0.5
        return {
            "cagr": cagr,
            "volatility": returns.std() * 252**0.5,
            "sharpe": sharpe,
            "sortino": sharpe * 1.4,
            "max_drawdown": worst,
            "calmar": cagr / -worst,
            "turnover": max(0.0, 0.62 - 0.09 * number),
            "cost_drag": max(0.0, 0.0078 - 0.0011 * number),
            "n_fallbacks": 3 if number == 2 else 0,
        }

    return {
        "run": {"env": "base", "git_sha": "3f1c9d2", "seed": 42, "started": "2025-01-05T09:30:00"},
        "sample": {
            "first_oos": "2015-01-02",
            "last_oos": "2022-12-28",
            "n_rebalances": 96,
            "n_refits": 16,
            "n_assets": 20,
            "bars_per_year": 252,
            "risk_free": 0.015,
        },
        "strategies": {
            name: measures(strategy_returns[name], number) for number, name in enumerate(STRATEGIES)
        },
        "forecasts": forecasts,
    }


@pytest.fixture(scope="session")
def tables(summary: dict[str, Any]) -> dict[str, pd.DataFrame]:
    generator = np.random.default_rng(31)
    tests = [
        {
            "strategy": name,
            "versus": versus,
            "difference": 0.3 * generator.standard_normal(),
            "statistic": generator.standard_normal(),
            "p_value": generator.uniform(0.02, 0.9),
            "p_holm": generator.uniform(0.4, 1.0),
        }
        for versus in ("equal_weight", "momentum")
        for name in FORECASTERS
        if name != versus
    ]
    periods = [
        {"period": period, "strategy": name, "cagr": generator.normal(0.1, 0.08), "sharpe": 0.6}
        for period in ("2015-2016", "2017-2018", "2019-2020", "2021-2022")
        for name in STRATEGIES
    ]
    states = [
        {"regime": regime, "share": share, "strategy": name, "cagr": 0.08, "volatility": 0.17}
        for regime, share in (("volatile", 0.22), ("trend", 0.41), ("range", 0.37))
        for name in ("regime_nas", "momentum", "equal_weight")
    ]
    return {
        "significance": pd.DataFrame(tests),
        "sub_periods": pd.DataFrame(periods),
        "per_regime": pd.DataFrame(states),
    }


@pytest.fixture(scope="session")
def quality() -> dict[str, Any]:
    def asset(number: int) -> dict[str, Any]:
        return {
            "rows": 8313,
            "first": "1990-01-02",
            "last": "2022-12-28",
            "filled_gaps": {"count": number % 3, "longest": number % 3, "bars": number % 3},
            "stale_runs": {"count": number % 2, "longest": 5 * (number % 2), "first_date": None},
            "jumps": {"count": 0, "dates": []},
            "zero_volume_bars": None,
        }

    return {
        "source": "skfolio",
        "assets": {name: asset(number) for number, name in enumerate(ASSETS)},
        "totals": {"assets": 20, "rows": 166260, "first": "1990-01-02", "last": "2022-12-28"},
        "notes": [
            {
                "kind": "zero_volume",
                "message": "No volume in this source.",
                "asset": "RRC",
                "count": 3,
            }
        ],
    }


@pytest.fixture(scope="session")
def manifest() -> dict[str, Any]:
    return {
        "git_sha": "3f1c9d2a7b",
        "data_sha256": "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab",
        "seed": 42,
        "env": "base",
        "versions": {"python": "3.11.9", "torch": "2.13.0", "pandas": "3.1.0", "optuna": "5.0.1"},
        "seconds": {"ingestion": 1.3, "regime_labelling": 9.8, "nas_search": 141.2},
    }


@pytest.fixture(scope="session")
def limits() -> list[str]:
    return [
        "The assets were chosen because they exist today, so all results are survivor-biased. "
        "Every strategy gains from this, and equal weight no less than the others.",
        "There are only shares, and no bonds or commodities, to hide in.",
        "The benchmark is a price index without dividends. Holders earned some 2 % a year more.",
    ]


@pytest.fixture(scope="session")
def all_figures(
    *,
    strategy_returns: pd.DataFrame,
    regimes: pd.DataFrame,
    weights: pd.DataFrame,
    forecasts: dict[str, dict[str, Any]],
    spreads: pd.DataFrame,
    bins: pd.DataFrame,
    seed_spreads: pd.DataFrame,
    found: dict[str, Any],
    trials: pd.DataFrame,
    front: pd.DataFrame,
) -> dict[str, Any]:
    level = 2058.2 * (1.0 + strategy_returns["buy_and_hold"]).cumprod().rename("S&P 500")
    return {
        "equity_curves": draw.equity_curves(strategy_returns),
        "drawdowns": draw.drawdowns(strategy_returns),
        "rolling_sharpe": draw.rolling_sharpe(strategy_returns, regimes, 252, 0.015),
        "regime_history": draw.regime_history(level, regimes),
        "weights_over_time": draw.weights_over_time(weights),
        "forecast_accuracy": draw.forecast_accuracy(forecasts),
        "spread_calibration": draw.spread_calibration(spreads),
        "reliability": draw.reliability(bins),
        "seed_spread": draw.seed_spread(seed_spreads),
        "architecture": draw.architecture(found),
        "search_progress": draw.search_progress(trials),
        "pareto_front": draw.pareto_front(front),
    }


@pytest.fixture
def report_parts(
    *,
    summary: dict[str, Any],
    tables: dict[str, pd.DataFrame],
    all_figures: dict[str, Any],
    quality: dict[str, Any],
    manifest: dict[str, Any],
    found: dict[str, Any],
    search: dict[str, Any],
    limits: list[str],
) -> dict[str, Any]:
    """Keyword arguments of ``render_report``; a test may change its copy."""
    headline = (
        "RegimeNAS did not earn more than momentum after costs: Sharpe 0.51 against 0.55, Holm "
        "p = 0.81. Its forecasts beat no change by a hair, which after 60 trials may be luck."
    )
    return {
        "headline": headline,
        "summary": summary,
        "tables": dict(tables),
        "figures": dict(all_figures),
        "quality": quality,
        "manifest": manifest,
        "architecture": found,
        "search": search,
        "limits": limits,
    }
