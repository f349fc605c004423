"""The GARCH forecaster: one AR(1)-GARCH(1,1)-t model per asset, with analytic forecasts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.forecasters.base import (
    FitReport,
    Forecast,
    Forecaster,
    blank_forecast_array,
)
from regime_nas_pipeline.forecasters.garch_model import (
    FitFailure,
    GarchParameters,
    aggregate_forecast,
    fit_garch,
    next_variance,
    past_of,
    uninformed_forecast,
)
from regime_nas_pipeline.forecasters.garch_past import NOTHING, Past
from regime_nas_pipeline.market.market import Market

_PARAMETERS_PER_ASSET = 6
_LEAST_CLOSES = 64


class GarchForecaster(Forecaster):
    """AR(1)-GARCH(1,1)-t per asset (Bollerslev, 1986 and 1987), fitted once per fold.

    :meth:`fit` estimates each asset's parameters; :meth:`predict` leaves them as they are and
    runs the recursions forward over the returns up to each date, from the asset's first close
    on. What the fit was shown it has summed up, so that a forecast after it costs the same however
    long that is; dates before its end are forecast from the market that is handed over alone.
    Mean and standard deviation of the target are analytic (:func:`aggregate_forecast`).

    An asset in the universe that has no parameters, because it joined after the fit or its fit
    failed, is not left out: it is forecast from the sample mean and the exponentially weighted
    variance of its own returns up to the date (:func:`~.garch_model.uninformed_forecast`). Which
    assets had no parameters at the fit, and why, stands in ``fit_failures_`` and in the facts of
    the bundle, and so do the ``fallbacks``.

    Args:
        horizon: Bars that the forecast spans.
        execution_lag: Bars between the decision and the trade.
        window: Last bars of the training market to estimate from; None for all.
        min_observations: Returns that an asset needs in them for an estimate.

    Attributes:
        parameters_: Asset to its :class:`GarchParameters`.
        fit_failures_: Asset to the reason why it has no parameters: ``too_short``, or that of
            its :class:`FitFailure`.
        fallbacks_: Assets that ``arch`` fitted, because the project's own steps found no maximum;
            some of them may be among the failures.
        fitted_until_: Last bar of the training market.
        pasts_: Asset to its returns up to there, summed up.
    """

    gives_volatility: ClassVar[bool] = True

    def __init__(
        self,
        horizon: int = 21,
        execution_lag: int = 1,
        window: int | None = None,
        min_observations: int = 250,
    ) -> None:
        self.horizon = horizon
        self.execution_lag = execution_lag
        self.window = window
        self.min_observations = min_observations

    def required_history(self) -> int:
        """Closes for a quarter of returns: the least that an asset without parameters needs."""
        return _LEAST_CLOSES

    def fit(self, market: Market) -> Self:
        """Estimate the parameters of every asset that has enough returns.

        Raises:
            ParameterError: ``window`` is shorter than ``min_observations``.
            DataError: The market is too short, or no asset has enough returns.
        """
        if self.window is not None and self.window < self.min_observations:
            raise ParameterError(
                f"GarchForecaster: window ({self.window}) must not be shorter than "
                f"min_observations ({self.min_observations})."
            )
        started = time.perf_counter()
        self.check_fit_input(market)
        # The first bar has no return, which a window over all bars must not count.
        used = market.log_returns[1:] if self.window is None else market.log_returns[-self.window :]
        known = np.isfinite(used)
        self._check_observations(market, known)
        self.parameters_: dict[str, GarchParameters] = {}
        self.fit_failures_: dict[str, str] = {}
        self.fallbacks_: list[str] = []
        for column, asset in enumerate(market.assets):
            returns = used[known[:, column], column]
            if len(returns) < self.min_observations:
                self.fit_failures_[asset] = "too_short"
                continue
            outcome, fell_back = fit_garch(returns)
            if fell_back:
                self.fallbacks_.append(asset)
            if isinstance(outcome, FitFailure):
                self.fit_failures_[asset] = outcome.reason
            else:
                self.parameters_[asset] = outcome
        self.fitted_until_ = market.dates[-1]
        self.pasts_ = {
            asset: past_of(returns[np.isfinite(returns)], self.parameters_.get(asset))
            for asset, returns in zip(market.assets, market.log_returns.T, strict=True)
        }
        self.fit_report_ = FitReport(
            parameters=_PARAMETERS_PER_ASSET * len(self.parameters_),
            seconds=time.perf_counter() - started,
        )
        return self

    def _check_observations(self, market: Market, known: np.ndarray) -> None:
        longest = int(known.sum(axis=0).max(initial=0))
        if longest < self.min_observations:
            raise DataError(
                f"GarchForecaster needs {self.min_observations} returns of an asset to estimate "
                f"its parameters and the longest history has {longest}",
                source="prices",
                date=market.dates[-1],
                remedy="start the data earlier, move first_oos later, or lower min_observations.",
            )

    def prediction_start(self) -> pd.Timestamp:
        """The last bar of the fit."""
        return self.fitted_until_

    def predict(self, market: Market, dates: pd.DatetimeIndex) -> Forecast:
        """Forecast mean and standard deviation of the target at each date."""
        mean = blank_forecast_array(market, dates)
        volatility = blank_forecast_array(market, dates)
        rows = np.array([market.position(date) for date in dates], dtype=int)
        first, pasts = self._summed_up(market, dates)
        ready = market.eligible[first:][rows - first]
        later = market.log_returns[first:]
        # Returns of each asset up to each bar after those that were summed up.
        finite = np.isfinite(later)
        counts = np.cumsum(finite, axis=0)[rows - first]
        for column, asset in enumerate(market.assets):
            past = pasts.get(asset, NOTHING)
            own = later[finite[:, column], column]
            returns = past.continued(own)
            known = counts[:, column] + len(returns) - len(own)
            # An asset needs one return less than closes.
            enough = past.n_summed + known >= self.required_history() - 1
            lines = np.flatnonzero(ready[:, column] & enough)
            if not len(lines):
                continue
            expected, variance = self._forecast_asset(asset, returns, known[lines] - 1, past)
            mean[lines, column] = expected
            volatility[lines, column] = np.sqrt(variance)
        return Forecast(dates=dates, assets=market.assets, mean=mean, volatility=volatility)

    def _summed_up(self, market: Market, dates: pd.DatetimeIndex) -> tuple[int, dict[str, Past]]:
        """First row whose return is gone through, and what is known of those before.

        Every row where a date lies before the end of the fit, or an asset has earlier closes that
        the fit was not shown.
        """
        end = self.fitted_until_
        if end not in market.dates or not (dates > end).all():
            return 0, {}
        first = market.position(end) + 1
        before = 0 if market.closes_before is None else market.closes_before
        priced = np.isfinite(market.close[:first]).sum(axis=0) + before > 0
        seen = [asset in self.pasts_ for asset in market.assets]
        return (0, {}) if (priced & ~np.array(seen)).any() else (first, self.pasts_)

    def _forecast_asset(
        self, asset: str, returns: np.ndarray, last: np.ndarray, past: Past
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of the target after the returns in positions ``last``."""
        parameters = self.parameters_.get(asset)
        if parameters is None:
            mean, variance = uninformed_forecast(returns, horizon=self.horizon, past=past)
            return mean[last], variance[last]
        return aggregate_forecast(
            returns[last],
            next_variance(returns, parameters, past)[last],
            parameters,
            horizon=self.horizon,
            execution_lag=self.execution_lag,
        )

    def to_bundle(self) -> Bundle:
        """Parameters and past per asset, assets without parameters and why, and ``arch``'s own."""
        return Bundle(
            arrays={
                "parameters": _grid(self.parameters_, GarchParameters._fields),
                "pasts": _grid(self.pasts_, Past._fields),
            },
            facts={
                "assets": list(self.parameters_),
                "columns": list(GarchParameters._fields),
                "past_assets": list(self.pasts_),
                "past_columns": list(Past._fields),
                "fitted_until": self.fitted_until_.isoformat(),
                "fit_failures": dict(self.fit_failures_),
                "fallbacks": list(self.fallbacks_),
            },
        )

    def from_bundle(self, bundle: Bundle) -> Self:
        """Restore what :meth:`to_bundle` kept."""
        facts, arrays = bundle.facts, bundle.arrays
        self.parameters_ = {
            asset: GarchParameters(*map(float, line))
            for asset, line in zip(facts["assets"], arrays["parameters"], strict=True)
        }
        self.pasts_ = {
            asset: Past(int(line[0]), *map(float, line[1:]))
            for asset, line in zip(facts["past_assets"], arrays["pasts"], strict=True)
        }
        self.fitted_until_ = pd.Timestamp(facts["fitted_until"])
        self.fit_failures_ = dict(facts["fit_failures"])
        self.fallbacks_ = list(facts["fallbacks"])
        return self


def _grid(rows: Mapping[str, tuple[float, ...]], columns: tuple[str, ...]) -> np.ndarray:
    """A line for each asset; (0, columns) where there is none."""
    return np.array(list(rows.values()), dtype=float).reshape(len(rows), len(columns))
