"""Which bars may be trained on: purged sample rows and purged validation tails.

A sample at row s looks back over ``history`` rows and its target ends at row
s + execution_lag + horizon. It may be used only where that whole target is known.
"""

from __future__ import annotations

import math

import numpy as np

from regime_nas_pipeline.core.errors import DataError


def sample_rows(n_bars: int, *, history: int, execution_lag: int, horizon: int) -> np.ndarray:
    """Rows whose history and whole target lie inside ``n_bars`` bars.

    Args:
        n_bars: Bars that are known.
        history: Rows that a sample looks back over, itself included.
        execution_lag: Bars between decision and trade.
        horizon: Bars of the target return.

    Returns:
        Increasing row numbers; empty where the data is too short.
    """
    return np.arange(history - 1, max(history - 1, n_bars - execution_lag - horizon))


def purged_tail(
    rows: np.ndarray, *, fraction: float, execution_lag: int, horizon: int, embargo: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Split sample rows in time into a training part and a purged validation tail.

    A training row s is kept if s + execution_lag + horizon + embargo <= first validation row, so
    that its whole target was known (``embargo`` bars ago) when the first validation sample was
    taken.

    Returns:
        Training rows and validation rows, both increasing.

    Raises:
        DataError: One of the two parts would be empty.
    """
    n_validation = math.ceil(fraction * len(rows))
    validation = rows[len(rows) - n_validation :]
    training = rows[:0]
    if len(validation):
        training = rows[rows + execution_lag + horizon + embargo <= validation[0]]
    if not len(training) or not len(validation):
        raise DataError(
            f"{len(rows)} usable training bars cannot be split into a training part and a "
            f"purged validation tail of {fraction:.0%}",
            source="prices",
            remedy="start the data earlier, move first_oos later, or shorten horizon or lookback.",
        )
    return training, validation


def strided(rows: np.ndarray, every: int, phase: int = 0) -> np.ndarray:
    """Every n-th row, counted back from the last one so that the newest is kept at phase 0.

    Where there are fewer rows than ``every``, the phases run over the rows that there are, so
    that no phase is empty.
    """
    phases = max(1, min(every, len(rows)))
    return rows[::-1][phase % phases :: every][::-1]
