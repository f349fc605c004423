"""From a source of prices to a validated table, with what was found on the way."""

from regime_nas_pipeline.pipelines.ingestion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
