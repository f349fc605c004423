"""Every forecaster fitted and asked fold by fold."""

from regime_nas_pipeline.pipelines.baseline_training.pipeline import create_pipeline

__all__ = ["create_pipeline"]
