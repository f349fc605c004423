"""A tiny environment with a seal: no networks, every dataset in memory but the ledger."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

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
from regime_nas_pipeline.datasets.openings import OpeningsDataset
from regime_nas_pipeline.pipelines import (
    baseline_training,
    ingestion,
    open_holdout,
    regime_labelling,
    walk_forward_evaluation,
)
from regime_nas_pipeline.pipelines.audit.job import KeptDataset
from regime_nas_pipeline.walkforward.parameters import (
    Evaluation,
    ForecasterChoice,
    Portfolio,
    Regimes,
    Universe,
    WalkForward,
)
from regime_nas_pipeline.walkforward.verdict_parameters import Verdict

SEAL = BARS[200]


def found(last_date_seen: str | None = None, **parameters: Any) -> dict[str, Any]:
    search = {} if last_date_seen is None else {"last_date_seen": last_date_seen}
    return {"parameters": parameters, "search": search}


def given(cache: PieceCache, *, sealed: bool = True, cost_bps: float = 5.0) -> dict[str, Any]:
    """Everything that is read and not made."""
    choice = {"class": MOMENTUM, "params": {"lookback": 15}}
    return {
        "raw_prices": raw_prices(),
        "finished_pieces": cache,
        "run_facts": {
            "env": "tiny",
            "git_sha": "abc",
            "started": "2026-01-01T00:00:00+00:00",
            "seconds": {},
            "versions": {},
        },
        "architecture": found(FIRST_OOS.date().isoformat(), lookback=25),
        "params:universe": Universe(
            benchmark="IND",
            min_history=40,
            bars_per_year=252,
            sealed_from=SEAL.date() if sealed else None,
        ),
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
                "cost_bps": cost_bps,
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
        "params:evaluation": Evaluation(),
        "params:verdict": Verdict.model_validate(
            {"resamples": 99, "costs_bps": [5.0], "capacity": {"portfolio_value": 1e6}}
        ),
        **{
            f"params:{name}.forecaster": ForecasterChoice.model_validate(choice)
            for name in FORECASTERS
        },
    }


def default_stages() -> Pipeline:
    """The stages of the default run that make what others read."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One or more dataset names contain '.'")
        return (
            ingestion.create_pipeline()
            + regime_labelling.create_pipeline()
            + baseline_training.create_pipeline(FORECASTERS, SEARCHED)
            + walk_forward_evaluation.create_pipeline(FORECASTERS)
        )


def opening() -> Pipeline:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One or more dataset names contain '.'")
        return open_holdout.create_pipeline(FORECASTERS, SEARCHED)


def run(pipeline: Pipeline, read: dict[str, Any], ledger: Path) -> dict[str, Any]:
    """Run it in memory, with the ledger of openings on disk; every dataset that it made."""
    catalog = DataCatalog(
        {
            **{name: MemoryDataset(read[name]) for name in pipeline.inputs()},
            **{name: KeptDataset() for name in pipeline.all_outputs()},
            "holdout_openings": OpeningsDataset(filepath=ledger),
        }
    )
    SequentialRunner().run(pipeline, catalog)
    return {name: catalog.load(name) for name in pipeline.all_outputs()}
