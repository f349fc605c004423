"""Nodes of the training pipeline."""

from __future__ import annotations

from typing import Any

import pandas as pd

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.pipelines.common import folds_of, market_of
from regime_nas_pipeline.walkforward.building import Shared, build_forecaster
from regime_nas_pipeline.walkforward.forecasts import walk_forward as walk
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    ForecasterChoice,
    Training,
    Universe,
    WalkForward,
)


def train_forecaster(
    prices: pd.DataFrame,
    regimes: pd.DataFrame,
    cache: PieceCache,
    forecaster: ForecasterChoice,
    universe: Universe,
    walk_forward: WalkForward,
    training: Training,
    compute: Compute,
) -> tuple[pd.DataFrame, Bundle, list[dict[str, Any]]]:
    """Fit at every refit and forecast every decision date.

    Returns:
        Forecasts, checkpoints of every fold, training log.
    """
    nothing_found: dict[str, Any] = {"parameters": {}}
    return train_found_forecaster(
        prices,
        regimes,
        cache,
        nothing_found,
        forecaster,
        universe,
        walk_forward,
        training,
        compute,
    )


def train_found_forecaster(
    prices: pd.DataFrame,
    regimes: pd.DataFrame,
    cache: PieceCache,
    found: dict[str, Any],
    forecaster: ForecasterChoice,
    universe: Universe,
    walk_forward: WalkForward,
    training: Training,
    compute: Compute,
) -> tuple[pd.DataFrame, Bundle, list[dict[str, Any]]]:
    """The same with what the search found; see :func:`train_forecaster`."""
    market = market_of(prices, universe, regimes)
    result = walk(
        build_forecaster(forecaster, Shared(walk_forward, training, compute), found["parameters"]),
        market,
        folds_of(market, walk_forward),
        cache=cache,
        n_jobs=compute.n_jobs,
        name=forecaster.class_path.rpartition(".")[2],
    )
    return result.forecasts, result.checkpoints, result.log
