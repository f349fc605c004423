"""Wiring of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence

from kedro.pipeline import Pipeline, node, pipeline

from regime_nas_pipeline.pipelines.walk_forward_evaluation.nodes import (
    compare_strategies,
    measure_forecasts,
    record_closures,
    record_evaluations,
    summarise,
    trade_strategies,
)


def create_pipeline(forecasters: Sequence[str]) -> Pipeline:
    """Every forecaster's forecasts in; weights, returns, figures, tests and summary out.

    The ledger of evaluations is written here, not where trials are counted: whoever only looks at
    the summary has looked.
    """
    forecasts = {name: f"{name}.forecasts" for name in forecasters}
    logs = {name: f"{name}.training_log" for name in forecasters}
    return pipeline(
        [
            node(
                trade_strategies,
                inputs={
                    "prices": "prices",
                    "universe": "params:universe",
                    "walk_forward": "params:walk_forward",
                    "portfolio": "params:portfolio",
                    "cache": "finished_pieces",
                    **forecasts,
                },
                outputs=[
                    "weights",
                    "strategy_returns",
                    "gross_returns",
                    "strategy_figures",
                    "decisions",
                    "contributions",
                ],
                name="trade_strategies",
            ),
            node(
                record_closures,
                inputs=["prices", "weights", "decisions", "strategy_returns", "params:universe"],
                outputs="forced_closures",
                name="record_closures",
            ),
            node(
                record_evaluations,
                inputs={
                    "prices": "prices",
                    "strategy_returns": "strategy_returns",
                    "run_facts": "run_facts",
                    "universe": "params:universe",
                    "walk_forward": "params:walk_forward",
                    "portfolio": "params:portfolio",
                    "compute": "params:compute",
                    "cache": "finished_pieces",
                    **forecasts,
                },
                outputs=["seed_returns", "seed_figures", "evaluations"],
                name="record_evaluations",
            ),
            node(
                measure_forecasts,
                inputs={
                    "prices": "prices",
                    "universe": "params:universe",
                    "walk_forward": "params:walk_forward",
                    **forecasts,
                },
                outputs=[
                    "forecast_figures",
                    "spread_calibration",
                    "reliability",
                    "volatility_coverage",
                    "seed_spread",
                ],
                name="measure_forecasts",
            ),
            node(
                compare_strategies,
                inputs=[
                    "prices",
                    "strategy_returns",
                    "regimes",
                    "params:universe",
                    "params:portfolio",
                    "params:evaluation",
                ],
                outputs=["significance", "sub_periods", "per_regime"],
                name="compare_strategies",
            ),
            node(
                summarise,
                inputs={
                    "prices": "prices",
                    "strategy_returns": "strategy_returns",
                    "strategy_figures": "strategy_figures",
                    "forecast_figures": "forecast_figures",
                    "run_facts": "run_facts",
                    "data_manifest": "data_manifest",
                    "universe": "params:universe",
                    "walk_forward": "params:walk_forward",
                    "portfolio": "params:portfolio",
                    "compute": "params:compute",
                    **logs,
                },
                outputs="summary",
                name="summarise",
            ),
        ],
        tags="walk_forward_evaluation",
    )
