"""A tiny finished run with one network and momentum, and what its labels are worth, in memory."""

from __future__ import annotations

import warnings
from typing import Any

from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from tiny_parameters import (
    BARS,
    COMPUTE,
    FORECASTERS,
    KMEANS,
    MOMENTUM,
    SEARCHED,
    TRAINING,
    WINDOWS,
    raw_prices,
)

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.networks.regime_net import cell_edges, describe_blocks
from regime_nas_pipeline.pipelines import (
    baseline_training,
    ingestion,
    regime_labelling,
    regime_uses,
    walk_forward_evaluation,
)
from regime_nas_pipeline.pipelines.audit.job import KeptDataset
from regime_nas_pipeline.pipelines.regime_uses.parameters import RegimeUses
from regime_nas_pipeline.walkforward.parameters import (
    Evaluation,
    ForecasterChoice,
    Portfolio,
    Regimes,
    Universe,
    WalkForward,
)

NETWORK = "regime_nas_pipeline.forecasters.regime_nas.RegimeNasForecaster"
THRESHOLD = "regime_nas_pipeline.regimes.threshold.VolatilityThresholdLabeller"
OPERATIONS = {
    "evidence": "squared",
    "volatility": "volatility_scaling",
    "trend": "average_difference",
    "range": "mean_deviation",
}
FOUND = {
    "blocks": describe_blocks({edge: OPERATIONS[edge[0]] for edge in cell_edges(1)}, 1),
    "width": 2,
    "lookback": 5,
    "timeframes": [1, 5],
    "attention_heads": 1,
    "objective": {"volatility_weight": 0.1, "label_weight": 0.1},
}
USES: dict[str, Any] = {
    "burn_in": 80,
    "refit_every": 60,
    "labellers": {
        "kmeans": {"class": KMEANS, "params": dict.fromkeys(WINDOWS, 10)},
        "volatility_threshold": {"class": THRESHOLD, "params": {"feature": "volatility_10"}},
    },
    "overlay": {
        "calm": ["calm", "trend", "range"],
        "in_calm": 1.0,
        "otherwise": 0.5,
        "volatility_target": {"target": 0.1, "cap": 1.0, "window": 10},
    },
    "covariance": {"prior_bars": 20},
    "supervision": {"label_weight": 0.3, "seeds": 2, "folds": 1},
    "level": 0.95,
    "resamples": 999,
}


def given(cache: PieceCache) -> dict[str, Any]:
    """Everything that is read and not made."""
    choices = {"regime_nas": {"class": NETWORK}, "momentum": {"class": MOMENTUM}}
    choices["momentum"]["params"] = {"lookback": 15}
    return {
        "raw_prices": raw_prices(),
        "finished_pieces": cache,
        "run_facts": {
            "env": "tiny",
            "run_id": "now",
            "git_sha": "abc",
            "started": "2026-01-01T00:00:00+00:00",
            "seconds": {},
            "versions": {},
        },
        "architecture": {"parameters": FOUND, "search": {}},
        "params:universe": Universe(benchmark="IND", min_history=40, bars_per_year=252),
        "params:walk_forward": WalkForward(
            first_oos=BARS[180].date(),
            horizon=5,
            execution_lag=1,
            refit_every=60,
            rebalance_every=40,
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
                "labeller": USES["labellers"]["kmeans"],
                "burn_in": 110,
                "refit_every": 60,
            }
        ),
        "params:training": TRAINING.model_copy(update={"max_samples": 60, "batch_dates": 2}),
        "params:compute": COMPUTE,
        "params:evaluation": Evaluation(limits=["Few assets. And simulated ones."]),
        "params:regime_uses": RegimeUses.model_validate(USES),
        **{
            f"params:{name}.forecaster": ForecasterChoice.model_validate(choices[name])
            for name in FORECASTERS
        },
    }


def whole_run() -> Pipeline:
    """The stages of a whole run that make what the experiment reads."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One or more dataset names contain '.'")
        return (
            ingestion.create_pipeline()
            + regime_labelling.create_pipeline()
            + baseline_training.create_pipeline(FORECASTERS, SEARCHED)
            + walk_forward_evaluation.create_pipeline(FORECASTERS)
        )


def uses() -> Pipeline:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One or more dataset names contain '.'")
        return regime_uses.create_pipeline(FORECASTERS)


def run(pipeline: Pipeline, read: dict[str, Any]) -> dict[str, Any]:
    """Run it in memory; every dataset that it read and made."""
    catalog = DataCatalog(
        {
            **{name: MemoryDataset(read[name]) for name in pipeline.inputs()},
            **{name: KeptDataset() for name in pipeline.all_outputs()},
        }
    )
    SequentialRunner().run(pipeline, catalog)
    return {**read, **{name: catalog.load(name) for name in pipeline.all_outputs()}}
