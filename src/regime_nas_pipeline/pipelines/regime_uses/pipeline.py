"""Wiring of the experiment on what regime labels are worth."""

from __future__ import annotations

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline, node

from regime_nas_pipeline.pipelines.regime_uses.nodes import label, supervise, trade_with_labels
from regime_nas_pipeline.pipelines.regime_uses.reporting import compare, draw, write_report


def create_pipeline(forecasters: Sequence[str]) -> Pipeline:
    """Prices and a finished run in; labels, results, table, figure and the page out.

    It needs what a whole run has written before.

    Args:
        forecasters: Names of the forecasters of that run.
    """
    return Pipeline([*_uses(forecasters), *_page()], tags="regime_uses")


def _uses(forecasters: Sequence[str]) -> list[Node]:
    """Label, trade and train.

    Outputs are saved in their order: what was traded is in the ledger before any result of it can
    be looked at, whatever ends the run.
    """
    shared = {
        "prices": "prices",
        "regime_uses": "params:regime_uses",
        "universe": "params:universe",
        "walk_forward": "params:walk_forward",
        "compute": "params:compute",
    }
    traded = {
        **shared,
        "labels": "regime_uses_labels",
        "run_facts": "run_facts",
        "portfolio": "params:portfolio",
    }
    return [
        node(
            label,
            inputs=shared,
            outputs=["regime_uses_labels", "regime_uses_label_facts"],
            name="regime_uses.label",
        ),
        node(
            trade_with_labels,
            inputs={
                **traded,
                "strategy_returns": "strategy_returns",
                "gross_returns": "gross_returns",
                **{name: f"{name}.forecasts" for name in forecasters},
            },
            outputs=[
                "regime_uses_evaluations",
                "regime_uses_returns",
                "regime_uses_figures",
                "regime_uses_blends",
            ],
            name="regime_uses.trade",
        ),
        node(
            supervise,
            inputs={
                **traded,
                "cache": "finished_pieces",
                "found": "architecture",
                "forecaster": "params:regime_nas.forecaster",
                "training": "params:training",
            },
            outputs=[
                "regime_uses_supervised_evaluations",
                "regime_uses_supervised",
                "regime_uses_facts",
            ],
            name="regime_uses.supervise",
        ),
    ]


def _page() -> list[Node]:
    """Compare, draw and write what was traded and trained."""
    return [
        node(
            compare,
            inputs={
                "prices": "prices",
                "returns": "regime_uses_returns",
                "strategy_returns": "strategy_returns",
                "blends": "regime_uses_blends",
                "supervised": "regime_uses_supervised",
                "facts": "regime_uses_facts",
                "label_facts": "regime_uses_label_facts",
                "run_facts": "run_facts",
                "regime_uses": "params:regime_uses",
                "universe": "params:universe",
                "portfolio": "params:portfolio",
                "compute": "params:compute",
            },
            outputs="regime_uses_table",
            name="regime_uses.compare",
        ),
        node(
            draw, inputs="regime_uses_table", outputs="regime_uses_figure", name="regime_uses.draw"
        ),
        node(
            write_report,
            inputs={
                "table": "regime_uses_table",
                "figures": "regime_uses_figures",
                "drawn": "regime_uses_figure",
                "evaluation": "params:evaluation",
            },
            outputs="regime_uses_report",
            name="regime_uses.write_report",
        ),
    ]
