"""What regime labels are worth inside the comparison of forecasters."""

from regime_nas_pipeline.pipelines.regime_uses.pipeline import create_pipeline

__all__ = ["create_pipeline"]
