"""Wiring of the search: one copy of one template per searched forecaster."""

from __future__ import annotations

from collections.abc import Mapping

from kedro.pipeline import Pipeline, node, pipeline

from regime_nas_pipeline.pipelines.nas_search.nodes import (
    collect_trials,
    find_front,
    search_forecaster,
)

SHOWN_FRONT = "regime_nas"
"""Whose trade-offs between objectives the report shows: the one network that is built by parts."""

SHARED_INPUTS = {"prices", "regimes", "finished_pieces"}
SHARED_PARAMETERS = {
    "params:search",
    "params:universe",
    "params:walk_forward",
    "params:training",
    "params:portfolio",
    "params:compute",
}


def create_pipeline(searched: Mapping[str, str]) -> Pipeline:
    """Prices and regimes in; what was found for each forecaster, the ledger and the front out.

    Args:
        searched: Searched forecaster to the dataset that holds what was found for it.
    """
    template = pipeline(
        [
            node(
                search_forecaster,
                inputs=[
                    "prices",
                    "regimes",
                    "finished_pieces",
                    "params:forecaster",
                    "params:space",
                    "params:search",
                    "params:universe",
                    "params:walk_forward",
                    "params:training",
                    "params:portfolio",
                    "params:compute",
                ],
                outputs=["tuned", "trials"],
                name="search",
            )
        ]
    )
    searches = [
        pipeline(
            template,
            namespace=name,
            inputs=SHARED_INPUTS,
            parameters=SHARED_PARAMETERS,
            outputs={"tuned": found},
        )
        for name, found in searched.items()
    ]
    ledger = node(
        collect_trials,
        inputs={name: f"{name}.trials" for name in searched},
        outputs="search_trials",
        name="collect_trials",
    )
    front = node(
        find_front, inputs=f"{SHOWN_FRONT}.trials", outputs="pareto_front", name="find_front"
    )
    return pipeline([*searches, pipeline([ledger, front])], tags="nas_search")
