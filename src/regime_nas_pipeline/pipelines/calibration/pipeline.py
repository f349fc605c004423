"""Wiring of the calibration pipeline."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node

from regime_nas_pipeline.pipelines.calibration.nodes import (
    compare,
    draw_remedies,
    walk_remedies,
    write_calibration_report,
)


def create_pipeline() -> Pipeline:
    """Prices and what the searches found in; results, factors, table, figure and the page out.

    It needs what ``ingestion``, ``regime_labelling`` and ``nas_search`` have written before. The
    first node's outputs are saved in their order: what was traded is in the ledger before any
    result of it can be looked at, whatever ends the run.
    """
    names = ("regime_nas", "gru", "transformer", "garch")
    return Pipeline(
        [
            node(
                walk_remedies,
                inputs={
                    "prices": "prices",
                    "regimes": "regimes",
                    "cache": "finished_pieces",
                    "found_regime_nas": "architecture",
                    "found_gru": "gru.tuned",
                    "found_transformer": "transformer.tuned",
                    "run_facts": "run_facts",
                    **{name: f"params:{name}.forecaster" for name in names},
                    "calibration": "params:calibration",
                    "universe": "params:universe",
                    "walk_forward": "params:walk_forward",
                    "training": "params:training",
                    "portfolio": "params:portfolio",
                    "compute": "params:compute",
                },
                outputs=[
                    "calibration_evaluations",
                    "calibration_results",
                    "calibration_factors",
                    "calibration_facts",
                ],
                name="calibration.walk",
            ),
            node(
                compare,
                inputs={
                    "results": "calibration_results",
                    "facts": "calibration_facts",
                    "run_facts": "run_facts",
                    "calibration": "params:calibration",
                    "training": "params:training",
                },
                outputs="calibration_table",
                name="calibration.compare",
            ),
            node(
                draw_remedies,
                inputs="calibration_table",
                outputs="calibration_figure",
                name="calibration.draw",
            ),
            node(
                write_calibration_report,
                inputs={
                    "table": "calibration_table",
                    "results": "calibration_results",
                    "factors": "calibration_factors",
                    "figure": "calibration_figure",
                    "evaluation": "params:evaluation",
                },
                outputs="calibration_report",
                name="calibration.write_report",
            ),
        ],
        tags="calibration",
    )
