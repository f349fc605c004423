"""Wiring of the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kedro.pipeline import Node, Pipeline, node, pipeline

from regime_nas_pipeline.pipelines.verdict.economics import explain_returns, reckon_costs
from regime_nas_pipeline.pipelines.verdict.nodes import compare_all, conclude, count_trials
from regime_nas_pipeline.pipelines.verdict.published import set_beside_published


def create_pipeline(forecasters: Sequence[str], searched: Mapping[str, str]) -> Pipeline:
    """Results of the evaluation and the ledger in; tests, counts, economics and the verdict out.

    Args:
        forecasters: Names of all forecasters.
        searched: Searched forecaster to the dataset that holds what was found for it.
    """
    return pipeline(
        [*_tests(forecasters, searched), *_economics(), *_conclusions()], tags="verdict"
    )


def _tests(forecasters: Sequence[str], searched: Mapping[str, str]) -> list[Node]:
    """Comparisons of strategies and forecasts, and the counting of trials."""
    return [
        node(
            compare_all,
            inputs={
                "prices": "prices",
                "strategy_returns": "strategy_returns",
                "universe": "params:universe",
                "walk_forward": "params:walk_forward",
                "portfolio": "params:portfolio",
                "compute": "params:compute",
                "verdict": "params:verdict",
                **{name: f"{name}.forecasts" for name in forecasters},
            },
            outputs=["comparison_tests", "superior_strategies", "comparison_words"],
            name="compare_all",
        ),
        node(
            count_trials,
            inputs={
                "prices": "prices",
                "strategy_returns": "strategy_returns",
                "seed_returns": "seed_returns",
                "evaluations": "evaluations",
                "search_trials": "search_trials",
                "universe": "params:universe",
                "walk_forward": "params:walk_forward",
                "portfolio": "params:portfolio",
                "search": "params:search",
                "compute": "params:compute",
                "verdict": "params:verdict",
                **searched,
            },
            outputs=["deflated_sharpes", "overfitting"],
            name="count_trials",
        ),
    ]


def _economics() -> list[Node]:
    """What trading costs, and where the returns come from."""
    return [
        node(
            reckon_costs,
            inputs={
                "prices": "prices",
                "weights": "weights",
                "decisions": "decisions",
                "gross_returns": "gross_returns",
                "universe": "params:universe",
                "portfolio": "params:portfolio",
                "verdict": "params:verdict",
            },
            outputs=[
                "cost_curve",
                "break_even_costs",
                "trading_figures",
                "participation",
                "participation_by_asset",
            ],
            name="reckon_costs",
        ),
        node(
            explain_returns,
            inputs={
                "prices": "prices",
                "weights": "weights",
                "decisions": "decisions",
                "contributions": "contributions",
                "strategy_returns": "strategy_returns",
                "gross_returns": "gross_returns",
                "universe": "params:universe",
                "portfolio": "params:portfolio",
                "verdict": "params:verdict",
            },
            outputs=[
                "crises",
                "group_exposures",
                "benchmark_regressions",
                "attribution",
                "attribution_by_asset",
                "attribution_by_year",
            ],
            name="explain_returns",
        ),
    ]


def _conclusions() -> list[Node]:
    """The verdict, and published figures beside ours."""
    return [
        node(
            conclude,
            inputs=[
                "strategy_returns",
                "comparison_tests",
                "superior_strategies",
                "deflated_sharpes",
                "overfitting",
                "break_even_costs",
                "params:verdict",
                "params:universe",
                "prices",
            ],
            outputs="verdict",
            name="conclude",
        ),
        node(
            set_beside_published,
            inputs={
                "strategy_returns": "strategy_returns",
                "strategy_figures": "strategy_figures",
                "forecast_figures": "forecast_figures",
                "spread_calibration": "spread_calibration",
                "comparison_tests": "comparison_tests",
                "group_exposures": "group_exposures",
                "portfolio": "params:portfolio",
                "verdict": "params:verdict",
                "published": "params:published",
            },
            outputs="published_figures",
            name="set_beside_published",
        ),
    ]
