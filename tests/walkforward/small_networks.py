"""A small RegimeNAS forecaster with an architecture written down by hand."""

from __future__ import annotations

from typing import Any

from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.regime_net import cell_edges, describe_blocks
from regime_nas_pipeline.networks.training import TrainingPlan

OPERATIONS = {
    "evidence": "squared",
    "volatility": "linear",
    "trend": "average_difference",
    "range": "mean_deviation",
}
BLOCKS = describe_blocks({edge: OPERATIONS[edge[0]] for edge in cell_edges(1)}, 1)


def small_forecaster(**changes: Any) -> RegimeNasForecaster:
    arguments: dict[str, Any] = {
        "horizon": 5,
        "execution_lag": 1,
        "blocks": BLOCKS,
        "width": 4,
        "attention_heads": 1,
        "lookback": 10,
        "timeframes": (1, 5),
        "objective": Objective(volatility_weight=0.1, smoothness_weight=0.01, label_weight=0.1),
        "training": TrainingPlan(max_samples=240, batch_dates=8, sample_every=5),
        "n_seeds": 3,
        "seed": 5,
        "device": "cpu",
    }
    return RegimeNasForecaster(**{**arguments, **changes})
