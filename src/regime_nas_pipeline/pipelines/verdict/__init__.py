"""Tests, the counting of trials and the economics of the result, put together."""

from regime_nas_pipeline.pipelines.verdict.pipeline import create_pipeline

__all__ = ["create_pipeline"]
