"""Edges of a known size, planted into simulated panels: what a test should find."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
from scipy.optimize import brentq
from scipy.signal import lfilter
from statsmodels.tsa.arima_process import arma_acovf

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.market.synthetic import hidden_chain

BURN_IN = 1000
"""Bars that are drawn before a panel's first one, so that an edge with memory is in full swing."""

_MAX_PERSISTENCE = 0.8
_MAX_LOOKBACK = 252


class Edge(ABC):
    """Something predictable that is added to moves without changing how large they are.

    Attributes:
        name: Kind of edge.
        size: How strong it is, in the unit that the class states; at 0 nothing is predictable.
    """

    name: ClassVar[str]
    size: float

    @abstractmethod
    def plant(
        self, moves: np.ndarray, scale: np.ndarray, generator: np.random.Generator
    ) -> np.ndarray:
        """The moves with the edge.

        Args:
            moves: Symmetric moves, (T, N).
            scale: Root mean square of each asset's move, (N,).
            generator: For what the edge itself draws.
        """


@dataclass(frozen=True)
class RegimeDrift(Edge):
    """Two groups of assets take turns in leading, while a hidden regime lasts.

    m'_i,t = √(1 - (d g_i)²) k_s m_i,t + d g_i c_s v_i, where s is the hidden regime at bar t,
    c_s = +1 or -1, g_i = +1 for assets at even places and -1 at odd ones (0 for the last of an
    odd number), v_i the asset's root mean square move and d the size. k_s makes the second regime
    ``volatile_ratio`` times as volatile as the first and keeps the mean of k² at 1. Both regimes
    last equally long, so that no asset drifts in the long run, the average of all assets never
    does, and every asset's mean square move stays v_i².

    Attributes:
        size: Drift d within a regime in units of the asset's one-bar volatility, in [0, 1).
        stay: Probability that the regime is the same at the next bar.
        volatile_ratio: Volatility in the second regime over that in the first.
    """

    name: ClassVar[str] = "regime_drift"
    size: float
    stay: float = 0.985
    volatile_ratio: float = 1.0

    def __post_init__(self) -> None:
        """Check the parameters."""
        _check_size(self)
        if not self.volatile_ratio > 0.0:
            raise ParameterError(f"volatile_ratio must be positive and is {self.volatile_ratio}.")

    def plant(
        self, moves: np.ndarray, scale: np.ndarray, generator: np.random.Generator
    ) -> np.ndarray:
        """The moves, (T, N), with drift that changes sides with the regime."""
        if self.size == 0.0 and self.volatile_ratio == 1.0:
            return moves
        sides = _sides(len(moves), self.stay, generator)
        n_assets = moves.shape[1]
        groups = np.where(np.arange(n_assets) % 2 == 0, 1.0, -1.0)
        if n_assets % 2:
            groups[-1] = 0.0
        ratio = np.where(sides > 0.0, 1.0, self.volatile_ratio)
        ratio /= np.sqrt((1.0 + self.volatile_ratio**2) / 2.0)
        drift = self.size * groups
        kept = np.sqrt(1.0 - drift**2) * ratio[:, None] * moves
        return np.asarray(kept + sides[:, None] * drift * scale)


@dataclass(frozen=True)
class RegimeAutocorrelation(Edge):
    """Moves go on in one hidden regime and turn back in the other.

    m'_i,t = φ c_s m'_i,(t-1) + √(1 - φ²) m_i,t with s the hidden regime at bar t and c_s = +1
    (trend) or -1 (range). Over both regimes together, which last equally long, moves of
    neighbouring bars are uncorrelated. Every asset's mean square move stays what it was.

    Attributes:
        size: Autocorrelation φ within a regime, in [0, 1).
        stay: Probability that the regime is the same at the next bar.
    """

    name: ClassVar[str] = "regime_autocorrelation"
    size: float
    stay: float = 0.985

    def __post_init__(self) -> None:
        """Check the parameters."""
        _check_size(self)

    def plant(
        self, moves: np.ndarray, scale: np.ndarray, generator: np.random.Generator
    ) -> np.ndarray:
        """The moves, (T, N), each with a share of the one before it."""
        if self.size == 0.0:
            return moves
        share = self.size * _sides(len(moves), self.stay, generator)
        planted = np.sqrt(1.0 - self.size**2) * moves
        planted[0] = moves[0]
        for bar in range(1, len(moves)):
            planted[bar] += share[bar] * planted[bar - 1]
        return np.asarray(planted)


@dataclass(frozen=True)
class MomentumEdge(Edge):
    """Relative strength goes on: a known correlation of past with future relative returns.

    With e = m / v the moves in units of volatility, ē_t their average over assets and
    d_i,t = e_i,t - ē_t the relative part, the latter follows an autoregression with equal weights,
    y_i,t = (θ/L) (y_i,(t-1) + … + y_i,(t-L)) + w d_i,t, and m' = v (ē + y). The weight w keeps
    the variance of y at that of d. θ is solved for (exactly, from the autocovariances of y) so
    that the correlation of the relative return over the last L bars with that over bars lag + 1
    to lag + h ahead is the size: the information coefficient of the ranking by past return. The
    average of all assets stays unpredictable.

    Attributes:
        size: Information coefficient, from 0 up to what θ = 0.8 gives.
        lookback: Bars L of past return, at most 252.
        horizon: Bars h that are predicted.
        execution_lag: Bars left out before them.

    Source: for the information coefficient: Grinold, R. C. (1989). The Fundamental Law of Active
    Management. Journal of Portfolio Management 15(3).
    """

    name: ClassVar[str] = "momentum"
    size: float
    lookback: int = 21
    horizon: int = 21
    execution_lag: int = 1

    def __post_init__(self) -> None:
        """Check the parameters, the size against the largest that can be planted."""
        _check_size(self)
        if not 1 <= self.lookback <= _MAX_LOOKBACK:
            raise ParameterError(
                f"lookback must be from 1 to {_MAX_LOOKBACK} bars and is {self.lookback}."
            )
        if self.horizon < 1 or self.execution_lag < 0:
            raise ParameterError(
                "horizon must be at least 1 and execution_lag at least 0; got "
                f"{self.horizon} and {self.execution_lag}."
            )
        largest = self._coefficient(_MAX_PERSISTENCE)
        if self.size > largest:
            raise ParameterError(
                f"a momentum edge over {self.lookback} past and {self.horizon} future bars can be "
                f"as large as {largest:.3f}, and {self.size} is asked for."
            )

    @property
    def persistence(self) -> float:
        """θ, the sum of the autoregression's weights."""
        if self.size == 0.0:
            return 0.0
        return float(brentq(lambda at: self._coefficient(at) - self.size, 0.0, _MAX_PERSISTENCE))

    def plant(
        self, moves: np.ndarray, scale: np.ndarray, generator: np.random.Generator
    ) -> np.ndarray:
        """The moves, (T, N), with relative strength that goes on; nothing is drawn for it."""
        if moves.shape[1] < 2:
            raise ParameterError("a momentum edge needs at least two assets to rank.")
        if self.size == 0.0:
            return moves
        scaled = moves / scale
        common = scaled.mean(axis=1, keepdims=True)
        weights = np.full(self.lookback, self.persistence / self.lookback)
        variance = _autocovariances(self.persistence, self.lookback, 1)[0]
        relative = lfilter([1.0 / np.sqrt(variance)], np.r_[1.0, -weights], scaled - common, axis=0)
        planted: np.ndarray = scale * (common + relative)
        return planted

    def _coefficient(self, persistence: float) -> float:
        """Correlation of past with future sums at a given θ."""
        past, ahead, lag = self.lookback, self.horizon, self.execution_lag
        gamma = _autocovariances(persistence, past, past + lag + ahead)
        apart = np.arange(lag + 1, lag + ahead + 1)[:, None] + np.arange(past)
        spreads = [_sum_variance(gamma, n) for n in (past, ahead)]
        return float(gamma[apart].sum() / np.sqrt(spreads[0] * spreads[1]))


@cache
def _autocovariances(persistence: float, lookback: int, n_lags: int) -> np.ndarray:
    """Of the autoregression with equal weights and innovations of unit variance, (n_lags,)."""
    weights = np.full(lookback, persistence / lookback)
    gamma: np.ndarray = arma_acovf(np.r_[1.0, -weights], np.ones(1), nobs=n_lags)
    return gamma


def _sum_variance(gamma: np.ndarray, n: int) -> float:
    """Variance of the sum of ``n`` neighbouring values."""
    lags = np.arange(1, n)
    return float(n * gamma[0] + 2.0 * ((n - lags) * gamma[lags]).sum())


def _sides(n_bars: int, stay: float, generator: np.random.Generator) -> np.ndarray:
    """+1 in the first regime and -1 in the second, (n_bars,)."""
    seed = int(generator.integers(2**62))
    states = hidden_chain(n_bars=n_bars, n_states=2, stay=stay, seed=seed)
    return np.where(states == 0, 1.0, -1.0)


def _check_size(edge: Edge) -> None:
    if not 0.0 <= edge.size < 1.0:
        raise ParameterError(f"the size of edge '{edge.name}' must lie in [0, 1): {edge.size}.")
