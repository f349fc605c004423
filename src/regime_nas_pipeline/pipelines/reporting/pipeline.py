"""Wiring of the reporting pipeline."""

from __future__ import annotations

from collections.abc import Mapping

from kedro.pipeline import Pipeline, node, pipeline

from regime_nas_pipeline.pipelines.reporting.nodes import (
    draw_forecasts,
    draw_performance,
    draw_search,
    write_report,
)

PERFORMANCE_FIGURES = (
    "equity_curves",
    "drawdowns",
    "rolling_sharpe",
    "regime_history",
    "weights_over_time",
)
FORECAST_FIGURES = ("forecast_accuracy", "spread_calibration", "reliability", "seed_spread")
SEARCH_FIGURES = ("architecture", "search_progress")


def figure_dataset(name: str) -> str:
    """Name of the catalog entry that keeps a figure."""
    return f"{name}_figure"


def create_pipeline(searched: Mapping[str, str]) -> Pipeline:
    """Results in; figures and the report page out."""
    others = {name: found for name, found in searched.items() if found != "architecture"}
    every_figure = (*PERFORMANCE_FIGURES, *FORECAST_FIGURES, *SEARCH_FIGURES)
    return pipeline(
        [
            node(
                draw_performance,
                inputs=[
                    "prices",
                    "strategy_returns",
                    "weights",
                    "regimes",
                    "params:universe",
                    "params:portfolio",
                ],
                outputs=[figure_dataset(name) for name in PERFORMANCE_FIGURES],
                name="draw_performance",
            ),
            node(
                draw_forecasts,
                inputs=["summary", "spread_calibration", "reliability", "seed_spread"],
                outputs=[figure_dataset(name) for name in FORECAST_FIGURES],
                name="draw_forecasts",
            ),
            node(
                draw_search,
                inputs={
                    "architecture": "architecture",
                    "search_trials": "search_trials",
                    **others,
                },
                outputs=[figure_dataset(name) for name in SEARCH_FIGURES],
                name="draw_search",
            ),
            node(
                write_report,
                inputs={
                    "summary": "summary",
                    "significance": "significance",
                    "sub_periods": "sub_periods",
                    "per_regime": "per_regime",
                    "volatility_coverage": "volatility_coverage",
                    "data_quality": "data_quality",
                    "data_manifest": "data_manifest",
                    "found": "architecture",
                    "search_trials": "search_trials",
                    "evaluation": "params:evaluation",
                    "portfolio": "params:portfolio",
                    **{name: figure_dataset(name) for name in every_figure},
                },
                outputs="report",
                name="write_report",
            ),
        ],
        tags="reporting",
    )
