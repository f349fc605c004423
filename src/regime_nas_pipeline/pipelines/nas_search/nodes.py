"""Nodes of the search pipeline."""

from __future__ import annotations

from typing import Any

import pandas as pd

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.params import load_class
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.pipelines.common import allocator_of, folds_of, market_of, rules_of
from regime_nas_pipeline.search.front import front_table
from regime_nas_pipeline.search.ledger import hash_of_closes, ledger_rows
from regime_nas_pipeline.search.outer import best_trial
from regime_nas_pipeline.walkforward.building import Shared, forecaster_arguments
from regime_nas_pipeline.walkforward.candidates import Task, Trading, validation_dates
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    ForecasterChoice,
    Portfolio,
    Search,
    SearchSpace,
    Training,
    Universe,
    WalkForward,
)
from regime_nas_pipeline.walkforward.tuning import plan_validation, search_facts, tune


def search_forecaster(
    prices: pd.DataFrame,
    regimes: pd.DataFrame,
    cache: PieceCache,
    forecaster: ForecasterChoice,
    space: SearchSpace,
    search: Search,
    universe: Universe,
    walk_forward: WalkForward,
    training: Training,
    portfolio: Portfolio,
    compute: Compute,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Search one forecaster's space on the data before the first out-of-sample day.

    Returns:
        What was found (constructor arguments, and how they were found) and every trial.
    """
    market = market_of(prices, universe, regimes)
    known = market.until(folds_of(market, walk_forward)[0].train_end).listed()
    task = Task(
        forecaster=load_class(forecaster.class_path, NeuralForecaster),
        arguments=forecaster_arguments(forecaster, Shared(walk_forward, training, compute)),
        market=known,
        validation=plan_validation(
            known,
            fraction=search.validation_fraction,
            rebalance_every=walk_forward.rebalance_every,
            horizon=walk_forward.horizon,
            execution_lag=walk_forward.execution_lag,
        ),
        search=search,
        trading=Trading(allocator_of(portfolio), rules_of(walk_forward, portfolio)),
    )
    trials, search_id = tune(
        task,
        space.root,
        seed=compute.seed,
        cache=cache,
        n_jobs=compute.n_jobs,
        name=f"search {task.forecaster.__name__}",
    )
    found = {
        "parameters": best_trial(trials).outcome.parameters,
        "search": search_facts(trials, search_id, task),
    }
    rows = ledger_rows(
        trials,
        search_id=search_id,
        forecaster=task.forecaster.__name__,
        strategy=search.strategy,
        dates=validation_dates(task),
        closes_hash=hash_of_closes(known),
    )
    return found, rows


def collect_trials(**trials: pd.DataFrame) -> pd.DataFrame:
    """All trials of this run under the names of their forecasters."""
    return pd.concat(
        [table.assign(forecaster=name) for name, table in trials.items()], ignore_index=True
    )


def find_front(trials: pd.DataFrame) -> pd.DataFrame:
    """The objectives of the trials of one search, and which of them are on the Pareto front."""
    return front_table(trials)
