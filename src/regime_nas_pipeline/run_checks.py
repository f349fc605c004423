"""What is checked before a run: pipelines, parameters, and what earlier runs have left.

A module of its own, which :mod:`regime_nas_pipeline.hooks` imports when a session begins: it brings
every pipeline with it, and Kedro imports the hooks for every command, be it a list of names.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from regime_nas_pipeline.pipelines.attention_guide.checks import check_guide
from regime_nas_pipeline.pipelines.checks import (
    check_forecasters,
    refuse_unfitting_values,
    refuse_unknown_parameters,
)
from regime_nas_pipeline.pipelines.forecast_now import refuse_without_checkpoints
from regime_nas_pipeline.pipelines.ingestion.nodes import refuse_one_asset
from regime_nas_pipeline.pipelines.open_holdout import refuse_other_readers, refuse_without_seal
from regime_nas_pipeline.pipelines.planted.checks import check_planted


def check_session(context: KedroContext) -> dict[str, Any]:
    """Refuse unknown or unfitting parameters at any level, and nodes that break the seal.

    Every registered pipeline is made and every class that the parameters name is imported here, so
    that the libraries with threads of their own are loaded before any node limits them.

    Returns:
        The parameters as written.

    Raises:
        ParameterError: Names the parameter or the node.
    """
    refuse_other_readers(pipelines)
    parameters: dict[str, Any] = context.config_loader["parameters"]
    # Kedro reads the files again for each use; what is put here it takes as it is.
    context.config_loader["parameters"] = deepcopy(parameters)
    refuse_unknown_parameters(parameters, dict(pipelines))
    refuse_unfitting_values(parameters, dict(pipelines))
    typed = context.params
    check_forecasters(typed)
    check_planted(typed["planted"], typed["compute"])
    check_guide(*(typed[name] for name in ("attention_guide", "walk_forward", "compute")))
    return parameters


def check_run(pipeline: Pipeline, parameters: Mapping[str, Any], catalog: DataCatalog) -> None:
    """Refuse a run of what is about to run, where it could not come to an end.

    Args:
        pipeline: What is about to run.
        parameters: As written, block by block.
        catalog: With what earlier runs have left.

    Raises:
        DataError: An earlier run has not left what this one needs.
        ParameterError: The pipeline needs another value of a parameter.
    """
    refuse_one_asset(pipeline, parameters)
    refuse_without_seal(pipeline, parameters)
    refuse_without_checkpoints(pipeline, catalog)
