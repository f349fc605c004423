"""Which bars every forecaster really trained on, validated on and was tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from regime_nas_pipeline.audit.fold_manifest import (
    COLUMNS,
    FoldLike,
    Split,
    manifest_of,
    purged_split,
    violations,
)
from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.forecasters.base import Forecaster
from regime_nas_pipeline.forecasters.inputs import training_windows
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import make_split
from regime_nas_pipeline.walkforward.building import Shared, build_forecaster
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.parameters import ForecasterChoice


def trained_forecasters(
    given: Mapping[str, Any], outputs: Mapping[str, Any], shared: Shared
) -> dict[str, Forecaster]:
    """Name to forecaster, with the arguments that its checkpoints say it had.

    Args:
        given: Parameters, ``params:NAME.forecaster`` for each.
        outputs: Datasets, ``NAME.checkpoints`` for each.
        shared: What every forecaster of the run shares.
    """
    found = {}
    for key, choice in given.items():
        name = key.removeprefix("params:").removesuffix(".forecaster")
        checkpoints = outputs.get(f"{name}.checkpoints")
        if isinstance(choice, ForecasterChoice) and isinstance(checkpoints, Bundle):
            found[name] = build_forecaster(choice, shared, checkpoints.facts["parameters"])
    return found


def fold_manifest(
    forecasters: Mapping[str, Forecaster], market: Market, folds: Sequence[Fold]
) -> pd.DataFrame:
    """One row for every sample that a fold of a forecaster used.

    For a network these are the rows of its own split: all that its epochs draw training windows
    from, and those that stop it. Others have no split of their own; their rows are the bars whose
    history and whole target lie in the training window.

    Args:
        forecasters: Name to forecaster.
        market: With regimes.
        folds: Who is trained when.

    Returns:
        ``forecaster`` and the columns of
        :func:`~regime_nas_pipeline.audit.fold_manifest.manifest_of`; empty without forecasters.
    """
    tables = []
    for name, forecaster in forecasters.items():
        lag, horizon = forecaster.execution_lag, forecaster.horizon
        table = manifest_of(
            folds,
            market.dates,
            split=_split(forecaster, market),
            execution_lag=lag,
            horizon=horizon,
        )
        table.insert(0, "forecaster", name)
        tables.append(table)
    if not tables:
        return pd.DataFrame({column: [] for column in ("forecaster", *COLUMNS)})
    return pd.concat(tables, ignore_index=True)


def broken_rules(
    manifest: pd.DataFrame, dates: pd.DatetimeIndex, *, embargo: int
) -> list[dict[str, Any]]:
    """Everything in the manifest that breaks the order of time, as JSON can hold it."""
    return [
        {"forecaster": str(name), **vars(broken), "date": broken.date.isoformat()}
        for name, table in manifest.groupby("forecaster", sort=False)
        for broken in violations(table.drop(columns="forecaster"), dates, embargo=embargo)
    ]


def _split(forecaster: Forecaster, market: Market) -> Split:
    lag, horizon = forecaster.execution_lag, forecaster.horizon
    if not isinstance(forecaster, NeuralForecaster):
        history = forecaster.required_history()
        return purged_split(history=history, execution_lag=lag, horizon=horizon, fraction=None)
    network = forecaster

    def split(fold: FoldLike, n_bars: int) -> tuple[np.ndarray, np.ndarray]:
        known = market.until(fold.train_end)
        window = known.slice(len(known.dates) - n_bars, len(known.dates))
        data = training_windows(window, network.input_spec(), torch.device("cpu")).data
        rows = make_split(data, network.training, execution_lag=lag, horizon=horizon)
        return rows.training, rows.validation

    return split
