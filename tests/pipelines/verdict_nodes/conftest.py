"""A small evaluation and its searches, made by the nodes and rules that a run uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from verdict_datasets import FORECASTERS, SEARCHED, costs_of, recorded_of, sources_of

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.pipelines.common import allocator_of, folds_of, market_of, rules_of
from regime_nas_pipeline.pipelines.verdict.nodes import compare_all, conclude, count_trials
from regime_nas_pipeline.pipelines.walk_forward_evaluation.nodes import trade_strategies
from regime_nas_pipeline.search.ledger import hash_of_closes, ledger_rows
from regime_nas_pipeline.search.outer import Outcome, Proposal, Trial
from regime_nas_pipeline.walkforward.deciding import choices_at
from regime_nas_pipeline.walkforward.evaluation import decision_dates
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    Portfolio,
    Search,
    Universe,
    WalkForward,
)
from regime_nas_pipeline.walkforward.trading import trade
from regime_nas_pipeline.walkforward.tuning import plan_validation
from regime_nas_pipeline.walkforward.verdict_parameters import Verdict

N_TRIALS = 4
Compared = tuple[pd.DataFrame, pd.DataFrame, list[str]]
Counted = tuple[pd.DataFrame, dict[str, Any]]


@dataclass(frozen=True)
class Settings:
    """The blocks of parameters, by the names that nodes give them."""

    universe: Universe
    walk_forward: WalkForward
    portfolio: Portfolio
    search: Search
    compute: Compute
    verdict: Verdict

    def of(self, *names: str) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}


@pytest.fixture(scope="session")
def settings(small_market: Market) -> Settings:
    return Settings(
        Universe(benchmark="benchmark", min_history=60, bars_per_year=252),
        WalkForward(
            first_oos=small_market.dates[240].date(),
            horizon=5,
            execution_lag=1,
            refit_every=60,
            rebalance_every=10,
        ),
        Portfolio(
            allocator={"class": "regime_nas_pipeline.portfolio.allocate.MaximumSharpe"},
            max_weight=0.4,
            cost_bps=7.0,
            risk_free=0.01,
        ),
        Search(
            strategy="random",
            budget=100,
            trials=N_TRIALS,
            start_up=1,
            exploration=0.1,
            batch=1,
            validation_fraction=0.4,
            cell_search={"method": "random"},
        ),
        Compute(seed=1, n_jobs=1),
        Verdict(
            resamples=99,
            n_blocks=4,
            costs_bps=[0, 5, 50],
            capacity={"portfolio_value": 1e6},
            groups={"A00": "north", "A01": "north", "A02": "south", "benchmark": "index"},
        ),
    )


@pytest.fixture(scope="session")
def prices(small_market: Market) -> pd.DataFrame:
    # Assets of different volatility, so that minimum variance is not equal weight again.
    scaled = (small_market.close / 100.0) ** np.array([1.0, 0.5, 2.0, 1.5, 0.8])
    closes = pd.DataFrame(
        100.0 * scaled, index=small_market.dates, columns=list(small_market.assets)
    ).assign(benchmark=small_market.benchmark)
    dated = closes.rename_axis(index="date").reset_index()
    return dated.melt(id_vars="date", var_name="asset", value_name="close")


@pytest.fixture(scope="session")
def forecasts(prices: pd.DataFrame, settings: Settings) -> dict[str, pd.DataFrame]:
    """Forecasts of some skill, of less, and of none."""
    market = market_of(prices, settings.universe)
    dates = decision_dates(folds_of(market, settings.walk_forward))
    target = np.nan_to_num(market.target(5, 1)[market.dates.get_indexer(dates)])
    generator = np.random.default_rng(12)
    tables = {}
    for name, skill in zip(FORECASTERS, (0.9, 0.3, 0.0), strict=True):
        mean = skill * target + generator.normal(0.002, 0.01, target.shape)
        wide = pd.DataFrame(mean, index=dates, columns=list(market.assets))
        dated = wide.rename_axis(index="date").reset_index()
        tidy = dated.melt(id_vars="date", var_name="asset", value_name="mean")
        tables[name] = tidy.assign(volatility=0.03, seed_spread=np.nan)
    # One network is the average of two seeds.
    apart = np.random.default_rng(13).normal(0.0, 0.01, len(tables["gru"]))
    mean = tables["gru"]["mean"]
    tables["gru"] = tables["gru"].assign(seed_1=mean + apart, seed_2=mean - apart)
    return tables


@pytest.fixture(scope="session")
def traded(
    prices: pd.DataFrame, settings: Settings, forecasts: dict[str, pd.DataFrame]
) -> dict[str, Any]:
    """Datasets of the evaluation by name."""
    names = ["weights", "strategy_returns", "gross_returns", "figures", "decisions"]
    made = trade_strategies(
        prices, **settings.of("universe", "walk_forward", "portfolio"), **forecasts
    )
    return dict(zip([*names, "contributions"], made, strict=True))


@pytest.fixture(scope="session")
def recorded(prices, settings, traded, forecasts) -> dict[str, pd.DataFrame]:
    """What is written down of the evaluation: returns of seeds, and ledger rows."""
    return recorded_of(prices, traded["strategy_returns"], settings, forecasts)


@pytest.fixture(scope="session")
def searches(
    prices: pd.DataFrame, settings: Settings
) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """The ledger of two searches whose candidates forecast at random, and what they chose."""
    market = market_of(prices, settings.universe)
    known = market.until(folds_of(market, settings.walk_forward)[0].train_end)
    plan = plan_validation(known, fraction=0.4, rebalance_every=10, horizon=5, execution_lag=1)
    rules, allocator = (
        rules_of(settings.walk_forward, settings.portfolio),
        allocator_of(settings.portfolio),
    )
    choices = choices_at(known, plan.decisions, rules.horizon)
    generator = np.random.default_rng(21)
    tables, found = [], {}
    for name in SEARCHED:
        trials = []
        for number in range(N_TRIALS):
            mean = generator.normal(0.002, 0.01, (len(plan.decisions), len(known.assets)))
            path = trade(known, choices, allocator, rules, mean).backtest
            outcome = Outcome(0.9 + 0.01 * number, {}, 10, path.net.to_numpy())
            trials.append(Trial(Proposal(number, number, {}), outcome))
        search_id = name.encode().hex().ljust(64, "0")
        table = ledger_rows(
            trials,
            search_id=search_id,
            forecaster=name,
            strategy="random",
            dates=pd.DatetimeIndex(path.net.index),
            closes_hash=hash_of_closes(known),
        )
        tables.append(table)
        found[name] = {"search": {"search_id": search_id, "best_trial": 0}}
    return pd.concat(tables, ignore_index=True), found


@pytest.fixture(scope="session")
def asked(prices, settings, traded, forecasts) -> dict[str, Any]:
    blocks = settings.of("universe", "walk_forward", "portfolio", "compute", "verdict")
    return {
        "prices": prices,
        "strategy_returns": traded["strategy_returns"],
        **blocks,
        **forecasts,
    }


@pytest.fixture(scope="session")
def compared(asked) -> Compared:
    return compare_all(**asked)


@pytest.fixture(scope="session")
def counting(prices, settings, traded, recorded, searches) -> dict[str, Any]:
    ledger, found = searches
    blocks = settings.of("universe", "walk_forward", "portfolio", "search", "compute", "verdict")
    return {
        "prices": prices,
        "strategy_returns": traded["strategy_returns"],
        **recorded,
        "search_trials": ledger,
        **blocks,
        **found,
    }


@pytest.fixture(scope="session")
def counted(counting) -> Counted:
    return count_trials(**counting)


@pytest.fixture(scope="session")
def costs(prices, settings, traded) -> dict[str, pd.DataFrame]:
    return costs_of(prices, settings, traded)


@pytest.fixture(scope="session")
def sources(prices, settings, traded) -> dict[str, pd.DataFrame]:
    return sources_of(prices, settings, traded)


@pytest.fixture(scope="session")
def verdict(prices, settings, traded, compared, counted, costs) -> dict[str, Any]:
    return conclude(
        traded["strategy_returns"],
        *compared[:2],
        *counted,
        costs["break_even_costs"],
        settings.verdict,
        settings.universe,
        prices,
    )
