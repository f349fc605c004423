"""Difference of two Sharpe ratios when returns are neither normal nor independent over time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.statistics import known_returns
from regime_nas_pipeline.verdict.comparison.dependence import (
    MIN_BARS,
    block_length_for,
    checked_block_length,
    is_constant,
    long_run_variance,
)

N_RESAMPLES = 5000
_CHUNK = 500_000
_NO_VARIANCE = 1e-10


@dataclass(frozen=True)
class RobustSharpeTest:
    """Test of equal Sharpe ratios by Ledoit and Wolf.

    Attributes:
        difference: Sharpe ratio of the first minus that of the second, per bar.
        standard_error: Of the difference, robust to fat tails and dependence over time.
        z: Difference ÷ standard error; NaN where the series cannot be told apart at all.
        p_two_sided: Share of resamples in which |z*| is at least |z|; 1 where ``z`` is NaN.
        p_beats: Share of resamples in which z* is at least z: small if the first has the higher
            ratio; 1 where ``z`` is NaN.
        block_length: Bars per resampled block; None where nothing was resampled.
        n_resamples: Resamples drawn, 0 where none were.
        n: Bars compared.
    """

    difference: float
    standard_error: float
    z: float
    p_two_sided: float
    p_beats: float
    block_length: int | None
    n_resamples: int
    n: int


def ledoit_wolf(
    a: pd.Series | np.ndarray,
    b: pd.Series | np.ndarray,
    risk_free_per_bar: float = 0.0,
    *,
    block_length: int | None = None,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> RobustSharpeTest:
    """Test that two strategies have the same Sharpe ratio by a studentised block bootstrap.

    The standard error is the delta method's, with the prewhitened quadratic-spectral kernel on
    the series that the gradient makes of the four moments (two means, two means of squares):
    for a given bandwidth this equals the quadratic form in their covariance matrix, and it
    lets Andrews' bandwidth be that of the one combination that matters. The p-values
    come from circular blocks of both series together; each resample is divided by its own
    standard error, which the spread of its blocks gives. Stationary returns with dependence that
    fades within a block are assumed, no distribution.

    Args:
        a: Simple returns per bar of the first strategy, (T,).
        b: The same of the second, on the same bars, (T,).
        risk_free_per_bar: Simple risk-free return per bar.
        block_length: Bars per block, at most a tenth of the sample. None takes the length of
            Politis and White for that same combined series, and not the paper's
            calibration, which simulates the whole test for every candidate length.
        n_resamples: Resamples; no p-value is below 1 / (n_resamples + 1).
        seed: Of the blocks drawn.

    Raises:
        DataError: A return is blank, the series are not on the same bars, or there are fewer
            than 30.
        ParameterError: There are no resamples, or the block length does not fit.

    Source: Ledoit, O. and Wolf, M. (2008). Robust Performance Hypothesis Testing with the Sharpe
    Ratio. Journal of Empirical Finance 15(5).
    """
    if n_resamples < 1:
        raise ParameterError(f"n_resamples must be at least 1 and is {n_resamples}.")
    first, second = _aligned(a, b)
    n = len(first)
    if block_length is not None:
        checked_block_length(block_length, n)
    if any(is_constant(values, float(np.abs(values).max())) for values in (first, second)):
        return _undecided(math.nan, n)
    values = _moment_series(first - risk_free_per_bar, second - risk_free_per_bar)
    moments = values.mean(axis=0)
    influence = (values - moments) @ sharpe_gradient(moments)
    correction = math.sqrt((n - 1) / n)
    difference = correction * float(sharpe_difference(moments))
    if influence.std() < _NO_VARIANCE:
        return _undecided(0.0, n)
    # The four estimated moments cost degrees of freedom, as in the paper.
    error = math.sqrt(long_run_variance(influence) / (n - 4))
    if error == 0.0:
        return _undecided(difference, n)
    length = block_length_for(influence) if block_length is None else block_length
    z = difference / error
    resampled = _resampled_z(values, difference, length, n_resamples, seed)
    # A resample without spread has no z; counting it as extreme can only raise the p-values.
    as_large = int((~(np.abs(resampled) < abs(z))).sum())
    as_high = int((~(resampled < z)).sum())
    return RobustSharpeTest(
        difference=difference,
        standard_error=error,
        z=z,
        p_two_sided=(as_large + 1) / (n_resamples + 1),
        p_beats=(as_high + 1) / (n_resamples + 1),
        block_length=length,
        n_resamples=n_resamples,
        n=n,
    )


def sharpe_difference(moments: np.ndarray) -> np.ndarray:
    """Difference of the Sharpe ratios, (...), from moments, (..., 4).

    The moments are mean a, mean b, mean a², mean b²; variances are mean squares less squared
    means (ddof 0).
    """
    mean, square = moments[..., :2], moments[..., 2:]
    ratio = mean / np.sqrt(square - mean**2)
    return np.asarray(ratio[..., 0] - ratio[..., 1])


def sharpe_gradient(moments: np.ndarray) -> np.ndarray:
    """Gradient of :func:`sharpe_difference` in its four moments, (..., 4).

    Source: Ledoit and Wolf (2008), section 3.1.
    """
    mean, square = moments[..., :2], moments[..., 2:]
    cubed = (square - mean**2) ** 1.5
    sign = np.array([1.0, -1.0])
    return np.concatenate([sign * square / cubed, -0.5 * sign * mean / cubed], axis=-1)


def _aligned(a: pd.Series | np.ndarray, b: pd.Series | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(a, pd.Series) and isinstance(b, pd.Series) and not a.index.equals(b.index):
        raise DataError("the two return series are not on the same dates", column=str(b.name))
    first, second = known_returns(a), known_returns(b)
    if len(first) != len(second) or len(first) < MIN_BARS:
        raise DataError(
            f"a robust Sharpe comparison needs two series of one length and at least {MIN_BARS} "
            f"bars; they have {len(first)} and {len(second)}"
        )
    return first, second


def _moment_series(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Values of which the four moments are the means, (T, 4); leverage cancels in the ratios."""
    pair = np.column_stack([first / first.std(), second / second.std()])
    return np.hstack([pair, pair**2])


def _undecided(difference: float, n: int) -> RobustSharpeTest:
    return RobustSharpeTest(difference, math.nan, math.nan, 1.0, 1.0, None, 0, n)


def _resampled_z(
    values: np.ndarray, difference: float, length: int, n_resamples: int, seed: int
) -> np.ndarray:
    """Studentised differences around the observed one, (n_resamples,)."""
    n = len(values)
    n_blocks = n // length
    rng = np.random.default_rng(seed)
    wrapped = np.concatenate([np.zeros((1, 4)), values, values[: length - 1]]).cumsum(axis=0)
    block_means = (wrapped[length:] - wrapped[:-length]) / length
    correction = math.sqrt((n_blocks * length - 1) / (n_blocks * length))
    chunk = max(1, _CHUNK // n_blocks)
    parts = []
    for begin in range(0, n_resamples, chunk):
        size = (min(chunk, n_resamples - begin), n_blocks)
        drawn = block_means[rng.integers(n, size=size)]
        moments = drawn.mean(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            gradient = sharpe_gradient(moments)
            spread = (drawn @ gradient[:, :, None])[:, :, 0]
            spread -= (moments * gradient).sum(axis=1, keepdims=True)
            error = np.sqrt((spread**2).sum(axis=1)) / n_blocks
            parts.append((correction * sharpe_difference(moments) - difference) / error)
    return np.concatenate(parts)
