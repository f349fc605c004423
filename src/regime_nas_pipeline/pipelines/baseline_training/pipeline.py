"""Wiring of the training: one copy of one template per forecaster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kedro.pipeline import Pipeline, node, pipeline

from regime_nas_pipeline.pipelines.baseline_training.nodes import (
    train_forecaster,
    train_found_forecaster,
)

SHARED_INPUTS = {"prices", "regimes", "finished_pieces"}
SHARED_PARAMETERS = ["params:universe", "params:walk_forward", "params:training", "params:compute"]
PARAMETERS = ["params:forecaster", *SHARED_PARAMETERS]
OUTPUTS = ["forecasts", "checkpoints", "training_log"]


def create_pipeline(forecasters: Sequence[str], searched: Mapping[str, str]) -> Pipeline:
    """Prices and regimes in; forecasts, checkpoints and a log of each forecaster out.

    Args:
        forecasters: Names of all forecasters.
        searched: Searched forecaster to the dataset that holds what was found for it.
    """
    as_chosen = pipeline(
        [
            node(
                train_forecaster,
                inputs=["prices", "regimes", "finished_pieces", *PARAMETERS],
                outputs=OUTPUTS,
                name="train",
            )
        ]
    )
    as_found = pipeline(
        [
            node(
                train_found_forecaster,
                inputs=["prices", "regimes", "finished_pieces", "tuned", *PARAMETERS],
                outputs=OUTPUTS,
                name="train",
            )
        ]
    )
    copies = []
    for name in forecasters:
        inputs = {dataset: dataset for dataset in SHARED_INPUTS}
        if name in searched:
            inputs["tuned"] = searched[name]
        copies.append(
            pipeline(
                as_found if name in searched else as_chosen,
                namespace=name,
                inputs=inputs,
                parameters=set(SHARED_PARAMETERS),
            )
        )
    return pipeline(copies, tags="baseline_training")
