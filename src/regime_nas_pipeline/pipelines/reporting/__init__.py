"""Figures and the report page."""

from regime_nas_pipeline.pipelines.reporting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
