"""A small evaluation, made by the evaluation itself, so that its tables have their real shape."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import random_walk_market, with_listing
from regime_nas_pipeline.portfolio.allocate import MaximumSharpe, MinimumVariance
from regime_nas_pipeline.walkforward.deciding import TradingRules
from regime_nas_pipeline.walkforward.evaluation import (
    StrategyResults,
    decision_dates,
    run_strategies,
)
from regime_nas_pipeline.walkforward.folds import make_folds

COST_BPS = 20.0


@pytest.fixture(scope="session")
def market() -> Market:
    """Six assets: one is listed late, one ends between two rebalances of the evaluated part."""
    walks = random_walk_market(n_assets=6, n_bars=300, drift=0.0004, seed=5)
    scale = np.array([1.0, 0.5, 2.0, 1.5, 0.8, 1.2])
    walks = dataclasses.replace(walks, close=100 * (walks.close / 100) ** scale, min_history=60)
    return with_listing(walks, first_bar={"A05": 190}, last_bar={"A02": 247})


@pytest.fixture(scope="session")
def returns(market: Market) -> pd.DataFrame:
    """Simple returns of the assets and the benchmark, date x name."""
    closes = pd.DataFrame(market.close, index=market.dates, columns=list(market.assets))
    return closes.assign(**{market.benchmark_name: market.benchmark}).pct_change(fill_method=None)


@pytest.fixture(scope="session")
def results(market: Market) -> StrategyResults:
    """A skilled forecaster, one that gives up at every second decision, one that always does."""
    return evaluate(market, COST_BPS)


def evaluate(market: Market, cost_bps: float) -> StrategyResults:
    folds = make_folds(
        market, first_oos=market.dates[200], refit_every=30, rebalance_every=12, execution_lag=1
    )
    dates = decision_dates(folds)
    rows = market.dates.get_indexer(dates)
    generator = np.random.default_rng(2)
    target = np.nan_to_num(market.target(5, 1)[rows])
    turns = np.where(np.arange(len(dates)) % 2 == 0, -0.05, 0.0)[:, None]
    means = {
        "skilled": target + generator.normal(0, 0.01, target.shape),
        "wavering": generator.normal(0.002, 0.01, target.shape) + turns,
        "hopeless": np.full(target.shape, -0.05),
    }
    forecasts = {}
    for name, mean in means.items():
        known = np.where(market.eligible[rows], mean, np.nan)
        wide = pd.DataFrame(known, index=dates, columns=list(market.assets))
        tidy = wide.reset_index().melt(id_vars="date", var_name="asset", value_name="mean")
        forecasts[name] = tidy.dropna().assign(volatility=0.03, seed_spread=np.nan)
    return run_strategies(
        market,
        folds,
        forecasts,
        allocator=MaximumSharpe(0.4),
        minimum_variance=MinimumVariance(0.4),
        rules=TradingRules(horizon=5, execution_lag=1, cost_bps=cost_bps, risk_free=0.03),
    )


@pytest.fixture(scope="session")
def rerun(market: Market):
    """The same evaluation at another cost."""
    return lambda cost_bps: evaluate(market, cost_bps)
