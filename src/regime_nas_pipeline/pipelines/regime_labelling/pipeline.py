"""Wiring of the regime-labelling pipeline."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from regime_nas_pipeline.pipelines.regime_labelling.nodes import label_regimes


def create_pipeline() -> Pipeline:
    """Prices in; causal regime probabilities out."""
    return pipeline(
        [
            node(
                label_regimes,
                inputs=["prices", "params:universe", "params:regimes", "params:compute"],
                outputs="regimes",
                name="label_regimes",
            )
        ],
        tags="regime_labelling",
    )
