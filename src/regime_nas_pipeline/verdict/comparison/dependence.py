"""Dependence over time: how much it widens the error of a mean, and how long blocks must be."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from regime_nas_pipeline.core.errors import DataError, ParameterError

MIN_BARS = 30
"""Bars that a variance over time or a block length can be estimated from at all."""

MIN_BLOCKS = 10
"""Blocks that a resample needs before their spread says anything."""

_MAX_AUTOCORRELATION = 0.97
_ROUNDING = 1e-12


def is_constant(values: np.ndarray, scale: float) -> bool:
    """Whether a series, (T,), never moves by more than rounding on numbers of size ``scale``."""
    return bool(np.ptp(values) <= _ROUNDING * scale)


def long_run_variance(series: np.ndarray) -> float:
    """Variance of √T x the mean of a stationary series: its autocovariances, summed.

    Quadratic-spectral kernel on the residuals of a first-order autoregression (prewhitening),
    with Andrews' automatic bandwidth for such residuals; the autoregression is put back
    afterwards. Its coefficient is kept within ±0.97, as Andrews and Monahan do.

    Args:
        series: (T,), no blanks.

    Returns:
        The variance, never negative; 0 for a series that never moves.

    Raises:
        DataError: There are fewer than 30 values.

    Source: Andrews, D. W. K. (1991). Heteroskedasticity and Autocorrelation Consistent Covariance
    Matrix Estimation. Econometrica 59(3); Andrews, D. W. K. and Monahan, J. C. (1992). An
    Improved Heteroskedasticity and Autocorrelation Consistent Covariance Matrix Estimator.
    Econometrica 60(4).
    """
    from arch.covariance.kernel import QuadraticSpectral  # noqa: PLC0415 - brings Matplotlib

    _enough(len(series))
    if is_constant(series, float(np.abs(series).max())):
        return 0.0
    centred = series - series.mean()
    slope = _autoregression(centred)
    white = centred[1:] - slope * centred[:-1]
    rest = _autoregression(white)
    alpha = 4.0 * rest**2 / (1.0 - rest) ** 4
    bandwidth = min(1.3221 * (alpha * len(white)) ** 0.2, len(white) - 1.0)
    kernel = QuadraticSpectral(white, bandwidth=bandwidth, center=False)
    return max(float(np.asarray(kernel.cov.long_run)[0, 0]) / (1.0 - slope) ** 2, 0.0)


def block_length_for(
    series: np.ndarray, bootstrap: Literal["circular", "stationary"] = "circular"
) -> int:
    """Block length with the smallest error of the bootstrap variance of the mean.

    Args:
        series: (T,) or (T, k); of several series the longest block is taken.
        bootstrap: Blocks of fixed length on a circle, or of geometric length with that mean.

    Returns:
        Whole bars, rounded up, at least 1 and at most a tenth of the sample, so that every
        resample holds at least ten blocks.

    Raises:
        DataError: There are fewer than 30 values.

    Source: Politis, D. N. and White, H. (2004). Automatic Block-Length Selection for the
    Dependent Bootstrap. Econometric Reviews 23(1); corrected by Patton, A., Politis, D. N. and
    White, H. (2009). Econometric Reviews 28(4).
    """
    from arch.bootstrap import optimal_block_length  # noqa: PLC0415 - brings Matplotlib

    _enough(len(series))
    lengths = optimal_block_length(series)[bootstrap].to_numpy()
    known = lengths[np.isfinite(lengths)]
    longest = math.ceil(known.max()) if known.size else 1
    return max(1, min(longest, len(series) // MIN_BLOCKS))


def checked_block_length(block_length: int, n: int) -> int:
    """A block length that was asked for, once it is known to leave at least ten blocks.

    Raises:
        ParameterError: It is below 1 or above a tenth of the ``n`` bars.
    """
    if not 1 <= block_length <= n // MIN_BLOCKS:
        raise ParameterError(
            f"block_length must be from 1 to {n // MIN_BLOCKS}, a tenth of the {n} bars, and is "
            f"{block_length}."
        )
    return block_length


def _autoregression(centred: np.ndarray) -> float:
    energy = float(centred[:-1] @ centred[:-1])
    slope = float(centred[1:] @ centred[:-1]) / energy if energy > 0.0 else 0.0
    return min(max(slope, -_MAX_AUTOCORRELATION), _MAX_AUTOCORRELATION)


def _enough(n: int) -> None:
    if n < MIN_BARS:
        raise DataError(
            f"dependence over time cannot be estimated from {n} bars",
            remedy=f"compare on at least {MIN_BARS} bars.",
        )
