"""What the jobs on panels are given, and what is kept of where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.pipelines.audit.job import run_in_memory
from regime_nas_pipeline.pipelines.audit.scope import typed
from regime_nas_pipeline.pipelines.placebo.job import Stages
from regime_nas_pipeline.pipelines.placebo.parameters import Power
from regime_nas_pipeline.walkforward.building import Shared, build_forecaster
from regime_nas_pipeline.walkforward.parameters import Compute, Universe


def read_given(
    stages: Stages, read: Mapping[str, Any], *, cache: PieceCache, **own: Any
) -> dict[str, Any]:
    """Everything that the stages read, parameters as their types, and the source's prices.

    Args:
        stages: What is run, of which the first part runs here.
        read: Datasets and parameters by their names in the catalog.
        cache: Of finished pieces.
        **own: Blocks of parameters that the node has read by themselves.
    """
    named = {f"params:{name}": value for name, value in own.items()}
    given = typed({**read, "finished_pieces": cache, **named}, stages.before + stages.job)
    return given | {output.dataset: output.data for output in run_in_memory(stages.before, given)}


def source_facts(
    given: Mapping[str, Any], dates: pd.DatetimeIndex, shocks: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """What the panels of a run were made from, as JSON can hold it."""
    manifest = given.get("data_manifest", {})
    return {
        "data_sha256": manifest.get("sha256"),
        "first": date_text(dates[0], dates),
        "last": date_text(dates[-1], dates),
        "shocks": shocks,
    }


def told_of_run(
    run_facts: dict[str, Any], source: dict[str, Any], compute: Compute
) -> dict[str, Any]:
    """Facts of the run for its page and its verdicts."""
    told = ("env", "git_sha", "started", "seconds", "versions")
    return {
        **{key: run_facts[key] for key in told},
        "data_sha256": source["data_sha256"],
        "seed": compute.seed,
    }


def check_cheap(power: Power, universe: Universe, shared: Shared) -> None:
    """Refuse a forecaster of the cheap job that no asset has enough history for.

    Raises:
        ParameterError: Names the forecaster.
    """
    for name, choice in power.forecasters.items():
        needed = build_forecaster(choice, shared).required_history()
        if needed > universe.min_history:
            raise ParameterError(
                f"power.forecasters.{name} needs {needed} bars before its first forecast, and "
                f"universe.min_history is {universe.min_history}. Raise universe.min_history or "
                "shorten the lookback."
            )
