"""The whole job on simulated panels: where nothing is to be found, and where an edge is planted."""

from regime_nas_pipeline.pipelines.placebo.pipeline import create_pipeline, create_power_pipeline

__all__ = ["create_pipeline", "create_power_pipeline"]
