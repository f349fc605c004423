"""One index: forecasts of its next bar, what they earn, and what a Transformer looks at."""

from regime_nas_pipeline.pipelines.attention_guide.pipeline import create_pipeline

__all__ = ["create_pipeline"]
