"""What each part of the found network is worth, and the price of a Lipschitz limit."""

from regime_nas_pipeline.pipelines.ablation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
