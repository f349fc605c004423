"""Wiring of the claims pipeline."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node

from regime_nas_pipeline.pipelines.claims.nodes import (
    BASELINE,
    draw_claims,
    score,
    tabulate,
    walk_claims,
    write_claims_report,
)


def create_pipeline() -> Pipeline:
    """Prices and what the searches found in; scores, table, figure and the page out.

    It needs what ``ingestion``, ``regime_labelling`` and ``nas_search`` have written before.
    """
    found = {"found": "architecture", "found_baseline": f"{BASELINE}.tuned"}
    return Pipeline(
        [
            node(
                walk_claims,
                inputs={
                    "prices": "prices",
                    "regimes": "regimes",
                    "cache": "finished_pieces",
                    **found,
                    "forecaster": "params:regime_nas.forecaster",
                    "baseline": f"params:{BASELINE}.forecaster",
                    "claims": "params:claims",
                    "universe": "params:universe",
                    "walk_forward": "params:walk_forward",
                    "training": "params:training",
                    "compute": "params:compute",
                },
                outputs=["claims_forecasts", "claims_fits"],
                name="claims.walk",
            ),
            node(
                score,
                inputs={
                    "forecasts": "claims_forecasts",
                    "prices": "prices",
                    "regimes": "regimes",
                    "claims": "params:claims",
                    "universe": "params:universe",
                    "walk_forward": "params:walk_forward",
                },
                outputs="claims_scores",
                name="claims.score",
            ),
            node(
                tabulate,
                inputs={
                    "scores": "claims_scores",
                    "fits": "claims_fits",
                    "forecasts": "claims_forecasts",
                    **found,
                    "run_facts": "run_facts",
                    "claims": "params:claims",
                    "walk_forward": "params:walk_forward",
                    "training": "params:training",
                },
                outputs="claims_table",
                name="claims.tabulate",
            ),
            node(
                draw_claims,
                inputs="claims_scores",
                outputs="claims_figure",
                name="claims.draw",
            ),
            node(
                write_claims_report,
                inputs={
                    "table": "claims_table",
                    "scores": "claims_scores",
                    "figure": "claims_figure",
                    "evaluation": "params:evaluation",
                },
                outputs="claims_report",
                name="claims.write_report",
            ),
        ],
        tags="claims",
    )
