"""Which pipelines there are, and which forecasters they compare."""

from __future__ import annotations

import warnings

from kedro.pipeline import Pipeline

from regime_nas_pipeline.pipelines import (
    ablation,
    attention_guide,
    audit,
    baseline_training,
    calibration,
    claims,
    forecast_now,
    ingestion,
    nas_search,
    open_holdout,
    placebo,
    planted,
    regime_labelling,
    regime_uses,
    reporting,
    search_comparison,
    spx_vix,
    verdict,
    walk_forward_evaluation,
)

FORECASTERS = ("regime_nas", "gru", "transformer", "garch", "momentum")
"""Names of the forecasters compared; each has a parameters block of its name."""

SEARCHED = {
    "regime_nas": "architecture",
    "gru": "gru.tuned",
    "transformer": "transformer.tuned",
}
"""Forecasters that are searched at equal budget, and the dataset that holds what was found."""


def register_pipelines() -> dict[str, Pipeline]:
    """Name to pipeline; ``__default__`` is the whole reproduction."""
    with warnings.catch_warnings():
        # Namespaced datasets such as gru.forecasts are meant to be named by their namespace.
        warnings.filterwarnings("ignore", "One or more dataset names contain '.'")
        return _pipelines()


def _pipelines() -> dict[str, Pipeline]:
    pipelines = {
        "ingestion": ingestion.create_pipeline(),
        "regime_labelling": regime_labelling.create_pipeline(),
        "nas_search": nas_search.create_pipeline(SEARCHED),
        "baseline_training": baseline_training.create_pipeline(FORECASTERS, SEARCHED),
        "walk_forward_evaluation": walk_forward_evaluation.create_pipeline(FORECASTERS),
        "verdict": verdict.create_pipeline(FORECASTERS, SEARCHED),
        "reporting": reporting.create_pipeline(FORECASTERS, SEARCHED),
    }
    whole = sum(pipelines.values(), Pipeline([]))
    # Experiments of their own, which a whole run leaves out.
    registered = {
        **pipelines,
        "ablation": ablation.create_pipeline(),
        "attention_guide": attention_guide.create_pipeline(),
        "audit": audit.create_pipeline(whole.inputs()),
        "calibration": calibration.create_pipeline(),
        "claims": claims.create_pipeline(),
        "forecast_now": forecast_now.create_pipeline(FORECASTERS, SEARCHED),
        "open_holdout": open_holdout.create_pipeline(FORECASTERS, SEARCHED),
        "placebo": placebo.create_pipeline(whole),
        "planted": planted.create_pipeline(),
        "power": placebo.create_power_pipeline(whole),
        "regime_uses": regime_uses.create_pipeline(FORECASTERS),
        "search_comparison": search_comparison.create_pipeline(),
        "spx_vix": spx_vix.create_pipeline(),
        "__default__": whole,
    }
    open_holdout.refuse_other_readers(registered)
    return registered
