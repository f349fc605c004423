"""Checks of parameters that no single block can make, done before any node runs."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from kedro.pipeline import Pipeline

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.search.space import Options
from regime_nas_pipeline.walkforward.parameters import (
    ForecasterChoice,
    SearchSpace,
    Shared,
    build_forecaster,
)

_PREFIX = "params:"


def refuse_unknown_parameters(
    parameters: Mapping[str, Any], pipelines: Mapping[str, Pipeline]
) -> None:
    """Refuse a key that no node of any pipeline reads; Kedro would let it pass unseen.

    Blocks that a node reads are checked by their own types; this looks at everything above.

    Raises:
        ParameterError: Names the key, with its nearest known neighbour.
    """
    read = {
        tuple(name.removeprefix(_PREFIX).split("."))
        for pipeline in pipelines.values()
        for name in pipeline.inputs()
        if name.startswith(_PREFIX)
    }
    _refuse(parameters, read, ())


def _refuse(block: Mapping[str, Any], read: set[tuple[str, ...]], place: tuple[str, ...]) -> None:
    for key, value in block.items():
        path = (*place, str(key))
        if path in read:
            continue
        below = any(known[: len(path)] == path for known in read)
        if below and isinstance(value, Mapping):
            _refuse(value, read, path)
            continue
        known = sorted(".".join(name) for name in read if name[: len(place)] == place)
        near = difflib.get_close_matches(".".join(path), known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}."
        raise ParameterError(f"unknown parameter '{'.'.join(path)}': {hint}")


def check_histories(parameters: Mapping[str, Any]) -> None:
    """Check that an asset which joins the universe has the history that every forecaster needs.

    Args:
        parameters: Validated parameters, blocks as their types.

    Raises:
        ParameterError: Names the forecaster and the number of bars that it needs.
    """
    universe, walk_forward = parameters["universe"], parameters["walk_forward"]
    shared = Shared(walk_forward, parameters["training"], parameters["compute"])
    for name, block in parameters.items():
        choice = block.get("forecaster") if isinstance(block, Mapping) else None
        if not isinstance(choice, ForecasterChoice):
            continue
        longest = _longest_lookback(block.get("space"))
        forecaster = build_forecaster(choice, shared, longest)
        needed = forecaster.required_history()
        if needed > universe.min_history:
            raise ParameterError(
                f"universe.min_history is {universe.min_history} bars and {name} needs {needed} "
                "(lookback and warm-up of its features) before its first forecast. Raise "
                "universe.min_history or shorten the lookback."
            )


def _longest_lookback(space: Any) -> dict[str, Any]:
    lookback = space.root.get("lookback") if isinstance(space, SearchSpace) else None
    if lookback is None:
        return {}
    options = lookback.options if isinstance(lookback, Options) else (int(lookback.high),)
    return {"lookback": max(options)}
