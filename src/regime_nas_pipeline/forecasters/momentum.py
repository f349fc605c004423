"""Cross-sectional momentum: yesterday's relative winners stay ahead, by a fixed rule."""

from __future__ import annotations

import time
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
from regime_nas_pipeline.market.market import Market


class MomentumForecaster(Forecaster):
    """Cross-sectional momentum (after Jegadeesh and Titman, 1993).

    The forecast of asset i at the close of t is::

        mean_i = m + slope * (horizon / lookback) * (P_i - average of P over the universe)

    where P_i is the log return of asset i over the last ``lookback`` bars and m, the only number
    that is learned, is the average target over all assets and dates of the training market. The
    average of P runs over the assets that are in the universe at t and have a full lookback.

    Args:
        horizon: Bars that the forecast spans.
        execution_lag: Bars between the decision and the trade.
        lookback: Bars over which past performance is measured.
        slope: Share of the past relative return, per bar, that is expected to go on; 1 carries
            it on in full, a negative value expects reversal.

    Attributes:
        mean_: Average target in training, m.
    """

    multivariate: ClassVar[bool] = True

    def __init__(
        self, horizon: int = 21, execution_lag: int = 1, lookback: int = 20, slope: float = 1.0
    ) -> None:
        self.horizon = horizon
        self.execution_lag = execution_lag
        self.lookback = lookback
        self.slope = slope

    def required_history(self) -> int:
        """One close more than the lookback has bars."""
        return self.lookback + 1

    def prediction_bars(self) -> int:
        """The lookback and the bar before it."""
        return self.lookback + 1

    def fit(self, market: Market) -> Self:
        """Learn the average target over assets in the universe and training dates.

        Raises:
            ParameterError: ``lookback`` is not positive.
            DataError: The market is too short, or no target in it is known.
        """
        if self.lookback < 1:
            raise ParameterError(f"lookback must be at least 1 bar and is {self.lookback}.")
        started = time.perf_counter()
        self.check_fit_input(market)
        target = market.target(self.horizon, self.execution_lag)
        known = target[market.eligible & np.isfinite(target)]
        if not len(known):
            raise DataError(
                "no asset in the universe has a known target in the training data",
                source="prices",
                date=market.dates[-1],
                remedy="start the data earlier, move first_oos later, or lower min_history.",
            )
        self.mean_ = float(known.mean())
        self.fit_report_ = FitReport(parameters=1, seconds=time.perf_counter() - started)
        return self

    def predict(self, market: Market, dates: pd.DatetimeIndex) -> Forecast:
        """Forecast at each date; without a volatility."""
        mean = blank_forecast_array(market, dates)
        log_close = np.log(market.close)
        past = np.full(log_close.shape, np.nan)
        past[self.lookback :] = log_close[self.lookback :] - log_close[: -self.lookback]
        scale = self.slope * self.horizon / self.lookback
        for line, date in enumerate(dates):
            row = market.position(date)
            chosen = np.flatnonzero(market.eligible[row] & np.isfinite(past[row]))
            if len(chosen):
                relative = past[row, chosen] - past[row, chosen].mean()
                mean[line, chosen] = self.mean_ + scale * relative
        return Forecast(dates=dates, assets=market.assets, mean=mean)

    def to_bundle(self) -> Bundle:
        """The learned average."""
        return Bundle(arrays={"mean": np.array([self.mean_])})

    def from_bundle(self, bundle: Bundle) -> Self:
        """Restore the learned average."""
        self.mean_ = float(bundle.arrays["mean"][0])
        return self
