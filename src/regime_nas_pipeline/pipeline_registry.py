"""Which pipelines there are, and which forecasters they compare."""

from __future__ import annotations

import warnings
from importlib import import_module

from kedro.pipeline import Pipeline

from regime_nas_pipeline.pipelines.deferred import DeferredPipeline

FORECASTERS = ("regime_nas", "gru", "transformer", "garch", "momentum")
"""Names of the forecasters compared; each has a parameters block of its name."""

SEARCHED = {
    "regime_nas": "architecture",
    "gru": "gru.tuned",
    "transformer": "transformer.tuned",
}
"""Forecasters that are searched at equal budget, and the dataset that holds what was found."""


def register_pipelines() -> dict[str, Pipeline]:
    """Name to pipeline; ``__default__`` is the whole reproduction.

    None is made before it is looked into, see
    :class:`~regime_nas_pipeline.pipelines.deferred.DeferredPipeline`; a plain one may stand beside
    them.
    """
    stages: dict[str, Pipeline] = {
        "ingestion": _deferred("ingestion"),
        "regime_labelling": _deferred("regime_labelling"),
        "nas_search": _deferred("nas_search", SEARCHED),
        "baseline_training": _deferred("baseline_training", FORECASTERS, SEARCHED),
        "walk_forward_evaluation": _deferred("walk_forward_evaluation", FORECASTERS),
        "verdict": _deferred("verdict", FORECASTERS, SEARCHED),
        "reporting": _deferred("reporting", FORECASTERS, SEARCHED),
    }
    whole = DeferredPipeline(lambda: sum(stages.values(), Pipeline([])))
    # Experiments of their own, which a whole run leaves out.
    return {
        **stages,
        "ablation": _deferred("ablation"),
        "attention_guide": _deferred("attention_guide"),
        "audit": _deferred("audit", whole),
        "calibration": _deferred("calibration"),
        "claims": _deferred("claims"),
        "forecast_now": _deferred("forecast_now", FORECASTERS, SEARCHED),
        "open_holdout": _deferred("open_holdout", FORECASTERS, SEARCHED),
        "placebo": _deferred("placebo", whole),
        "planted": _deferred("planted"),
        "power": _deferred("placebo", whole, function="create_power_pipeline"),
        "regime_uses": _deferred("regime_uses", FORECASTERS),
        "search_comparison": _deferred("search_comparison"),
        "spx_vix": _deferred("spx_vix"),
        "__default__": whole,
    }


def _deferred(
    package: str, *arguments: object, function: str = "create_pipeline"
) -> DeferredPipeline:
    """The pipeline that a function of a package below ``pipelines`` makes of these arguments."""

    def make() -> Pipeline:
        # By name: an import statement up there would bring at once what this puts off.
        module = import_module(f"regime_nas_pipeline.pipelines.{package}")
        with warnings.catch_warnings():
            # Namespaced datasets such as gru.forecasts are meant to be named by their namespace.
            warnings.filterwarnings("ignore", "One or more dataset names contain '.'")
            made: Pipeline = getattr(module, function)(*arguments)
        return made

    return DeferredPipeline(make)
