"""A flat search space as data: what each macro choice may be."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, cast

import optuna
from pydantic import Field, FiniteFloat, model_validator

from regime_nas_pipeline.core.params import Strict

Value = int | float | str


class Options(Strict):
    """One of several values."""

    kind: Literal["options"] = "options"
    options: tuple[Value, ...] = Field(min_length=1)

    def suggest(self, trial: optuna.Trial, name: str) -> Value:
        """Let Optuna propose a value."""
        return cast(Value, trial.suggest_categorical(name, self.options))

    def size(self) -> float:
        """Number of values."""
        return len(self.options)


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

    def suggest(self, trial: optuna.Trial, name: str) -> Value:
        """Let Optuna propose a value."""
        if self.integer:
            return trial.suggest_int(name, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def size(self) -> float:
        """Number of values; infinite for a continuous interval."""
        return self.high - self.low + 1 if self.integer else math.inf


Dimension = Annotated[Options | Interval, Field(discriminator="kind")]
Space = dict[str, Dimension]


def suggest(trial: optuna.Trial, space: Space) -> dict[str, Any]:
    """One proposal: a value for every dimension, the space's order kept."""
    return {name: dimension.suggest(trial, name) for name, dimension in space.items()}
