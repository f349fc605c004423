"""Search strategies and shortcuts compared: ranks, regret, results at equal budget."""

from regime_nas_pipeline.pipelines.search_comparison.pipeline import create_pipeline

__all__ = ["create_pipeline"]
