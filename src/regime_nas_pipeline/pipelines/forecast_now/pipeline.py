"""Wiring of the forecast for the next rebalance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline, node
from kedro.pipeline.node import Node

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.pipelines.forecast_now.nodes import (
    choose_targets,
    describe,
    forecast_latest,
    list_trades,
)

FORECASTING = "forecast_now.forecast"
"""The node that reads the checkpoints."""


def refuse_without_checkpoints(pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Refuse to forecast before any model was trained, before anything is loaded.

    Args:
        pipeline: What is about to run.
        catalog: Knows what there is.

    Raises:
        DataError: Names what is missing.
    """
    free = pipeline.inputs()
    for each in pipeline.nodes:
        if each.name != FORECASTING:
            continue
        for name in sorted(free.intersection(each.inputs)):
            made_before = not name.startswith("params:") and name != "raw_prices"
            if made_before and not catalog.exists(name):
                raise DataError(
                    "there is nothing yet to forecast with",
                    source=name,
                    remedy="run `kedro run` in this environment first, which trains the models.",
                )


def create_pipeline(forecasters: Sequence[str], searched: Mapping[str, str]) -> Pipeline:
    """Raw prices and checkpoints in; forecasts, target weights, trades and facts out.

    It trains and searches nothing, and leaves the experiment's own datasets alone.

    Args:
        forecasters: Names of all forecasters.
        searched: Searched forecaster to the dataset that holds what was found for it.
    """
    nodes = [
        _forecasting(forecasters, searched),
        node(
            choose_targets,
            inputs=[
                "now_prices",
                "latest_forecasts",
                "now_universe",
                "params:walk_forward",
                "params:portfolio",
            ],
            outputs="target_weights",
            name="forecast_now.choose_targets",
        ),
        node(
            list_trades,
            inputs=[
                "now_prices",
                "target_weights",
                "now_holdings",
                "now_universe",
                "params:portfolio",
                "params:forecast_now",
            ],
            outputs=["trades", "now_totals"],
            name="forecast_now.list_trades",
        ),
        node(
            describe,
            inputs=["now_facts", "target_weights", "now_totals", "run_facts"],
            outputs="forecast_now",
            name="forecast_now.describe",
        ),
    ]
    return Pipeline(nodes, tags="forecast_now")


def _forecasting(forecasters: Sequence[str], searched: Mapping[str, str]) -> Node:
    return node(
        forecast_latest,
        inputs={
            "raw": "raw_prices",
            "universe": "params:universe",
            "walk_forward": "params:walk_forward",
            "portfolio": "params:portfolio",
            "regimes": "params:regimes",
            "training": "params:training",
            "compute": "params:compute",
            "now": "params:forecast_now",
            **{f"{name}_checkpoints": f"{name}.checkpoints" for name in forecasters},
            **{f"{name}_forecaster": f"params:{name}.forecaster" for name in forecasters},
            **{f"{name}_found": found for name, found in searched.items()},
        },
        outputs=["latest_forecasts", "now_prices", "now_holdings", "now_universe", "now_facts"],
        name=FORECASTING,
    )
