"""Forecasts of classes and what came true, for the tests of their scores."""

from __future__ import annotations

import numpy as np
import pandas as pd

NAMES = ["calm", "middle", "stressed"]


def days(n: int) -> pd.DatetimeIndex:
    return pd.bdate_range("2001-01-01", periods=n, name="date")


def forecast(values: object, names: list[str] = NAMES) -> pd.DataFrame:
    array = np.asarray(values, dtype=float)
    return pd.DataFrame(array, index=days(len(array)), columns=names)


def binary(switch: object) -> pd.DataFrame:
    chance = np.asarray(switch, dtype=float)
    return forecast(np.column_stack([1.0 - chance, chance]), ["stay", "switch"])


def outcome_of(classes: list[str] | np.ndarray) -> pd.Series:
    return pd.Series(np.asarray(classes, dtype=object), index=days(len(classes)))


def knows_and_guesses() -> tuple[dict[str, pd.DataFrame], pd.Series]:
    """Three classes: a forecast that knows their chances, and one that knows nothing."""
    generator = np.random.default_rng(4)
    chances = generator.dirichlet([1.0, 1.0, 1.0], 600)
    truth = [NAMES[generator.choice(3, p=row)] for row in chances]
    return {"knows": forecast(chances), "guesses": forecast(np.full((600, 3), 1 / 3))}, outcome_of(
        truth
    )
