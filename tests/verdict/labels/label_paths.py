"""Small labels for the tests on their quality."""

from __future__ import annotations

import numpy as np
import pandas as pd

from regime_nas_pipeline.verdict.labels.states import RegimePath

TWO = ("calm", "stressed")
THREE = ("calm", "middle", "stressed")


def dates_of(n: int) -> pd.DatetimeIndex:
    return pd.bdate_range("2000-01-03", periods=n, name="date")


def path_of(states: str | np.ndarray, names: tuple[str, ...] = TWO) -> RegimePath:
    """Labels from digits such as "0011"."""
    numbers = np.array([int(state) for state in states])
    return RegimePath(dates_of(len(numbers)), numbers, names)


def labels_of(states: str | np.ndarray, names: tuple[str, ...] = TWO) -> pd.DataFrame:
    """The same as probabilities, four parts sure."""
    path = path_of(states, names)
    values = np.full((len(path.states), len(names)), 0.2 / (len(names) - 1))
    values[np.arange(len(path.states)), path.states] = 0.8
    return pd.DataFrame(values, index=path.dates, columns=list(names))


def chain(n: int, stay: tuple[float, ...], seed: int) -> np.ndarray:
    """States of a chain that stays in state k with probability stay[k], else moves to the next."""
    generator = np.random.default_rng(seed)
    draws = generator.random(n)
    states, now = np.empty(n, dtype=int), 0
    for bar, draw in enumerate(draws):
        states[bar] = now
        if draw >= stay[now]:
            now = (now + 1) % len(stay)
    return states


def returns_of(values: np.ndarray) -> pd.Series:
    return pd.Series(values, index=dates_of(len(values)), name="index")


def refits_of(*rows: tuple[int, bool, float], n: int, permutation: str = "0,1") -> pd.DataFrame:
    """One row per refit: bar, whether it changed its bar's label, share relabelled."""
    dates = dates_of(n)
    return pd.DataFrame(
        {
            "date": [dates[bar] for bar, _, _ in rows],
            "permutation": permutation,
            "switched_by_refit": [changed for _, changed, _ in rows],
            "share_relabelled": [share for _, _, share in rows],
        }
    )
