"""The sealed last part of the sample, opened: written down first, then forecast and traded."""

from regime_nas_pipeline.pipelines.open_holdout.pipeline import (
    create_pipeline,
    refuse_other_readers,
    refuse_without_seal,
)

__all__ = ["create_pipeline", "refuse_other_readers", "refuse_without_seal"]
