"""Wiring of the ingestion pipeline."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from regime_nas_pipeline.pipelines.ingestion.nodes import validate_prices


def create_pipeline() -> Pipeline:
    """Raw prices in; prices, sealed_prices, data_quality and data_manifest out."""
    return pipeline(
        [
            node(
                validate_prices,
                inputs=[
                    "raw_prices",
                    "params:universe",
                    "params:walk_forward",
                    "params:regimes",
                ],
                outputs=["prices", "sealed_prices", "data_quality", "data_manifest"],
                name="validate_prices",
            )
        ],
        tags="ingestion",
    )
