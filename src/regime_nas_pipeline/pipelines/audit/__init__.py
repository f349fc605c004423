"""The registered pipelines run again on other futures: does anything in the past change?"""

from regime_nas_pipeline.pipelines.audit.pipeline import create_pipeline

__all__ = ["create_pipeline"]
