"""From regime probabilities to the regime that was said on each bar, and its spells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError, ParameterError

_SUM_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class RegimePath:
    """The regime that a labeller says on each bar.

    Attributes:
        dates: (T,) increasing.
        states: (T,) number of the regime, its place among the names.
        names: Names of the K regimes, in the labeller's order.
    """

    dates: pd.DatetimeIndex
    states: np.ndarray
    names: tuple[str, ...]

    def on(self, dates: pd.DatetimeIndex) -> RegimePath:
        """The same labels on some of their dates.

        Raises:
            DataError: One of the dates has no label.
        """
        places = self.dates.get_indexer(dates)
        if (places < 0).any():
            raise DataError("there is no label", date=dates[int(np.argmax(places < 0))])
        return RegimePath(dates, self.states[places], self.names)


@dataclass(frozen=True, eq=False)
class Spells:
    """Unbroken runs of one regime, in order of time.

    Attributes:
        start: (S,) row of the first bar.
        length: (S,) bars.
        state: (S,) number of the regime.
    """

    start: np.ndarray
    length: np.ndarray
    state: np.ndarray

    @property
    def stop(self) -> np.ndarray:
        """(S,) row after the last bar."""
        stop: np.ndarray = self.start + self.length
        return stop


def most_likely(labels: pd.DataFrame, source: str) -> RegimePath:
    """The most likely regime of each bar; of equally likely ones the first, which is the calmest.

    Args:
        labels: Date x regime name, probabilities; a first column ``date`` is taken as the index.
        source: Whose labels they are, for errors.

    Raises:
        DataError: There are no labels, the dates do not increase, or the probabilities of a bar
            are blank, negative or do not sum to one.
    """
    table = labels.set_index("date") if "date" in labels.columns else labels
    if table.empty:
        raise DataError("there are no labels", source=source)
    dates = pd.DatetimeIndex(table.index)
    if not (dates.is_monotonic_increasing and dates.is_unique):
        raise DataError(
            "the dates of the labels must increase",
            source=source,
            remedy="sort the labels by date and keep one row for each.",
        )
    values = table.to_numpy(dtype=float)
    faulty = ~(np.abs(values.sum(axis=1) - 1.0) < _SUM_TOLERANCE) | (values < 0.0).any(axis=1)
    if faulty.any():
        raise DataError(
            "regime probabilities are blank, negative or do not sum to 1",
            source=source,
            date=dates[int(np.argmax(faulty))],
        )
    return RegimePath(dates, values.argmax(axis=1), tuple(map(str, table.columns)))


def spells_of(states: np.ndarray) -> Spells:
    """Split a path, (T,), into its spells; the first and the last may be cut by the sample."""
    breaks = np.flatnonzero(states[1:] != states[:-1]) + 1
    start = np.concatenate([[0], breaks]) if len(states) else breaks
    return Spells(start, np.diff(np.append(start, len(states))), states[start])


def without_short_spells(states: np.ndarray, least: int) -> np.ndarray:
    """Let a regime last until another one comes that stays for ``least`` bars, (T,).

    Shorter spells count as part of what was there before them; the first spell is kept, however
    short. The whole spell must be seen to know its length, so this is for hindsight only.

    Args:
        states: (T,) numbers of the regimes.
        least: Bars; 1 changes nothing.

    Raises:
        ParameterError: ``least`` is below 1.
    """
    if least < 1:
        raise ParameterError(f"a spell lasts at least 1 bar, and {least} were asked for.")
    spells = spells_of(states)
    kept = spells.length >= least
    kept[:1] = True
    leader = np.maximum.accumulate(np.where(kept, np.arange(len(kept)), 0))
    settled: np.ndarray = np.repeat(spells.state[leader], spells.length)
    return settled


def common_dates(paths: Mapping[str, RegimePath]) -> pd.DatetimeIndex:
    """Dates on which every labeller speaks, so that all are judged on the same bars.

    Raises:
        DataError: There are no labellers, or no date has labels of all of them.
    """
    if not paths:
        raise DataError("there are no labels to judge")
    shared: pd.DatetimeIndex | None = None
    for path in paths.values():
        shared = path.dates if shared is None else shared.intersection(path.dates)
    if shared is None or not len(shared):
        raise DataError(
            "no date has labels of all labellers",
            source=", ".join(paths),
            remedy="label them over the same market.",
        )
    return shared


def by_volatility(path: RegimePath, returns: np.ndarray) -> np.ndarray:
    """Numbers of the regimes, calmest first by the index's moves on the bars so labelled, (K,).

    A description after the fact, so that regimes of different labellers can be matched; regimes
    that are never said come last, in their own order.

    Args:
        path: T labels.
        returns: One-bar log returns of the index on the same bars, (T,).
    """
    squares = [
        float((returns[path.states == state] ** 2).mean()) if said else np.inf
        for state, said in enumerate(_said(path.states, len(path.names)))
    ]
    return np.argsort(squares, kind="stable")


def _said(states: np.ndarray, n_regimes: int) -> Sequence[bool]:
    said: list[bool] = (np.bincount(states, minlength=n_regimes) > 0).tolist()
    return said
