"""Wiring of the search comparison."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node

from regime_nas_pipeline.pipelines.search_comparison.nodes import (
    compare_shortcuts,
    compare_strategies,
    draw_comparison,
    measure_regret,
    write_search_report,
)

FIGURES = ("shortcut_scores", "strategy_comparison", "search_regret")


def create_pipeline() -> Pipeline:
    """Prices in; shortcuts, strategies, regret, figures and the report page out."""
    return Pipeline(
        [
            node(
                compare_shortcuts,
                inputs=["finished_pieces", "params:search_comparison", "params:compute"],
                outputs=["search_shortcuts", "search_shortcut_scores"],
                name="compare_shortcuts",
            ),
            node(
                measure_regret,
                inputs=["finished_pieces", "params:search_comparison", "params:compute"],
                outputs="search_regret",
                name="measure_regret",
            ),
            node(
                compare_strategies,
                inputs=[
                    "prices",
                    "finished_pieces",
                    "params:search_comparison",
                    "params:universe",
                    "params:walk_forward",
                    "params:training",
                    "params:compute",
                ],
                outputs=["strategy_comparison", "search_trials"],
                name="compare_search_strategies",
            ),
            node(
                draw_comparison,
                inputs=[
                    "search_shortcuts",
                    "search_shortcut_scores",
                    "strategy_comparison",
                    "search_regret",
                ],
                outputs=[f"{name}_figure" for name in FIGURES],
                name="draw_comparison",
            ),
            node(
                write_search_report,
                inputs={
                    "shortcuts": "search_shortcuts",
                    "strategies": "strategy_comparison",
                    "regret": "search_regret",
                    "settings": "params:search_comparison",
                    **{name: f"{name}_figure" for name in FIGURES},
                },
                outputs=["search_report", "search_comparison_summary"],
                name="write_search_report",
            ),
        ],
        tags="search_comparison",
    )
