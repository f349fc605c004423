"""Wiring of the planted experiment."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node

from regime_nas_pipeline.pipelines.planted.nodes import (
    draw_planted,
    run_planted,
    summarise_planted,
    write_planted_report,
)

FIGURES = (
    "planted_efficiency",
    "planted_regimes",
    "planted_architecture_engineered",
    "planted_architecture_raw",
    "planted_search",
    "planted_controls",
)


def create_pipeline() -> Pipeline:
    """Parameters in; summary, figures and report page out. It reads no prices."""
    return Pipeline(
        [
            node(
                run_planted,
                inputs=["finished_pieces", "params:planted", "params:compute"],
                outputs=["planted_cells", "planted_found", "planted_regimes", "search_trials"],
                name="run_planted",
            ),
            node(
                summarise_planted,
                inputs=["planted_cells", "run_facts", "params:planted", "params:compute"],
                outputs="planted_summary",
                name="summarise_planted",
            ),
            node(
                draw_planted,
                inputs=[
                    "planted_summary",
                    "planted_cells",
                    "planted_found",
                    "planted_regimes",
                    "search_trials",
                ],
                outputs=[f"{name}_figure" for name in FIGURES],
                name="draw_planted",
            ),
            node(
                write_planted_report,
                inputs={
                    "summary": "planted_summary",
                    "found": "planted_found",
                    **{name: f"{name}_figure" for name in FIGURES},
                },
                outputs="planted_report",
                name="write_planted_report",
            ),
        ],
        tags="planted",
    )
