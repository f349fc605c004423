"""Wiring of the audit."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node

from regime_nas_pipeline.pipelines.audit.nodes import audit_pipelines

TYPED = {
    "audit": "params:audit",
    "universe": "params:universe",
    "walk_forward": "params:walk_forward",
    "regimes": "params:regimes",
    "training": "params:training",
    "compute": "params:compute",
}
"""Parameters that the node itself reads."""


def create_pipeline(whole: Pipeline) -> Pipeline:
    """Everything that the audited pipelines read in; the audit and the fold manifest out.

    It needs no earlier run: prices are ingested again, in memory.

    Args:
        whole: The default pipeline. Which nodes it has is looked up again when the audit runs.
    """
    others = {name: name for name in sorted(whole.inputs() - set(TYPED.values()))}
    return Pipeline(
        [
            node(
                audit_pipelines,
                inputs={**TYPED, **others},
                outputs=["audit", "fold_manifest"],
                name="audit.causality",
            )
        ],
        tags="audit",
    )
