"""Wiring of the placebo and of the power experiment."""

from __future__ import annotations

from collections.abc import Collection

from kedro.pipeline import Pipeline, node

from regime_nas_pipeline.pipelines.placebo.job import whole_job
from regime_nas_pipeline.pipelines.placebo.nodes import (
    draw_placebo,
    draw_power,
    judge_placebo,
    measure_power,
    run_placebo,
    run_power,
    write_placebo_report,
    write_power_report,
)

_OF_PLACEBO = {
    "cache": "finished_pieces",
    "placebo": "params:placebo",
    "universe": "params:universe",
    "portfolio": "params:portfolio",
    "compute": "params:compute",
}
_OF_POWER = {
    "cache": "finished_pieces",
    "power": "params:power",
    "universe": "params:universe",
    "walk_forward": "params:walk_forward",
    "training": "params:training",
    "portfolio": "params:portfolio",
    "compute": "params:compute",
}


def create_pipeline(whole: Pipeline) -> Pipeline:
    """Everything that the whole job reads in; p-values, rates, verdicts and the page out.

    It needs no earlier run: prices are ingested again, in memory.

    Args:
        whole: The default pipeline. Which nodes it has is looked up again when panels are run.
    """
    return Pipeline(
        [
            node(
                run_placebo,
                inputs=_with_all(_OF_PLACEBO, _read_by(whole)),
                outputs=["placebo_p_values", "placebo_source"],
                name="run_placebo",
            ),
            node(
                judge_placebo,
                inputs=[
                    "placebo_p_values",
                    "placebo_source",
                    "run_facts",
                    "params:placebo",
                    "params:verdict",
                    "params:compute",
                ],
                outputs=["placebo_rates", "placebo_verdicts"],
                name="judge_placebo",
            ),
            node(
                draw_placebo,
                inputs=["placebo_rates", "placebo_verdicts"],
                outputs="placebo_rates_figure",
                name="draw_placebo",
            ),
            node(
                write_placebo_report,
                inputs=["placebo_rates", "placebo_verdicts", "placebo_rates_figure"],
                outputs="placebo_report",
                name="write_placebo_report",
            ),
        ],
        tags="placebo",
    )


def create_power_pipeline(whole: Pipeline) -> Pipeline:
    """Everything that the jobs read in; p-values, detection rates, smallest edges, the page out.

    Args:
        whole: As for :func:`create_pipeline`.
    """
    return Pipeline(
        [
            node(
                run_power,
                inputs=_with_all(_OF_POWER, _read_by(whole)),
                outputs=["power_p_values", "power_source"],
                name="run_power",
            ),
            node(
                measure_power,
                inputs=["power_p_values", "params:power", "params:verdict"],
                outputs=["power_rates", "smallest_edges"],
                name="measure_power",
            ),
            node(
                draw_power,
                inputs=["power_rates", "params:power"],
                outputs="power_detection_figure",
                name="draw_power",
            ),
            node(
                write_power_report,
                inputs=[
                    "power_rates",
                    "smallest_edges",
                    "power_source",
                    "run_facts",
                    "params:power",
                    "params:verdict",
                    "params:compute",
                    "power_detection_figure",
                ],
                outputs="power_report",
                name="write_power_report",
            ),
        ],
        tags="power",
    )


def _read_by(whole: Pipeline) -> set[str]:
    stages = whole_job(whole)
    read: set[str] = (stages.before + stages.job).inputs()
    return read


def _with_all(own: dict[str, str], read: Collection[str]) -> dict[str, str]:
    """The node's own inputs by argument, and all others under their own names."""
    return {**own, **{name: name for name in sorted(set(read) - set(own.values()))}}
