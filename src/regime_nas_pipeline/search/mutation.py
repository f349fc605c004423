"""One-gene mutation and uniform crossover of candidates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from regime_nas_pipeline.search.space import Interval, Options, Space, Value

_STEP = 0.15
"""Standard deviation of a local step on an interval, as a part of its length."""


def mutated(
    space: Space, choices: Mapping[str, Any], generator: np.random.Generator, *, local: float
) -> dict[str, Any]:
    """A copy in which one choice differs, drawn among the dimensions that have another value.

    Args:
        space: What may be chosen.
        choices: A candidate of the space.
        generator: Draws the dimension and its value.
        local: Probability that a number moves to a value close by and is not drawn anew.

    Returns:
        The copy; the same choices where the space has one candidate only.
    """
    movable = [name for name, dimension in space.items() if dimension.size() > 1]
    if not movable:
        return dict(choices)
    name = movable[int(generator.integers(len(movable)))]
    return {**choices, name: _other(space[name], choices[name], generator, local)}


def crossed(
    first: Mapping[str, Any], second: Mapping[str, Any], generator: np.random.Generator
) -> dict[str, Any]:
    """Uniform crossover: every choice from either parent with the same probability."""
    coins = generator.random(len(first)) < 0.5
    return {
        name: first[name] if coin else second[name] for name, coin in zip(first, coins, strict=True)
    }


def _other(
    dimension: Options | Interval, value: Value, generator: np.random.Generator, local: float
) -> Value:
    close = bool(generator.random() < local)
    if isinstance(dimension, Interval):
        return _other_in_interval(dimension, value, generator, close)
    values = dimension.values()
    place = values.index(value)
    if close and dimension.ordered:
        reachable = [p for p in (place - 1, place + 1) if 0 <= p < len(values)]
    else:
        reachable = [p for p in range(len(values)) if p != place]
    return values[reachable[int(generator.integers(len(reachable)))]]


def _other_in_interval(
    dimension: Interval, value: Value, generator: np.random.Generator, close: bool
) -> Value:
    [place] = dimension.encode(value)
    found = value
    while found == value:
        moved = abs(place + generator.normal(0.0, _STEP)) if close else float(generator.random())
        # Reflected at the bounds, or they would be proposed far too often.
        found = dimension.decode(min(moved, 2.0 - moved))
    return found
