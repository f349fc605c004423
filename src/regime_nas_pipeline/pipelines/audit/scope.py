"""Which nodes are audited, and what they are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kedro.pipeline import Pipeline
from kedro.validation.type_extractor import TypeExtractor
from pydantic import TypeAdapter

from regime_nas_pipeline.core.errors import ParameterError

DEFAULT = "__default__"
PRICES = "prices"
_PARAMETER = "params:"


@dataclass(frozen=True)
class Scope:
    """The registered nodes, in three parts.

    Attributes:
        before: What makes prices: run once.
        audited: Run again on altered prices.
        left_out: Not run at all.
    """

    before: Pipeline
    audited: Pipeline
    left_out: Pipeline


def scope_of(pipelines: Mapping[str, Pipeline], leave_out: list[str]) -> Scope:
    """Split the default pipeline into what makes prices and what is audited.

    Args:
        pipelines: Registered pipelines by name.
        leave_out: Names of those whose nodes are not audited.

    Raises:
        ParameterError: A name is that of no pipeline, nothing makes prices, nothing is left, or
            an audited node reads what only a pipeline that is left out makes.
    """
    for name in leave_out:
        if name not in pipelines or name == DEFAULT:
            known = ", ".join(sorted(set(pipelines) - {DEFAULT}))
            raise ParameterError(f"audit.leave_out: no pipeline '{name}'; there are: {known}.")
    whole = pipelines[DEFAULT]
    if PRICES not in whole.all_outputs():
        raise ParameterError(
            f"the audit alters the dataset '{PRICES}', and no registered node makes it."
        )
    before = whole.to_outputs(PRICES)
    audited = whole - before
    for name in leave_out:
        audited -= pipelines[name]
    if not audited.nodes:
        raise ParameterError("audit.leave_out leaves no node to audit; name fewer pipelines.")
    missing = sorted(audited.inputs() & whole.all_outputs() - before.all_outputs())
    if missing:
        (reader, *_) = [node.name for node in audited.nodes if missing[0] in node.inputs]
        raise ParameterError(
            f"audit.leave_out: the audited node '{reader}' reads '{missing[0]}', which only a "
            "pipeline that is left out makes. Audit that pipeline, too."
        )
    return Scope(before, audited, whole - before - audited)


def typed(read: Mapping[str, Any], pipeline: Pipeline) -> dict[str, Any]:
    """What was read, with parameters as the types that the nodes of ``pipeline`` ask for.

    Kedro makes them for the nodes of the pipeline that it was asked to run, which is another one.

    Args:
        read: Dataset or parameter to its value.
        pipeline: Has the nodes.
    """
    types = TypeExtractor({"audited": pipeline}).extract_types_from_pipelines()
    made = dict(read)
    for name, kind in types.items():
        key = _PARAMETER + name
        if key in made:
            made[key] = TypeAdapter(kind).validate_python(made[key])
    return made
