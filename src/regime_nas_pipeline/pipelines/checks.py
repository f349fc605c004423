"""Checks of parameters that no single block can make, done before any node runs."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from kedro.pipeline import Pipeline
from kedro.validation.type_extractor import TypeExtractor
from pydantic import TypeAdapter, ValidationError

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.params import build, load_class
from regime_nas_pipeline.forecasters.base import Forecaster
from regime_nas_pipeline.networks.training import resolve_device
from regime_nas_pipeline.regimes.base import Labeller
from regime_nas_pipeline.search.space import Options, Space
from regime_nas_pipeline.walkforward.building import Shared, build_forecaster
from regime_nas_pipeline.walkforward.parameters import (
    ForecasterChoice,
    SearchSpace,
)
from regime_nas_pipeline.walkforward.tuning import check_space

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


def refuse_unfitting_values(
    parameters: Mapping[str, Any], pipelines: Mapping[str, Pipeline]
) -> None:
    """Check every typed block and say in one line each what does not fit.

    Kedro does the same a moment later; this names parameters the way a user writes them.

    Raises:
        ParameterError: Names the parameters.
    """
    types = TypeExtractor(dict(pipelines)).extract_types_from_pipelines()
    faults = []
    for key, expected in sorted(types.items()):
        value: Any = parameters
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is None:
            faults.append(f"parameter '{key}' is missing.")
            continue
        try:
            TypeAdapter(expected).validate_python(value)
        except ValidationError as error:
            faults += [_fault(key, expected, entry) for entry in error.errors()]
        except ParameterError as error:
            faults.append(f"parameter '{key}': {error}")
    if faults:
        raise ParameterError("\n  ".join(faults))


def _fault(key: str, expected: Any, entry: Any) -> str:
    name = ".".join([key, *(str(part) for part in entry["loc"])])
    if entry["type"] == "extra_forbidden":
        known = sorted(getattr(expected, "model_fields", {})) if len(entry["loc"]) == 1 else []
        near = difflib.get_close_matches(str(entry["loc"][-1]), known, n=1)
        hint = f": did you mean '{key}.{near[0]}'?" if near else "."
        if known and not near:
            hint = f"; '{key}' has: {', '.join(known)}."
        return f"unknown parameter '{name}'{hint}"
    if entry["type"] == "missing":
        return f"parameter '{name}' is missing."
    message = entry["msg"].removeprefix("Value error, ")
    return f"parameter '{name}': {message}; got {entry['input']!r}."


def check_forecasters(parameters: Mapping[str, Any]) -> None:
    """Check what depends on more than one block.

    These are the budgets, the search spaces, the history that an asset must have for every
    forecaster when it joins the universe, the regimes that supervise one, the forecaster whose
    volatility forecasts are used, and the device.

    Args:
        parameters: Validated parameters, blocks as their types.

    Raises:
        ParameterError: Names the forecaster, and the dimension or the number of bars.
    """
    _check_volatility_source(parameters)
    _check_budgets(parameters)
    resolve_device(parameters["compute"].device)
    labeller = build(parameters["regimes"].labeller, Labeller)
    universe, walk_forward = parameters["universe"], parameters["walk_forward"]
    shared = Shared(walk_forward, parameters["training"], parameters["compute"])
    for name, block in parameters.items():
        choice = block.get("forecaster") if isinstance(block, Mapping) else None
        if not isinstance(choice, ForecasterChoice):
            continue
        space = block.get("space")
        dimensions = space.root if isinstance(space, SearchSpace) else {}
        if dimensions:
            check_space(load_class(choice.class_path, Forecaster), dimensions)
        forecaster = build_forecaster(choice, shared, _most_demanding(dimensions))
        regimes = forecaster.required_regimes()
        if regimes and regimes != set(labeller.regime_names):
            raise ParameterError(
                f"{name}: label_weight above 0 needs regimes named {', '.join(sorted(regimes))}; "
                f"regimes.labeller has {', '.join(labeller.regime_names)}. Choose a labeller with "
                f"those regimes, or set {name}.space.label_weight to 0 alone."
            )
        needed = forecaster.required_history()
        if needed > universe.min_history:
            raise ParameterError(
                f"universe.min_history is {universe.min_history} bars and {name} needs {needed} "
                "(lookback and warm-up of its features) before its first forecast. Raise "
                "universe.min_history or shorten the lookback."
            )


def _check_budgets(parameters: Mapping[str, Any]) -> None:
    """Refuse what cannot pay for one batch of two assets, or train on a window too short."""
    search, training = parameters["search"], parameters["training"]
    universe, walk_forward = parameters["universe"], parameters["walk_forward"]
    least = 2 * training.batch_dates
    share = min(search.cell_search.budget_share, 1.0 - search.cell_search.budget_share)
    budgets = {
        "training.max_samples": training.max_samples,
        "the smaller part of search.budget that one of search.trials gets": int(
            search.budget // search.trials * share
        ),
    }
    for name, budget in budgets.items():
        if budget < least:
            raise ParameterError(
                f"{name} is {budget} gradient samples and one batch of training.batch_dates "
                f"{training.batch_dates} takes at least {least}. Raise the budget."
            )
    needed = universe.min_history + walk_forward.execution_lag + walk_forward.horizon
    if walk_forward.window_bars is not None and walk_forward.window_bars < needed:
        raise ParameterError(
            f"walk_forward.window_bars is {walk_forward.window_bars} and a training window needs "
            f"at least {needed} bars (universe.min_history + execution lag + horizon)."
        )


def _check_volatility_source(parameters: Mapping[str, Any]) -> None:
    chosen = parameters["portfolio"].volatility_from
    known = []
    for name, block in parameters.items():
        choice = block.get("forecaster") if isinstance(block, Mapping) else None
        if isinstance(choice, ForecasterChoice):
            cls: type[Forecaster] = load_class(choice.class_path, Forecaster)
            known += [name] if cls.gives_volatility else []
    if chosen is not None and chosen not in known:
        raise ParameterError(
            f"portfolio.volatility_from: '{chosen}' makes no volatility forecasts. "
            f"Forecasters that do: {', '.join(sorted(known)) or 'none'}."
        )


def _most_demanding(space: Space) -> dict[str, Any]:
    """The longest lookback and the heaviest supervision that the search may find."""
    found: dict[str, Any] = {}
    for name, kind in (("lookback", int), ("label_weight", float)):
        dimension = space.get(name)
        if dimension is not None:
            options = dimension.options if isinstance(dimension, Options) else (dimension.high,)
            found[name] = max(kind(option) for option in options)
    return found
