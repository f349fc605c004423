"""The planted experiment: simulated markets on which the best possible forecast is known."""

from regime_nas_pipeline.pipelines.planted.pipeline import create_pipeline

__all__ = ["create_pipeline"]
