"""Covariances of ever longer histories, updated from one decision to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from regime_nas_pipeline.portfolio.covariance import (
    MIN_COMMON_ROWS,
    checked_horizon,
    common_rows,
)

BLOCK = 128
"""Bars that are summed at once. Blocks lie at fixed rows, so that a sum has the same bits whichever
decisions were made before it."""


@dataclass(frozen=True)
class _Sums:
    """Sums over bars x that all n assets share, with q = x'x: what Ledoit-Wolf needs to know."""

    bars: int
    first: np.ndarray  # Σx, (n,)
    second: np.ndarray  # Σxx', (n, n)
    square: float  # Σq
    third: np.ndarray  # Σqx, (n,)
    fourth: float  # Σq²
    low: np.ndarray  # least x, (n,)
    high: np.ndarray  # largest x, (n,)

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(
            self.bars + other.bars,
            self.first + other.first,
            self.second + other.second,
            self.square + other.square,
            self.third + other.third,
            self.fourth + other.fourth,
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
        )


class ExpandingCovariance:
    """Ledoit-Wolf covariances as of :func:`~.covariance.horizon_covariance`, bar by bar cheaper.

    The shrinkage depends on the bars through sums of their first four powers alone, so new bars
    are added to the sums and old ones never read again. Another set of assets shares other bars:
    its sums start from the first bar. Numbers are those of the formula on all bars, to rounding,
    and to the bit the same whichever decisions were asked for before.

    Args:
        log_returns: One-bar log returns, (T, N), blank where an asset has no price.
        assets: Names for error messages, length N.
    """

    def __init__(self, log_returns: np.ndarray, assets: Sequence[str]) -> None:
        self._returns = log_returns
        self._names = list(assets)
        self._columns = np.zeros(0, dtype=int)
        self._blocks = 0
        self._sums = _sums_of(np.zeros((0, 0)))

    def until(self, rows: int, columns: np.ndarray, horizon: int) -> np.ndarray:
        """Covariance over ``horizon`` bars from the first ``rows`` bars, and from no other.

        Args:
            rows: Bars known at the decision.
            columns: Positions of the n assets to choose from, increasing.
            horizon: Bars that the decision will be held for.

        Returns:
            (n, n), symmetric and positive definite.

        Raises:
            DataError: Fewer than 20 common bars, or an asset that never moves.
            ParameterError: The horizon is shorter than one bar.
        """
        checked_horizon(horizon)
        if not np.array_equal(columns, self._columns) or rows < self._blocks * BLOCK:
            self._columns, self._blocks = columns.copy(), 0
            self._sums = _sums_of(np.zeros((0, len(columns))))
        while (self._blocks + 1) * BLOCK <= rows:
            first = self._blocks * BLOCK
            self._sums = self._sums + self._block(first, first + BLOCK)
            self._blocks += 1
        known = self._sums + self._block(self._blocks * BLOCK, rows)
        if known.bars < MIN_COMMON_ROWS or (known.low == known.high).any():
            names = [self._names[column] for column in columns]
            common_rows(self._returns[:rows, columns], names)  # says which asset is to blame
        estimate: np.ndarray = _shrunk(known) * float(horizon)
        return estimate

    def _block(self, first: int, stop: int) -> _Sums:
        bars = self._returns[first:stop, self._columns]
        return _sums_of(bars[np.isfinite(bars).all(axis=1)])


def _sums_of(bars: np.ndarray) -> _Sums:
    squares = np.einsum("ti,ti->t", bars, bars)
    return _Sums(
        bars=len(bars),
        first=bars.sum(axis=0),
        second=bars.T @ bars,
        square=float(squares.sum()),
        third=squares @ bars,
        fourth=float(squares @ squares),
        low=bars.min(axis=0, initial=np.inf),
        high=bars.max(axis=0, initial=-np.inf),
    )


def _shrunk(sums: _Sums) -> np.ndarray:
    """Ledoit-Wolf estimate, (n, n), from sums over bars.

    With m the mean, Σ|x - m|⁴ multiplies out to the sums kept; the rest is the covariance itself.

    Source: Ledoit, O. and Wolf, M. (2004). A well-conditioned estimator for large-dimensional
    covariance matrices. Journal of Multivariate Analysis 88(2), section 3.
    """
    n_bars, n_assets = sums.bars, len(sums.first)
    mean = sums.first / n_bars
    empirical: np.ndarray = sums.second / n_bars - np.outer(mean, mean)
    if n_assets == 1:
        return empirical
    size = mean @ mean
    fourth = (
        sums.fourth
        + 4.0 * (mean @ sums.second @ mean)
        - 4.0 * (mean @ sums.third)
        + 2.0 * size * sums.square
        - 3.0 * n_bars * size**2
    )
    level = np.trace(empirical) / n_assets
    spread = np.vdot(empirical, empirical)
    distance = spread - n_assets * level**2
    noise = min((fourth / n_bars - spread) / n_bars, distance)
    shrinkage = noise / distance if noise > 0.0 else 0.0
    shrunk: np.ndarray = (1.0 - shrinkage) * empirical
    shrunk.flat[:: n_assets + 1] += shrinkage * level
    return shrunk
