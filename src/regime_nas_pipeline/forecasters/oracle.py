"""The best causal forecast of a planted market: all its parameters are known, its states not."""

from __future__ import annotations

import time
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.filtering import hamilton_filter, symmetric_transition
from regime_nas_pipeline.forecasters.base import (
    FitReport,
    Forecast,
    Forecaster,
    blank_forecast_array,
)
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import PLANTED_REGIMES, planted_states

_GIVEN = ("phi", "stay", "volatility", "volatile_ratio")


class OracleForecaster(Forecaster):
    """Hamilton's filter with the true parameters of ``regime_switching_market``.

    It knows φ, σ and the transition probabilities, and filters the hidden state from the returns
    of all assets up to the decision, which all share the chain. Its forecast is the conditional
    mean of the target, which no causal forecaster beats in expectation, and the volatility the
    conditional standard deviation. Both are exact for any horizon and lag. Before the chain has
    been seen at all, every state is as likely as any other.

    Args:
        horizon: Bars that the forecast spans.
        execution_lag: Bars between the decision and the trade.
        phi: Strength of the autocorrelation in trend and range.
        stay: Probability that the state is the same at the next bar.
        volatility: Standard deviation of a one-bar shock in the calm states.
        volatile_ratio: Volatility of the third state over that of the others.

    Source: Hamilton, J. D. (1989). A New Approach to the Economic Analysis of Nonstationary Time
    Series and the Business Cycle. Econometrica 57(2).
    """

    multivariate: ClassVar[bool] = True
    gives_volatility: ClassVar[bool] = True

    def __init__(
        self,
        *,
        horizon: int = 1,
        execution_lag: int = 0,
        phi: float = 0.45,
        stay: float = 0.99,
        volatility: float = 0.01,
        volatile_ratio: float = 2.5,
    ) -> None:
        self.horizon = horizon
        self.execution_lag = execution_lag
        self.phi = phi
        self.stay = stay
        self.volatility = volatility
        self.volatile_ratio = volatile_ratio

    def required_history(self) -> int:
        """Two closes: the last return, which the next one depends on."""
        return 2

    def fit(self, market: Market) -> Self:
        """Check the market and the parameters; there is nothing to learn.

        Raises:
            ParameterError: The parameters do not describe a planted market.
            DataError: The market is too short.
        """
        started = time.perf_counter()
        self.check_fit_input(market)
        self._chain()
        # What it is told instead of estimating it.
        self.fit_report_ = FitReport(parameters=len(_GIVEN), seconds=time.perf_counter() - started)
        return self

    def predict(self, market: Market, dates: pd.DatetimeIndex) -> Forecast:
        """Conditional mean and standard deviation of the target at each date.

        The chain is filtered once over all bars up to the last date.
        """
        mean = blank_forecast_array(market, dates)
        volatility = blank_forecast_array(market, dates)
        rows = np.array([market.position(date) for date in dates], dtype=int)
        if len(rows):
            returns = market.log_returns[: rows.max() + 1]
            states = self.filtered_states(returns)[rows]
            moments = self._target_moments(returns[rows], states)
            known = market.eligible[rows] & np.isfinite(returns[rows])
            mean[known], volatility[known] = moments[0][known], moments[1][known]
        return Forecast(dates=dates, assets=market.assets, mean=mean, volatility=volatility)

    def filtered_states(self, log_returns: np.ndarray) -> np.ndarray:
        """P(state at t | returns up to t), (T, 3) in the order of ``PLANTED_REGIMES``.

        Args:
            log_returns: One-bar log returns, (T, N), blank where unknown; a bar tells something
                through every asset whose return at it and before it is known.
        """
        phis, sigmas, transition = self._chain()
        before = np.full(log_returns.shape, np.nan)
        before[1:] = log_returns[:-1]
        shock = (log_returns[:, :, None] - before[:, :, None] * phis) / sigmas
        # The constant of the normal density is the same in every state.
        log_density = -0.5 * shock**2 - np.log(sigmas)
        likelihoods = np.nansum(log_density, axis=1)
        uniform = np.full(len(PLANTED_REGIMES), 1.0 / len(PLANTED_REGIMES))
        return hamilton_filter(likelihoods, transition, uniform).filtered

    def _chain(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        phis, sigmas = planted_states(
            phi=self.phi, volatility=self.volatility, volatile_ratio=self.volatile_ratio
        )
        return phis, sigmas, symmetric_transition(len(PLANTED_REGIMES), self.stay)

    def _target_moments(
        self, last_return: np.ndarray, states: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the target, each (D, N).

        Moves E[x 1(state = s)] forward bar by bar for x = 1, r, r², S, S r and S², where S sums
        the returns r of the target's bars.

        Args:
            last_return: Return at the decision, (D, N).
            states: Filtered probabilities there, (D, 3).
        """
        phis, sigmas, transition = self._chain()
        chance = np.broadcast_to(states[:, None, :], (*last_return.shape, len(phis)))
        first = last_return[:, :, None] * chance
        second = last_return[:, :, None] ** 2 * chance
        total, cross, square = (np.zeros(first.shape) for _ in range(3))
        for step in range(1, self.execution_lag + self.horizon + 1):
            chance = chance @ transition
            first = phis * (first @ transition)
            second = phis**2 * (second @ transition) + sigmas**2 * chance
            if step > self.execution_lag:
                carried = phis * (cross @ transition)
                total = total @ transition + first
                square = square @ transition + 2.0 * carried + second
                cross = carried + second
        mean = total.sum(axis=-1)
        return mean, np.sqrt(square.sum(axis=-1) - mean**2)

    def to_bundle(self) -> Bundle:
        """The parameters that it was given."""
        return Bundle(arrays={"given": np.array([getattr(self, name) for name in _GIVEN])})

    def from_bundle(self, bundle: Bundle) -> Self:
        """Check that the parameters are the ones that were kept.

        Raises:
            ParameterError: They differ.
        """
        kept = dict(zip(_GIVEN, bundle.arrays["given"].tolist(), strict=True))
        for name, value in kept.items():
            if value != getattr(self, name):
                raise ParameterError(
                    f"the checkpoint is of an oracle with {name} = {value} and this one has "
                    f"{getattr(self, name)}."
                )
        return self
