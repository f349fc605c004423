"""Searches that the ablation makes again: without Bayesian proposals, and without gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.regime_nas import (
    MAX_NODES,
    RegimeNasForecaster,
    cell_dimension,
)
from regime_nas_pipeline.networks.regime_net import BLOCKS, cell_edges
from regime_nas_pipeline.search.ledger import LEDGER_COLUMNS, ledger_rows
from regime_nas_pipeline.search.outer import best_trial
from regime_nas_pipeline.search.space import Options, Space
from regime_nas_pipeline.walkforward.candidates import Task, validation_dates
from regime_nas_pipeline.walkforward.tuning import tune


@dataclass(frozen=True)
class FoundAgain:
    """What a search of the ablation found.

    Attributes:
        parameters: Constructor arguments, as JSON values.
        facts: Its strategy, trials, best score, and gradient samples spent.
        trials: Its trials as ledger rows.
    """

    parameters: dict[str, Any]
    facts: dict[str, Any]
    trials: pd.DataFrame


def search_variant(
    task: Task,
    space: Space,
    found: Mapping[str, Any],
    variant: str,
    *,
    seed: int,
    cache: PieceCache,
    n_jobs: int = 1,
) -> FoundAgain:
    """Make a variant's own search, with the budget and the trials of the one that it replaces.

    ``no_bayesian_search`` has the forecaster's default macro choices in every trial and finds
    cells by gradient. ``no_gradient_search`` has the macro choices that were found, draws an
    operation for every edge, and spends the whole budget of a trial on training. Either keeps the
    trial with the lowest validation error.

    Args:
        task: Of the search that found the architecture; its strategy does not count.
        space: What that search could choose.
        found: Constructor arguments that it found.
        variant: One of the two.
        seed: Seed of the search.
        cache: Where finished trials are kept.
        n_jobs: Processes.

    Raises:
        ParameterError: The forecaster has no cells, or the variant needs no search.
    """
    if not issubclass(task.forecaster, RegimeNasForecaster):
        raise ParameterError(f"ablation: {task.forecaster.__name__} has no cells to search for.")
    if variant == "no_bayesian_search":
        fixed: dict[str, Any] = {}
        asked, chosen = _without_bayes(task), macro_space(space)
    elif variant == "no_gradient_search":
        fixed = {name: value for name, value in found.items() if name != "blocks"}
        asked = _without_gradient(task, fixed)
        chosen = {"nodes": Options(options=(len(found["blocks"][BLOCKS[0]]),))}
    else:
        raise ParameterError(f"ablation: variant '{variant}' needs no search.")
    trials, search_id = tune(asked, chosen, seed=seed, cache=cache, n_jobs=n_jobs, name=variant)
    best = best_trial(trials)
    rows = ledger_rows(
        trials,
        search_id=search_id,
        forecaster=variant,
        strategy=asked.search.strategy,
        dates=validation_dates(asked),
    )
    facts = {
        "search_id": search_id,
        "strategy": asked.search.strategy,
        "cells": asked.search.cell_search.method,
        "trials": len(trials),
        "score": best.outcome.score,
        "gradient_samples": sum(trial.outcome.gradient_samples for trial in trials),
    }
    return FoundAgain({**fixed, **best.outcome.parameters}, facts, rows)


def macro_space(space: Space) -> Space:
    """A space without the operations of single edges, which a gradient can find instead.

    Raises:
        ParameterError: Nothing is left to choose.
    """
    edges = {cell_dimension(*edge) for edge in cell_edges(MAX_NODES)}
    macro = {name: dimension for name, dimension in space.items() if name not in edges}
    if not macro:
        raise ParameterError(
            "ablation: the space of regime_nas holds operations alone; without Bayesian search "
            "nothing is left. Take no_bayesian_search out of ablation.variants."
        )
    return macro


def _without_bayes(task: Task) -> Task:
    cells = task.search.cell_search.model_copy(update={"method": "gradient"})
    update = {"strategy": "differentiable", "cell_search": cells}
    return replace(task, search=task.search.model_copy(update=update))


def _without_gradient(task: Task, fixed: Mapping[str, Any]) -> Task:
    cells = task.search.cell_search.model_copy(update={"method": "random"})
    # One candidate of macro choices: each trial differs by its seed, and so by its cells.
    update = {"strategy": "differentiable", "cell_search": cells}
    return replace(
        task,
        arguments={**task.arguments, **fixed},
        search=task.search.model_copy(update=update),
    )


def no_trials() -> pd.DataFrame:
    """An empty ledger, for an ablation that searches nothing again."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in LEDGER_COLUMNS.items()})
