"""Wiring of the pipeline that opens the sealed part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kedro.pipeline import Pipeline, node
from kedro.pipeline.node import Node

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.pipelines.baseline_training.nodes import (
    train_forecaster,
    train_found_forecaster,
)
from regime_nas_pipeline.pipelines.open_holdout.nodes import (
    NO_SEAL,
    draw_holdout,
    open_seal,
    summarise_holdout,
    write_holdout_report,
)
from regime_nas_pipeline.pipelines.regime_labelling.nodes import label_regimes
from regime_nas_pipeline.pipelines.verdict.nodes import compare_all
from regime_nas_pipeline.pipelines.walk_forward_evaluation.nodes import (
    measure_forecasts,
    trade_strategies,
)

SEALED = "sealed_prices"
OPENER = "holdout.open"
"""The one node that reads the sealed prices."""

_FROM_THE_SEAL = {
    "prices": "holdout_prices",
    "universe": "holdout_universe",
    "walk_forward": "holdout_walk_forward",
}
"""What the opener hands on in memory: every way to a sealed price leads through it."""


def refuse_other_readers(pipelines: Mapping[str, Pipeline]) -> None:
    """Refuse pipelines in which another node than the opener reads the sealed prices.

    Raises:
        ParameterError: Names the node.
    """
    for pipeline in pipelines.values():
        for each in pipeline.nodes:
            if SEALED in each.inputs and each.name != OPENER:
                raise ParameterError(
                    f"node '{each.name}' reads '{SEALED}'. Only '{OPENER}' may, which writes the "
                    "opening down; let the node read 'prices'."
                )


def refuse_without_seal(pipeline: Pipeline, parameters: Mapping[str, Any]) -> None:
    """Refuse to open what was never sealed, before anything is loaded.

    Args:
        pipeline: What is about to run.
        parameters: As written, block by block.

    Raises:
        ParameterError: The pipeline opens a seal and there is none.
    """
    opens = any(each.name == OPENER for each in pipeline.nodes)
    if opens and parameters["universe"].get("sealed_from") is None:
        raise ParameterError(NO_SEAL)


def create_pipeline(forecasters: Sequence[str], searched: Mapping[str, str]) -> Pipeline:
    """Prices, sealed prices and what was found in; the opening, its results and a page out.

    It needs what ``ingestion`` and ``nas_search`` have written before, and searches nothing.

    Args:
        forecasters: Names of all forecasters.
        searched: Searched forecaster to the dataset that holds what was found for it.
    """
    nodes = [
        _opener(forecasters, searched),
        node(
            label_regimes,
            inputs={
                "prices": "holdout_prices",
                "universe": "holdout_universe",
                "regimes": "params:regimes",
                "compute": "params:compute",
            },
            outputs="holdout_regimes",
            name="holdout.label_regimes",
        ),
        *(_training(name, searched.get(name)) for name in forecasters),
        *_evaluation(forecasters),
        *_pages(forecasters),
    ]
    return Pipeline(nodes, tags="open_holdout")


def _opener(forecasters: Sequence[str], searched: Mapping[str, str]) -> Node:
    return node(
        open_seal,
        inputs={
            "prices": "prices",
            "sealed_prices": SEALED,
            "data_manifest": "data_manifest",
            "run_facts": "run_facts",
            "universe": "params:universe",
            "walk_forward": "params:walk_forward",
            "portfolio": "params:portfolio",
            "regimes": "params:regimes",
            "training": "params:training",
            "compute": "params:compute",
            "verdict": "params:verdict",
            **{f"{name}_forecaster": f"params:{name}.forecaster" for name in forecasters},
            **{found.replace(".", "_"): found for found in searched.values()},
        },
        outputs=["holdout_openings", *_FROM_THE_SEAL.values()],
        name=OPENER,
    )


def _training(name: str, found: str | None) -> Node:
    inputs = {
        **_FROM_THE_SEAL,
        "regimes": "holdout_regimes",
        "cache": "finished_pieces",
        "forecaster": f"params:{name}.forecaster",
        "training": "params:training",
        "compute": "params:compute",
    }
    return node(
        train_forecaster if found is None else train_found_forecaster,
        inputs=inputs if found is None else {**inputs, "found": found},
        outputs=[f"{name}.holdout_{made}" for made in ("forecasts", "checkpoints", "log")],
        name=f"holdout.train_{name}",
    )


def _evaluation(forecasters: Sequence[str]) -> list[Node]:
    forecasts = {name: f"{name}.holdout_forecasts" for name in forecasters}
    return [
        node(
            trade_strategies,
            inputs={**_FROM_THE_SEAL, "portfolio": "params:portfolio", **forecasts},
            outputs=[
                "holdout_weights",
                "holdout_returns",
                "holdout_gross_returns",
                "holdout_strategy_figures",
                "holdout_decisions",
                "holdout_contributions",
            ],
            name="holdout.trade_strategies",
        ),
        node(
            measure_forecasts,
            inputs={**_FROM_THE_SEAL, **forecasts},
            outputs=[
                "holdout_forecast_figures",
                "holdout_spread_calibration",
                "holdout_reliability",
                "holdout_volatility_coverage",
                "holdout_seed_spread",
            ],
            name="holdout.measure_forecasts",
        ),
        node(
            compare_all,
            inputs={
                **_FROM_THE_SEAL,
                "strategy_returns": "holdout_returns",
                "portfolio": "params:portfolio",
                "compute": "params:compute",
                "verdict": "params:verdict",
                **forecasts,
            },
            outputs=[
                "holdout_comparison_tests",
                "holdout_superior_strategies",
                "holdout_comparison_words",
            ],
            name="holdout.compare_all",
        ),
    ]


def _pages(forecasters: Sequence[str]) -> list[Node]:
    return [
        node(
            summarise_holdout,
            inputs={
                **_FROM_THE_SEAL,
                "strategy_returns": "holdout_returns",
                "strategy_figures": "holdout_strategy_figures",
                "forecast_figures": "holdout_forecast_figures",
                "run_facts": "run_facts",
                "data_manifest": "data_manifest",
                "openings": "holdout_openings",
                "portfolio": "params:portfolio",
                "compute": "params:compute",
                **{name: f"{name}.holdout_log" for name in forecasters},
            },
            outputs="holdout_summary",
            name="holdout.summarise",
        ),
        node(
            draw_holdout,
            inputs="holdout_returns",
            outputs=["holdout_equity_figure", "holdout_drawdowns_figure"],
            name="holdout.draw",
        ),
        node(
            write_holdout_report,
            inputs={
                "summary": "holdout_summary",
                "comparison_tests": "holdout_comparison_tests",
                "superior_strategies": "holdout_superior_strategies",
                "comparison_words": "holdout_comparison_words",
                "equity": "holdout_equity_figure",
                "losses": "holdout_drawdowns_figure",
                "evaluation": "params:evaluation",
            },
            outputs="holdout_report",
            name="holdout.write_report",
        ),
    ]
