"""Attention of a walked Transformer forecaster, each fold's network on its own new windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.forecasters.inputs import scaled_target
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.forecasters.prediction import prediction_windows
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.attention_maps import one_asset_each
from regime_nas_pipeline.networks.training import resolve_device
from regime_nas_pipeline.networks.window_importance import squared_error
from regime_nas_pipeline.networks.windows import Batch
from regime_nas_pipeline.walkforward.attention_walks import (
    Shuffles,
    WalkInspection,
    network_piece,
    walk_inspection,
)
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.forecasts import WalkForwardForecasts

ONE_BY_ONE = "attention is read of networks that see assets one by one: pooled."
"""Why a joint network is refused."""


def inspect_walk(
    prototype: NeuralForecaster,
    walked: WalkForwardForecasts,
    market: Market,
    folds: Sequence[Fold],
    *,
    shuffles: Shuffles,
    level: float,
    cache: PieceCache,
    n_jobs: int = 1,
    name: str = "",
) -> WalkInspection:
    """Read the attention of every fold's first network on the windows of its decisions.

    Args:
        prototype: The forecaster that was walked, unfitted; pooled over assets.
        walked: What came of it.
        market: Prices, at least to the last target.
        folds: The folds of the walk.
        shuffles: How importance is measured.
        level: Coverage of the intervals.
        cache: Where finished folds are kept.
        n_jobs: Processes.
        name: What the progress bar says; no bar where empty.

    Raises:
        ParameterError: The network is joint, or has no Transformer encoder.
        DataError: A fold has fewer than two windows with a known target.
    """
    if prototype.mode != "pooled":
        raise ParameterError(ONE_BY_ONE)
    tasks = []
    for fold in folds:
        facts = walked.checkpoints.facts["folds"][fold.number]
        state = Bundle(walked.checkpoints.prefixed(f"fold{fold.number:02d}"), facts)
        ahead = prototype.execution_lag + prototype.horizon
        stop = market.position(fold.decisions[-1]) + ahead + 1
        known = replace(market.slice(0, stop), regimes=None, regime_names=())
        tasks.append((prototype, state, known, fold, shuffles, cache))
    pieces = parallel_map(_fold_piece, tasks, n_jobs=n_jobs, description=name, unit="fold")
    return walk_inspection(pieces, lookback=prototype.lookback, level=level, seed=shuffles.seed)


def windows_with_targets(
    fitted: NeuralForecaster, market: Market, dates: pd.DatetimeIndex
) -> Batch:
    """Windows that end at ``dates``, as the fitted networks see them, with their scaled targets.

    Args:
        fitted: Pooled over assets.
        market: Holds the dates, and the closes that the targets end at.
        dates: Decision dates.

    Returns:
        Windows of one asset each, date by date; those without a known target are left out.

    Raises:
        DataError: No window has a known target, or a date is no bar.
    """
    rows = np.array([market.position(date) for date in dates], dtype=int)
    spec, device = fitted.input_spec(), resolve_device(fitted.device)
    rows = rows[rows >= spec.lookback]
    data, ends, volatility = prediction_windows(market, rows, spec, fitted.scaling_, device)
    at_rows = np.full(market.close.shape, np.nan)
    at_rows[rows] = volatility
    target = scaled_target(market, at_rows, spec)[rows] / fitted.scaling_.target_size
    known = torch.as_tensor(np.nan_to_num(target), dtype=torch.float32, device=device)
    batch = data.batch(ends, need_target=False)
    mask = batch.mask & torch.as_tensor(np.isfinite(target), device=device)
    return one_asset_each(replace(batch, mask=mask, target=known))


def _fold_piece(
    prototype: NeuralForecaster,
    state: Bundle,
    market: Market,
    fold: Fold,
    shuffles: Shuffles,
    cache: PieceCache,
) -> Bundle:
    fitted = clone(prototype).from_bundle(state)
    return network_piece(
        fitted.networks_[0],
        windows_with_targets(fitted, market, fold.decisions),
        squared_error,
        feature_names=fitted.input_spec().make(market).names,
        shuffles=shuffles,
        cache=cache,
    )
