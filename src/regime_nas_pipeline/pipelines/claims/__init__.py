"""The paper's claims beside what this market gives, and beside forecasting no change."""

from regime_nas_pipeline.pipelines.claims.pipeline import create_pipeline

__all__ = ["create_pipeline"]
