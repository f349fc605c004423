"""Causal regime probabilities for every bar."""

from regime_nas_pipeline.pipelines.regime_labelling.pipeline import create_pipeline

__all__ = ["create_pipeline"]
