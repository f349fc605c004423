"""What the strategies of a run of real size earned and held, from a fixed random generator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

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
