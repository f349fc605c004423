"""A tiny environment without networks, everything in memory, and a forecast for its next day."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import pandas as pd
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from tiny_parameters import (
    BARS,
    COMPUTE,
    FIRST_OOS,
    FORECASTERS,
    KMEANS,
    MOMENTUM,
    SEARCHED,
    TRAINING,
    WINDOWS,
    raw_prices,
)

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.market.raw import RawPrices
from regime_nas_pipeline.pipelines import (
    baseline_training,
    forecast_now,
    ingestion,
    regime_labelling,
)
from regime_nas_pipeline.pipelines.audit.job import KeptDataset
from regime_nas_pipeline.walkforward.live_parameters import ForecastNow
from regime_nas_pipeline.walkforward.parameters import (
    ForecasterChoice,
    Portfolio,
    Regimes,
    Universe,
    WalkForward,
)

LAST = BARS[-1]


def other_rows(raw: RawPrices, wrong: pd.Series[bool], factor: float | None) -> RawPrices:
    """The same source with some closes multiplied, or without these rows."""
    table = raw.table[~wrong] if factor is None else raw.table.copy()
    if factor is not None:
        table.loc[wrong, "close"] *= factor
    return dataclasses.replace(raw, table=table)


def given(**now: Any) -> dict[str, Any]:
    """Everything that is read and not made."""
    choice = {"class": MOMENTUM, "params": {"lookback": 15}}
    return {
        "raw_prices": raw_prices(),
        "finished_pieces": PieceCache(None),
        "run_facts": {"git_sha": "abc"},
        "architecture": {"parameters": {"lookback": 25}},
        "params:universe": Universe(benchmark="IND", min_history=40, bars_per_year=252),
        "params:walk_forward": WalkForward(
            first_oos=FIRST_OOS.date(),
            horizon=5,
            execution_lag=1,
            refit_every=20,
            rebalance_every=10,
        ),
        "params:portfolio": Portfolio.model_validate(
            {
                "allocator": {"class": "regime_nas_pipeline.portfolio.allocate.MaximumSharpe"},
                "max_weight": 0.5,
                "cost_bps": 5.0,
                "risk_free": 0.01,
            }
        ),
        "params:regimes": Regimes.model_validate(
            {
                "labeller": {"class": KMEANS, "params": dict.fromkeys(WINDOWS, 10)},
                "burn_in": 110,
                "refit_every": 60,
            }
        ),
        "params:training": TRAINING,
        "params:compute": COMPUTE,
        "params:forecast_now": ForecastNow(**{"as_of": LAST.date(), **now}),
        **{
            f"params:{name}.forecaster": ForecasterChoice.model_validate(choice)
            for name in FORECASTERS
        },
    }


def changed(read: dict[str, Any], block: str, **changes: Any) -> dict[str, Any]:
    """A block of parameters with other values."""
    return {f"params:{block}": read[f"params:{block}"].model_copy(update=changes)}


def training() -> Pipeline:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One or more dataset names contain '.'")
        return (
            ingestion.create_pipeline()
            + regime_labelling.create_pipeline()
            + baseline_training.create_pipeline(FORECASTERS, SEARCHED)
        )


def forecasting() -> Pipeline:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One or more dataset names contain '.'")
        return forecast_now.create_pipeline(FORECASTERS, SEARCHED)


def run(pipeline: Pipeline, read: dict[str, Any]) -> dict[str, Any]:
    """Run it in memory; every dataset that it made."""
    catalog = DataCatalog(
        {
            **{name: MemoryDataset(read[name]) for name in pipeline.inputs()},
            **{name: KeptDataset() for name in pipeline.all_outputs()},
        }
    )
    SequentialRunner().run(pipeline, catalog)
    return {name: catalog.load(name) for name in pipeline.all_outputs()}
