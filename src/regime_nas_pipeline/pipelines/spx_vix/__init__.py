"""One index and its volatility index: labels, a classifier of them, and exposure."""

from regime_nas_pipeline.pipelines.spx_vix.pipeline import create_pipeline

__all__ = ["create_pipeline"]
