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
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.forecasters.options import timeframes_of_option
from regime_nas_pipeline.networks.training import resolve_device
from regime_nas_pipeline.portfolio.economics.exposures import OTHER
from regime_nas_pipeline.regimes.base import Labeller
from regime_nas_pipeline.regimes.criterion import with_n_regimes
from regime_nas_pipeline.search.space import Options, Space
from regime_nas_pipeline.walkforward.building import (
    Shared,
    build_forecaster,
    forecaster_arguments,
)
from regime_nas_pipeline.walkforward.evaluation import REFERENCES
from regime_nas_pipeline.walkforward.feasibility import (
    check_budget,
    check_combinations,
    finds_cells,
)
from regime_nas_pipeline.walkforward.parameters import (
    ForecasterChoice,
    Regimes,
    SearchSpace,
)
from regime_nas_pipeline.walkforward.published_parameters import Published
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
            faults += [_fault(key, expected, value, entry) for entry in error.errors()]
        except ParameterError as error:
            faults.append(f"parameter '{key}': {error}")
    if faults:
        raise ParameterError("\n  ".join(faults))


def _place(value: Any, entry: Any) -> list[str]:
    """Where a fault lies in what was written: without the kinds of a union that Pydantic adds."""
    place = []
    for position, part in enumerate(entry["loc"]):
        last = position == len(entry["loc"]) - 1
        known = (isinstance(value, Mapping) and part in value) or (
            isinstance(value, list) and isinstance(part, int)
        )
        if known or (last and entry["type"] == "missing"):
            place.append(str(part))
        if known:
            value = value[part]
    return place


def _fault(key: str, expected: Any, value: Any, entry: Any) -> str:
    name = ".".join([key, *_place(value, entry)])
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
    if entry["type"] == "value_error" and isinstance(entry["input"], Mapping):
        # What is wrong with a whole block is said by its own check.
        return f"parameter '{name}': {message.rstrip('.')}."
    return f"parameter '{name}': {message}; got {entry['input']!r}."


def check_forecasters(parameters: Mapping[str, Any]) -> None:
    """Check what depends on more than one block.

    These are the seal, the budgets, the search spaces, the history that an asset must have for
    every forecaster when it joins the universe, the regimes that supervise one, the forecaster
    whose volatility forecasts are used, what published figures are set against, and the device.

    Args:
        parameters: Validated parameters, blocks as their types.

    Raises:
        ParameterError: Names the forecaster, and the dimension or the number of bars.
    """
    _check_seal(parameters)
    _check_volatility_source(parameters)
    _check_published(parameters)
    _check_budgets(parameters)
    resolve_device(parameters["compute"].device)
    named = _regime_names(parameters["regimes"])
    universe, walk_forward = parameters["universe"], parameters["walk_forward"]
    shared = Shared(walk_forward, parameters["training"], parameters["compute"])
    for name, block in parameters.items():
        choice = block.get("forecaster") if isinstance(block, Mapping) else None
        if not isinstance(choice, ForecasterChoice):
            continue
        space = block.get("space")
        dimensions = space.root if isinstance(space, SearchSpace) else {}
        if isinstance(space, SearchSpace):
            _check_search(name, choice, dimensions, parameters, shared)
        forecaster = build_forecaster(choice, shared, most_demanding(dimensions))
        regimes = forecaster.required_regimes()
        if regimes and regimes != set(named):
            raise ParameterError(
                f"{name}: label_weight above 0 needs regimes named {', '.join(sorted(regimes))}; "
                f"regimes has {', '.join(named) or 'a number chosen later'}. Choose a labeller "
                f"with those regimes, or set label_weight to 0 in {name}.space and in the "
                f"objective of {name}.forecaster.params."
            )
        needed = forecaster.required_history()
        if needed > universe.min_history:
            raise ParameterError(
                f"universe.min_history is {universe.min_history} bars and {name} needs {needed} "
                "(lookback and warm-up of its features) before its first forecast. Raise "
                "universe.min_history or shorten the lookback."
            )


def _regime_names(regimes: Regimes) -> tuple[str, ...]:
    """Names of the regimes; none where their number is chosen on the prices."""
    labeller: Labeller = build(regimes.labeller, Labeller)
    if regimes.n_regimes == "auto":
        return ()
    if regimes.n_regimes is not None:
        labeller = with_n_regimes(labeller, regimes.n_regimes)
    return labeller.regime_names


def _check_search(
    name: str,
    choice: ForecasterChoice,
    space: Space,
    parameters: Mapping[str, Any],
    shared: Shared,
) -> None:
    """Refuse a space without dimensions, with unknown or impossible ones, or too small a budget."""
    cls: type[NeuralForecaster] = load_class(choice.class_path, NeuralForecaster)
    if not space:
        raise ParameterError(f"{name}.space has no dimension; name at least one choice.")
    check_space(cls, space)
    try:
        check_combinations(cls, forecaster_arguments(choice, shared), space)
        assets = parameters["universe"].assets
        check_budget(
            parameters["search"],
            parameters["training"].batch_dates,
            # Two at least; how many there are in all is known when prices are read.
            len(assets) if assets else 2,
            cells=finds_cells(cls, space),
        )
    except ParameterError as error:
        raise ParameterError(f"{name}: {error}") from error


def _check_budgets(parameters: Mapping[str, Any]) -> None:
    """Refuse what cannot pay for one batch of two assets, or train on a window too short."""
    training = parameters["training"]
    universe, walk_forward = parameters["universe"], parameters["walk_forward"]
    least = 2 * training.batch_dates
    if training.max_samples < least:
        raise ParameterError(
            f"training.max_samples is {training.max_samples} gradient samples and one batch of "
            f"training.batch_dates {training.batch_dates} takes at least {least}. Raise it."
        )
    needed = universe.min_history + walk_forward.execution_lag + walk_forward.horizon
    if walk_forward.window_bars is not None and walk_forward.window_bars < needed:
        raise ParameterError(
            f"walk_forward.window_bars is {walk_forward.window_bars} and a training window needs "
            f"at least {needed} bars (universe.min_history + execution lag + horizon)."
        )


def _check_seal(parameters: Mapping[str, Any]) -> None:
    """Refuse a seal that leaves no out-of-sample day; how many bars are left, prices will tell."""
    sealed_from = parameters["universe"].sealed_from
    first_oos = parameters["walk_forward"].first_oos
    if sealed_from is not None and sealed_from <= first_oos:
        raise ParameterError(
            f"universe.sealed_from {sealed_from} does not lie after walk_forward.first_oos "
            f"{first_oos}, which leaves nothing to evaluate before the seal. Seal later."
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


def _check_published(parameters: Mapping[str, Any]) -> None:
    """Refuse published figures of strategies, forecasters or groups that no run would make."""
    published: Published = parameters["published"]
    published.refuse_unknown_names(
        forecasters=[
            name
            for name, block in parameters.items()
            if isinstance(block, Mapping) and isinstance(block.get("forecaster"), ForecasterChoice)
        ],
        references=REFERENCES,
        groups={*parameters["verdict"].groups.values(), OTHER},
    )


def most_demanding(space: Space) -> dict[str, Any]:
    """The longest windows and the heaviest supervision that the search may find."""
    found: dict[str, Any] = {}
    for name, kind in (("lookback", int), ("label_weight", float)):
        dimension = space.get(name)
        if dimension is not None:
            options = dimension.options if isinstance(dimension, Options) else (dimension.high,)
            found[name] = max(kind(option) for option in options)
    if "label_weight" in found:
        found["objective"] = {"label_weight": found.pop("label_weight")}
    if "timeframes" in space:
        choices = map(timeframes_of_option, space["timeframes"].values())
        found["timeframes"] = max(choices, key=max)
    return found
