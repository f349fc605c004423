"""Search of architecture and macro choices before the first out-of-sample day."""

from regime_nas_pipeline.pipelines.nas_search.pipeline import create_pipeline

__all__ = ["create_pipeline"]
