"""Wiring of the ablation pipeline."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline, node

from regime_nas_pipeline.pipelines.ablation.nodes import (
    compare,
    draw_ablation,
    run_ablation,
    search_again,
    trace_lipschitz_curve,
    write_ablation_report,
)


def create_pipeline() -> Pipeline:
    """Prices and the architecture found in; results, table, figures and the page out.

    It needs what ``ingestion``, ``regime_labelling`` and ``nas_search`` have written before.
    """
    return Pipeline([*_walks(), *_page()], tags="ablation")


def _walks() -> list[Node]:
    """Search, train and trade; all three read the same prices and parameters.

    Outputs are saved in their order: what was traded is in the ledger before any result of it can
    be looked at, whatever ends the run.
    """
    shared = {
        "prices": "prices",
        "regimes": "regimes",
        "cache": "finished_pieces",
        "found": "architecture",
        "forecaster": "params:regime_nas.forecaster",
        "ablation": "params:ablation",
        "universe": "params:universe",
        "walk_forward": "params:walk_forward",
        "training": "params:training",
        "compute": "params:compute",
    }
    return [
        node(
            search_again,
            inputs={**shared, "space": "params:regime_nas.space", "search": "params:search"},
            outputs=["ablation_found", "ablation_trials"],
            name="ablation.search_again",
        ),
        node(
            run_ablation,
            inputs={
                **shared,
                "found_again": "ablation_found",
                "run_facts": "run_facts",
                "portfolio": "params:portfolio",
            },
            outputs=["ablation_evaluations", "ablation_results", "ablation_facts"],
            name="ablation.run",
        ),
        node(
            trace_lipschitz_curve,
            inputs={**shared, "facts": "ablation_facts"},
            outputs="lipschitz_curve",
            name="ablation.lipschitz_curve",
        ),
    ]


def _page() -> list[Node]:
    """Compare, draw and write what the walks left."""
    return [
        node(
            compare,
            inputs={
                "results": "ablation_results",
                "facts": "ablation_facts",
                "found": "architecture",
                "found_again": "ablation_found",
                "run_facts": "run_facts",
                "ablation": "params:ablation",
                "training": "params:training",
            },
            outputs="ablation_table",
            name="ablation.compare",
        ),
        node(
            draw_ablation,
            inputs={"table": "ablation_table", "curve": "lipschitz_curve"},
            outputs=["ablation_figure", "lipschitz_curve_figure"],
            name="ablation.draw",
        ),
        node(
            write_ablation_report,
            inputs={
                "table": "ablation_table",
                "curve": "lipschitz_curve",
                "differences": "ablation_figure",
                "curve_figure": "lipschitz_curve_figure",
                "evaluation": "params:evaluation",
            },
            outputs="ablation_report",
            name="ablation.write_report",
        ),
    ]
