"""Wiring of the reporting pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kedro.pipeline import Node, Pipeline, node

from regime_nas_pipeline.pipelines.reporting.nodes import (
    draw_forecasts,
    draw_performance,
    draw_search,
    draw_verdict,
    list_fit_failures,
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
SEARCH_FIGURES = ("architecture", "search_progress", "pareto_front")
VERDICT_FIGURES = ("overfitting_logits", "sharpe_by_cost", "attribution_steps")
VERDICT_RESULTS = (
    "comparison_tests",
    "superior_strategies",
    "comparison_words",
    "deflated_sharpes",
    "overfitting",
    "cost_curve",
    "break_even_costs",
    "trading_figures",
    "participation",
    "crises",
    "group_exposures",
    "benchmark_regressions",
    "attribution",
    "attribution_by_asset",
    "attribution_by_year",
    "verdict",
    "published_figures",
)
"""Datasets of the pipeline ``verdict`` that the page shows."""


def figure_dataset(name: str) -> str:
    """Name of the catalog entry that keeps a figure."""
    return f"{name}_figure"


def create_pipeline(forecasters: Sequence[str], searched: Mapping[str, str]) -> Pipeline:
    """Results in; figures and the report page out.

    Args:
        forecasters: Names of all forecasters.
        searched: Searched forecaster to the dataset that holds what was found for it.
    """
    return Pipeline(
        [
            *_figure_nodes(searched),
            node(
                list_fit_failures,
                inputs={name: f"{name}.checkpoints" for name in forecasters},
                outputs="fit_failures",
                name="list_fit_failures",
            ),
            _page_node(),
        ],
        tags="reporting",
        # One box in Kedro-Viz until it is opened; datasets keep their plain names.
        namespace="reporting",
        prefix_datasets_with_namespace=False,
    )


def _figure_nodes(searched: Mapping[str, str]) -> list[Node]:
    """Draw each part of the page."""
    others = {name: found for name, found in searched.items() if found != "architecture"}
    return [
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
                "pareto_front": "pareto_front",
                "search": "params:search",
                **others,
            },
            outputs=[*(figure_dataset(name) for name in SEARCH_FIGURES), "search_summary"],
            name="draw_search",
        ),
        node(
            draw_verdict,
            inputs=[
                "overfitting",
                "cost_curve",
                "break_even_costs",
                "attribution",
                "params:portfolio",
            ],
            outputs=[figure_dataset(name) for name in VERDICT_FIGURES],
            name="draw_verdict",
        ),
    ]


def _page_node() -> Node:
    """Write the page from every result and figure."""
    every_figure = (
        *PERFORMANCE_FIGURES,
        *FORECAST_FIGURES,
        *SEARCH_FIGURES,
        *VERDICT_FIGURES,
    )
    return node(
        write_report,
        inputs={
            "summary": "summary",
            "significance": "significance",
            "sub_periods": "sub_periods",
            "per_regime": "per_regime",
            "contributions": "contributions",
            "volatility_coverage": "volatility_coverage",
            "seed_figures": "seed_figures",
            "failed_fits": "fit_failures",
            "trade_offs": "pareto_front",
            "data_quality": "data_quality",
            "data_manifest": "data_manifest",
            "found": "architecture",
            "searches": "search_summary",
            "closures": "forced_closures",
            "openings": "holdout_openings",
            "evaluation": "params:evaluation",
            "portfolio": "params:portfolio",
            **{name: name for name in VERDICT_RESULTS},
            **{name: figure_dataset(name) for name in every_figure},
        },
        outputs="report",
        name="write_report",
    )
