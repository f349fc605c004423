"""Names given to ``kedro run``: refused before anything is loaded where there is no such thing."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Collection, Iterator
from typing import Any

import click
from kedro import runner as kedros_runners
from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline
from kedro.runner import AbstractRunner
from kedro.utils import load_obj

from regime_nas_pipeline.conf_faults import ConfFolders

_FEW = 30
_LISTED = "'kedro registry describe PIPELINE' lists the nodes of a pipeline."


def refuse_unknown_names(context: click.Context, folders: ConfFolders) -> None:
    """Refuse an environment, runner, pipeline, node, tag, namespace or dataset that is none.

    Args:
        context: Of the command, its options parsed.
        folders: Where the configuration lies.

    Raises:
        click.BadParameter: Names the option, what it holds, and its nearest neighbour.
        click.UsageError: The options together select no node.
    """
    _refuse_environment(context, folders)
    _refuse_runner(context)
    options = context.params
    named = options["pipelines"] or ([options["pipeline"]] if options["pipeline"] else [])
    # As the session will: it reads the registry again where another selection is asked for.
    pipelines.set_requested(named or None)
    option = "pipelines" if options["pipelines"] else "pipeline"
    where = "'kedro registry list' lists them."
    _refuse(context, option, "pipeline", named, list(pipelines), where)
    chosen = sum((pipelines[name] for name in named or ["__default__"]), Pipeline([]))
    _refuse_selection(context, chosen)


def _refuse_environment(context: click.Context, folders: ConfFolders) -> None:
    known = folders.environments
    if not known or folders.env in known:
        return
    text = _unknown("environment", folders.env, known, f"Each is a folder of {folders.root}.")
    if context.params["env"]:
        raise click.BadParameter(text, context, _option(context, "env"))
    raise click.BadParameter(text, context, param_hint="the variable KEDRO_ENV")


def _refuse_runner(context: click.Context) -> None:
    name = context.params["runner"]
    try:
        found = load_obj(name or "SequentialRunner", "kedro.runner")
    except (ImportError, AttributeError, ValueError):
        found = None
    if not (isinstance(found, type) and issubclass(found, AbstractRunner)):
        known = [each for each in kedros_runners.__all__ if each.endswith("Runner")]
        known.remove(AbstractRunner.__name__)
        where = "One of your own is named by its whole path, such as package.module.Class."
        text = _unknown("runner", name, known, where)
        raise click.BadParameter(text, context, _option(context, "runner"))
    arguments = [name for name in inspect.signature(found).parameters if not name.startswith("_")]
    given = list(context.params["runner_params"])
    _refuse(context, "runner_params", f"argument of {found.__name__}", given, arguments)


def _refuse_selection(context: click.Context, chosen: Pipeline) -> None:
    """Refuse what the chosen pipelines do not have, and options that leave nothing to run."""
    options = context.params
    nodes = [node.name for node in chosen.nodes]
    for option in ("node_names", "from_nodes", "to_nodes"):
        _refuse(context, option, "node", options[option], nodes, _LISTED)
    tags = {tag for node in chosen.nodes for tag in node.tags}
    _refuse(context, "tags", "tag", options["tags"], tags, "Tags are the names of pipelines.")
    spaces = {each for node in chosen.nodes for each in _prefixes(node.namespace or "")}
    _refuse(context, "namespaces", "namespace", options["namespaces"], spaces)
    where = "Datasets are named in conf/base/catalog*.yml."
    for option in ("from_inputs", "to_outputs", "load_versions"):
        _refuse(context, option, "dataset", options[option], chosen.datasets(), where)
    try:
        chosen.filter(
            tags=options["tags"],
            from_nodes=options["from_nodes"],
            to_nodes=options["to_nodes"],
            node_names=options["node_names"],
            from_inputs=options["from_inputs"],
            to_outputs=options["to_outputs"],
            node_namespaces=options["namespaces"],
        )
    except ValueError as error:
        raise click.UsageError("these options together leave no node to run.", context) from error


def _prefixes(namespace: str) -> Iterator[str]:
    """``a`` and ``a.b`` of ``a.b``."""
    parts = namespace.split(".") if namespace else []
    return (".".join(parts[: place + 1]) for place in range(len(parts)))


def _refuse(
    context: click.Context,
    option: str,
    what: str,
    given: Collection[str],
    known: Collection[str],
    where: str = "",
) -> None:
    for name in given:
        if name not in known:
            text = _unknown(what, name, known, where)
            raise click.BadParameter(text, context, _option(context, option))


def _unknown(what: str, name: Any, known: Collection[str], where: str) -> str:
    """One sentence on a name that is unknown, and one on what there is."""
    near = difflib.get_close_matches(str(name), known, n=1)
    said = [f"there is no {what} '{name}'" + (f": did you mean '{near[0]}'?" if near else ".")]
    if not near and 0 < len(known) <= _FEW:
        said.append(f"There are: {', '.join(sorted(known))}.")
    return " ".join([*said, *([where] if where else [])])


def _option(context: click.Context, name: str) -> click.Parameter:
    return next(option for option in context.command.params if option.name == name)
