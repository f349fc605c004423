"""Errors of means over bars whose outcomes overlap and depend on each other for long."""

from __future__ import annotations

import math

import numpy as np

from regime_nas_pipeline.verdict.comparison.dependence import (
    MIN_BARS,
    is_constant,
    long_run_variance,
)

LEAST_BLOCKS = MIN_BARS
"""Blocks that :func:`error_of_sum` needs."""


def influence_on_mean(values: np.ndarray, here: np.ndarray) -> np.ndarray:
    """What each bar adds to the error of the mean of ``values`` over the bars ``here``, (T,).

    Args:
        values: (T,), no blanks.
        here: (T,) bool, at least one true.

    Returns:
        Deviation from the mean ÷ number of bars, zero on other bars; sums to zero. The error of
        a difference of means has the difference of their influences.
    """
    own = values[here]
    if is_constant(own, float(np.abs(own).max())):
        return np.zeros(len(values))
    influence: np.ndarray = np.where(here, values - own.mean(), 0.0) / here.sum()
    return influence


def error_of_sum(influence: np.ndarray, block: int) -> float:
    """Standard error of a sum of dependent terms, allowing for dependence of any length.

    The terms are added up over blocks of consecutive bars, and the long-run variance of these
    sums gives the error. The blocks hide the flicker of labels that change from bar to bar, which
    would mislead the bandwidth about how long the outcomes depend on each other.

    Args:
        influence: (T,), at least ``LEAST_BLOCKS`` x ``block`` bars.
        block: Bars per block; the last block may be shorter.

    Raises:
        DataError: There are too few blocks.
    """
    sums = np.add.reduceat(influence, np.arange(0, len(influence), block))
    return math.sqrt(len(sums) * long_run_variance(sums))
