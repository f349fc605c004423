"""Whether a search can do what it is asked to, before anything of it runs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.params import check_arguments
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.search.space import Dimension, Interval, Space
from regime_nas_pipeline.walkforward.parameters import Search


def check_combinations(
    forecaster: type[NeuralForecaster], arguments: Mapping[str, Any], space: Space
) -> None:
    """Refuse a space in which some candidate cannot be built.

    Every value of a dimension by itself, both ends of every interval, and every whole number
    together with every other value (heads that do not divide a width) are tried, the remaining
    dimensions at their first value.

    Args:
        forecaster: Class of the candidates.
        arguments: Constructor arguments that are not searched.
        space: What may be chosen.

    Raises:
        ParameterError: Names the values, and what does not fit.
    """
    first = {name: _values(dimension)[0] for name, dimension in space.items()}
    for changed in _changes(space):
        found = forecaster.from_choices({**first, **changed})
        found.pop("nodes", None)
        try:
            checked = check_arguments(forecaster, found) if len(changed) == 1 else found
            forecaster(**{**arguments, **checked}).check_shape()
        except ParameterError as error:
            tried = ", ".join(f"{name} {value!r}" for name, value in changed.items())
            raise ParameterError(
                f"the search space allows {tried}, which builds no network: {error}"
            ) from error


def _changes(space: Space) -> Iterator[dict[str, Any]]:
    for name, dimension in space.items():
        for value in _values(dimension):
            yield {name: value}
    listed = {
        name: dimension.values() for name, dimension in space.items() if dimension.size() < math.inf
    }
    for one, other in itertools.combinations(listed, 2):
        if _are_whole(listed[one]) or _are_whole(listed[other]):
            for values in itertools.product(listed[one], listed[other]):
                yield dict(zip((one, other), values, strict=True))


def _are_whole(values: tuple[Any, ...]) -> bool:
    return all(isinstance(value, int) for value in values)


def _values(dimension: Dimension) -> tuple[Any, ...]:
    """Every value; of a continuous interval both ends."""
    if isinstance(dimension, Interval) and not dimension.integer:
        return (dimension.low, dimension.high)
    return dimension.values()


def finds_cells(forecaster: type[NeuralForecaster], space: Space) -> bool:
    """Whether every trial looks for cells, which are then not in the space themselves."""
    if not issubclass(forecaster, RegimeNasForecaster):
        return False
    first = {name: _values(dimension)[0] for name, dimension in space.items()}
    return "blocks" not in forecaster.from_choices(first)


def check_budget(search: Search, batch_dates: int, n_assets: int, *, cells: bool) -> None:
    """Refuse a budget of which one trial cannot pay for one batch of each of its parts.

    Args:
        search: Budget, trials, and the cell search.
        batch_dates: Decision dates in a batch.
        n_assets: Assets of each date; a batch has at most so many windows of each.
        cells: Whether trials look for cells.

    Raises:
        ParameterError: Names the part, what it gets and what it needs.
    """
    share, batch = search.budget // search.trials, batch_dates * n_assets
    proxy = search.efficiency.proxy
    if proxy is not None:
        share = int(proxy.budget * share)
    parts = {"training the candidate": (share, batch)}
    settings = search.cell_search
    if cells and settings.method == "gradient":
        plan = settings.plan(int(share * settings.budget_share))
        limit = plan.training_samples
        needed = batch * (1 + _steps_before_alpha(plan.warm_up * limit, batch, plan.alpha_every))
        parts["training the supernet"] = (limit, needed if plan.path == "mixture" else batch)
        if plan.top_k > 1:
            networks = plan.top_k * plan.retrain_seeds
            kept = plan.max_samples - plan.supernet_samples
            parts["retraining each of the best cells"] = (kept // networks, batch)
        parts["training the candidate"] = (share - plan.max_samples, batch)
    for part, (paid, needed) in parts.items():
        if paid < needed:
            raise ParameterError(
                f"search.budget is {search.budget} gradient samples for {search.trials} trials; "
                f"that leaves {paid} for {part}, which takes at least {needed} (batches of "
                f"{batch_dates} dates x {n_assets} assets). Raise search.budget or lower "
                "search.trials or training.batch_dates."
            )


def _steps_before_alpha(warm_up: float, batch: int, every: int) -> int:
    """Weight steps, of a whole batch each, up to the first architecture step."""
    steps = max(1, math.ceil(warm_up / batch))
    return every * math.ceil(steps / every)
