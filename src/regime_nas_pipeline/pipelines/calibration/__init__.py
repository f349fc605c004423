"""Whether forecasts claim as much as they know, and what mends it."""

from regime_nas_pipeline.pipelines.calibration.pipeline import create_pipeline

__all__ = ["create_pipeline"]
