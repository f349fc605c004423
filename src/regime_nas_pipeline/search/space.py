"""A flat search space as data: what each macro choice may be."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import Field, FiniteFloat, field_validator, model_validator

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.params import Strict

Value = int | float | str


class Options(Strict):
    """One of several values.

    Numbers among themselves are ordered: strategies treat 8, 16 and 32 as steps of a scale, not
    as three unrelated names. Only their order counts, not the distances between them.
    """

    kind: Literal["options"] = "options"
    options: tuple[Value, ...] = Field(min_length=1)

    @field_validator("options")
    @classmethod
    def _differ(cls, options: tuple[Value, ...]) -> tuple[Value, ...]:
        if len(set(options)) < len(options):
            raise ValueError(f"options must differ; got {list(options)}")
        return options

    @property
    def ordered(self) -> bool:
        """Whether the options are numbers."""
        return not any(isinstance(option, str) for option in self.options)

    def size(self) -> float:
        """Number of values."""
        return len(self.options)

    def values(self) -> tuple[Value, ...]:
        """Every value; numbers from small to large."""
        return tuple(sorted(self.options)) if self.ordered else self.options

    def contains(self, value: Any) -> bool:
        """Whether ``value`` is one of the options."""
        return value in self.options

    def sample(self, generator: np.random.Generator) -> Value:
        """One option, uniformly."""
        return self.options[int(generator.integers(len(self.options)))]

    def encode(self, value: Any) -> list[float]:
        """Coordinates in the unit cube: the rank of a number, one-hot for names."""
        place = self.values().index(value)
        if self.ordered:
            return [place / max(1, len(self.options) - 1)]
        return [float(place == other) for other in range(len(self.options))]

    def distribution(self) -> BaseDistribution:
        """The same as Optuna knows it."""
        return CategoricalDistribution(self.options)


class Interval(Strict):
    """A number between two bounds, both included."""

    kind: Literal["interval"] = "interval"
    low: FiniteFloat
    high: FiniteFloat
    log: bool = False
    integer: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Interval:
        if self.high < self.low or (self.log and self.low <= 0):
            raise ValueError(
                f"needs low <= high, and low > 0 on a log scale; got {self.low} and {self.high}"
            )
        if self.integer and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(f"needs whole bounds; got {self.low} and {self.high}")
        return self

    def size(self) -> float:
        """Number of values; infinite for a continuous interval."""
        if self.high == self.low:
            return 1
        return self.high - self.low + 1 if self.integer else math.inf

    def values(self) -> tuple[Value, ...]:
        """Every value from small to large.

        Raises:
            ParameterError: The interval is continuous.
        """
        if self.integer:
            return tuple(range(int(self.low), int(self.high) + 1))
        if self.high == self.low:
            return (self.low,)
        raise ParameterError(f"the interval from {self.low} to {self.high} cannot be enumerated.")

    def contains(self, value: Any) -> bool:
        """Whether ``value`` lies in the interval."""
        if isinstance(value, str):
            return False
        return bool(self.low <= value <= self.high) and (
            not self.integer or float(value).is_integer()
        )

    def sample(self, generator: np.random.Generator) -> Value:
        """One value, uniformly (of the logarithm on a log scale)."""
        return self.decode(float(generator.random()))

    def encode(self, value: Any) -> list[float]:
        """The one coordinate in the unit cube."""
        low, high = self._edges()
        if high == low:
            return [0.5]
        place = math.log(value) if self.log else float(value)
        return [min(1.0, max(0.0, (place - low) / (high - low)))]

    def decode(self, place: float) -> Value:
        """The value at a coordinate from 0 to 1."""
        low, high = self._edges()
        value = low + place * (high - low)
        if self.log:
            value = math.exp(value)
        value = min(self.high, max(self.low, value))
        return min(int(self.high), max(int(self.low), round(value))) if self.integer else value

    def distribution(self) -> BaseDistribution:
        """The same as Optuna knows it."""
        if self.integer:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def _edges(self) -> tuple[float, float]:
        # A whole number stands for the half on either side, or the outer ones would be rare.
        half = 0.5 if self.integer and self.high > self.low else 0.0
        low, high = self.low - half, self.high + half
        return (math.log(low), math.log(high)) if self.log else (low, high)


Dimension = Annotated[Options | Interval, Field(discriminator="kind")]
Space = dict[str, Dimension]


def check_space(space: Space) -> None:
    """Refuse a space in which there is nothing to choose.

    Raises:
        ParameterError: The space has no dimension.
    """
    if not space:
        raise ParameterError("the search space has no dimension; name at least one choice.")


def check_choices(space: Space, choices: Mapping[str, Any]) -> None:
    """Refuse choices that are no candidate of the space.

    Raises:
        ParameterError: Names the first dimension that is absent, unknown or out of range.
    """
    for name in choices:
        if name not in space:
            raise ParameterError(
                f"choice '{name}' is no dimension of the space; it has: {', '.join(space)}."
            )
    for name, dimension in space.items():
        if name not in choices:
            raise ParameterError(f"dimension '{name}' of the space has no value; name one.")
        if not dimension.contains(choices[name]):
            allowed = dimension.model_dump(mode="json", exclude_defaults=True)
            raise ParameterError(
                f"dimension '{name}': {choices[name]!r} is not in the space; it allows {allowed}."
            )


def space_size(space: Space) -> float:
    """Number of candidates; infinite where a dimension is continuous."""
    return math.prod(dimension.size() for dimension in space.values())


def sample(space: Space, generator: np.random.Generator) -> dict[str, Any]:
    """One candidate, uniformly, every dimension by itself; the space's order kept."""
    return {name: dimension.sample(generator) for name, dimension in space.items()}


def enumerate_space(space: Space) -> Iterator[dict[str, Any]]:
    """Every candidate of a finite space; the last dimension runs fastest.

    Raises:
        ParameterError: A dimension is continuous.
    """
    for values in itertools.product(*(dimension.values() for dimension in space.values())):
        yield dict(zip(space, values, strict=True))


def encode(space: Space, choices: Mapping[str, Any]) -> np.ndarray:
    """A candidate as a point of the unit cube, (coordinates,).

    An interval and ordered options take one coordinate each, unordered options one per name
    (one-hot).
    """
    return np.array(
        [place for name, dimension in space.items() for place in dimension.encode(choices[name])]
    )
