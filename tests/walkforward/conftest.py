"""A market with a late and an ending asset, its folds, and forecasts of three kinds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from forecast_tables import forecast_table
from strategy_runs import run
from tuning_tasks import SpyGRU

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import random_walk_market, with_listing
from regime_nas_pipeline.walkforward.evaluation import StrategyResults, decision_dates
from regime_nas_pipeline.walkforward.folds import Fold, make_folds


@pytest.fixture(scope="module")
def market() -> Market:
    """Six assets: one is listed late, one ends between two rebalances of the evaluated part."""
    walks = random_walk_market(n_assets=6, n_bars=300, drift=0.0004, seed=5)
    scale = np.array([1.0, 0.5, 2.0, 1.5, 0.8, 1.2])
    walks = dataclasses.replace(walks, close=100 * (walks.close / 100) ** scale, min_history=60)
    return with_listing(walks, first_bar={"A05": 190}, last_bar={"A02": 247})


@pytest.fixture(scope="module")
def folds(market: Market) -> list[Fold]:
    return make_folds(
        market,
        first_oos=market.dates[200],
        refit_every=30,
        rebalance_every=12,
        execution_lag=1,
    )


@pytest.fixture(scope="module")
def forecasts(market: Market, folds: list[Fold]) -> dict[str, pd.DataFrame]:
    dates = decision_dates(folds)
    rows = market.dates.get_indexer(dates)
    generator = np.random.default_rng(2)
    target = np.nan_to_num(market.target(5, 1)[rows])
    means = {
        "skilled": target + generator.normal(0, 0.01, target.shape),
        "clueless": generator.normal(0.002, 0.02, target.shape),
        "hopeless": np.full(target.shape, -0.05),
    }
    return {
        name: forecast_table(np.where(market.eligible[rows], mean, np.nan), market, dates)
        for name, mean in means.items()
    }


@pytest.fixture(scope="module")
def results(
    market: Market, folds: list[Fold], forecasts: dict[str, pd.DataFrame]
) -> StrategyResults:
    """Every strategy and reference portfolio on these forecasts."""
    return run(market, folds, forecasts)


@pytest.fixture(scope="module")
def known(labelled_market: Market) -> Market:
    """What is known before the first out-of-sample day."""
    return labelled_market.until(labelled_market.dates[339])


@pytest.fixture
def nothing_handed_yet() -> Iterator[None]:
    """The spy's memory, empty before and after a test."""
    for memory in (SpyGRU.fitted, SpyGRU.asked):
        memory.clear()
    yield
    for memory in (SpyGRU.fitted, SpyGRU.asked):
        memory.clear()
