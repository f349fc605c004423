"""From forecasts to trades, figures, tests and the verdict."""

from regime_nas_pipeline.pipelines.walk_forward_evaluation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
