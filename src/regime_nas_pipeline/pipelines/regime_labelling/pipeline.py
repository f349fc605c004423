"""Wiring of the regime-labelling pipeline."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from regime_nas_pipeline.pipelines.regime_labelling.nodes import label_and_record


def create_pipeline() -> Pipeline:
    """Prices in; causal regime probabilities, and what every refit changed, out."""
    return pipeline(
        [
            node(
                label_and_record,
                inputs=["prices", "params:universe", "params:regimes", "params:compute"],
                outputs=["regimes", "regime_refits"],
                name="label_regimes",
            ),
        ],
        tags="regime_labelling",
    )
