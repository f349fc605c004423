"""Forecasts, target weights and trades for the next rebalance, from models trained before."""

from regime_nas_pipeline.pipelines.forecast_now.pipeline import (
    create_pipeline,
    refuse_without_checkpoints,
)

__all__ = ["create_pipeline", "refuse_without_checkpoints"]
