"""Means over values in time order whose neighbours depend on each other, with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from regime_nas_pipeline.core.errors import DataError, ParameterError

LEAST_BATCHES = 5
"""Batches that an interval needs."""


@dataclass(frozen=True, eq=False)
class BatchMeans:
    """Means and their intervals.

    Attributes:
        mean: Over all values, (...).
        low: Lower ends, (...); blank where there are too few batches.
        high: Upper ends, likewise.
        n_batches: Batches that the intervals rest on.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_batches: int


def batched(values: np.ndarray, size: int) -> np.ndarray:
    """Means of consecutive batches, (n_batches, ...).

    Args:
        values: (W, ...) in time order; what is left after the last whole batch is spread, so that
            batches hold ``size`` values or a few more.
        size: Values in a batch.

    Raises:
        DataError: There are no values.
        ParameterError: A batch would hold none.
    """
    if size < 1:
        raise ParameterError(f"a batch must hold at least one value, not {size}.")
    if not len(values):
        raise DataError("there are no values to average")
    parts = np.array_split(np.asarray(values, dtype=float), max(1, len(values) // size))
    return np.stack([part.mean(axis=0) for part in parts])


def batch_means(values: np.ndarray, size: int, *, level: float = 0.95) -> BatchMeans:
    """Means over the first axis with Student's intervals from the means of batches.

    Batches that are much longer than the dependence between values are nearly independent, and
    their spread gives the error of the whole mean.

    Args:
        values: (W, ...) in time order, no blanks.
        size: Values in a batch; see :func:`batched`.
        level: Coverage of the intervals.

    Raises:
        DataError: There are no values.
        ParameterError: A batch would hold none, or the level is not between 0 and 1.

    Source: Schmeiser, B. (1982). Batch Size Effects in the Analysis of Simulation Output.
    Operations Research 30(3).
    """
    if not 0.0 < level < 1.0:
        raise ParameterError(f"level must lie between 0 and 1 and is {level}.")
    batches = batched(values, size)
    n = len(batches)
    mean = np.asarray(values, dtype=float).mean(axis=0)
    half = np.full(mean.shape, np.nan)
    if n >= LEAST_BATCHES:
        half = student.ppf(0.5 + level / 2.0, n - 1) * batches.std(axis=0, ddof=1) / np.sqrt(n)
    return BatchMeans(mean, mean - half, mean + half, n)
