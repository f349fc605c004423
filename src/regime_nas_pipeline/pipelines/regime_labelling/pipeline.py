"""Wiring of the regime-labelling pipeline."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from regime_nas_pipeline.pipelines.regime_labelling.nodes import label_regimes, record_refits


def create_pipeline() -> Pipeline:
    """Prices in; causal regime probabilities, and what every refit changed, out."""
    inputs = ["prices", "params:universe", "params:regimes", "params:compute"]
    return pipeline(
        [
            node(
                label_regimes,
                inputs=inputs,
                outputs="regimes",
                name="label_regimes",
            ),
            node(
                record_refits,
                inputs=inputs,
                outputs="regime_refits",
                name="record_refits",
            ),
        ],
        tags="regime_labelling",
    )
