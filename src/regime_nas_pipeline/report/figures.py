"""Every figure of the report: one function each, and each returns plain plotly JSON."""

from __future__ import annotations

from regime_nas_pipeline.report.figures_architecture import architecture
from regime_nas_pipeline.report.figures_calibration import (
    reliability,
    seed_spread,
    spread_calibration,
)
from regime_nas_pipeline.report.figures_economics import attribution_steps, sharpe_by_cost
from regime_nas_pipeline.report.figures_forecasts import forecast_accuracy
from regime_nas_pipeline.report.figures_performance import (
    drawdowns,
    equity_curves,
    regime_history,
    rolling_sharpe,
)
from regime_nas_pipeline.report.figures_search import pareto_front, search_progress
from regime_nas_pipeline.report.figures_trials import overfitting_logits
from regime_nas_pipeline.report.figures_weights import weights_over_time

__all__ = [
    "architecture",
    "attribution_steps",
    "drawdowns",
    "equity_curves",
    "forecast_accuracy",
    "overfitting_logits",
    "pareto_front",
    "regime_history",
    "reliability",
    "rolling_sharpe",
    "search_progress",
    "seed_spread",
    "sharpe_by_cost",
    "spread_calibration",
    "weights_over_time",
]
