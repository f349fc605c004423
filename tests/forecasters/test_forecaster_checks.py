"""The shared check must catch what it is there for."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import numpy as np
import pandas as pd
import pytest
from forecaster_checks import check_forecaster

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.forecasters.base import Forecast
from regime_nas_pipeline.forecasters.momentum import MomentumForecaster
from regime_nas_pipeline.market.market import Market


class LooksAhead(MomentumForecaster):
    def predict(self, market: Market, dates: pd.DatetimeIndex) -> Forecast:
        forecast = super().predict(market, dates)
        return replace(forecast, mean=forecast.mean + np.nanmean(market.close[-1]) * 1e-3)


class FillsBlanks(MomentumForecaster):
    def predict(self, market: Market, dates: pd.DatetimeIndex) -> Forecast:
        forecast = super().predict(market, dates)
        return replace(forecast, mean=np.nan_to_num(forecast.mean))


class DropsAnAsset(MomentumForecaster):
    def predict(self, market: Market, dates: pd.DatetimeIndex) -> Forecast:
        forecast = super().predict(market, dates)
        mean = forecast.mean.copy()
        mean[:, 0] = np.nan
        return replace(forecast, mean=mean)


class DependsOnTheBatch(MomentumForecaster):
    def predict(self, market: Market, dates: pd.DatetimeIndex) -> Forecast:
        forecast = super().predict(market, dates)
        return replace(forecast, mean=forecast.mean * len(dates))


class HasUnseededNoise(MomentumForecaster):
    def fit(self, market: Market) -> Self:
        super().fit(market)
        self.mean_ += np.random.default_rng().normal()
        return self


class ForgetsItsState(MomentumForecaster):
    def from_bundle(self, bundle: Bundle) -> Self:
        self.mean_ = 0.0
        return self


class WritesIntoTheMarket(MomentumForecaster):
    def fit(self, market: Market) -> Self:
        market.close[0, 0] *= 1.01
        return super().fit(market)


class IgnoresItsSeed(MomentumForecaster):
    stochastic = True

    def __init__(self, horizon: int = 5, execution_lag: int = 1, seed: int = 0) -> None:
        super().__init__(horizon, execution_lag)
        self.seed = seed


class HasNegativeVolatility(MomentumForecaster):
    gives_volatility = True

    def predict(self, market: Market, dates: pd.DatetimeIndex) -> Forecast:
        forecast = super().predict(market, dates)
        return replace(forecast, volatility=-np.abs(forecast.mean))


class PromisesVolatility(MomentumForecaster):
    gives_volatility = True


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (LooksAhead, "alone and among others"),
        (FillsBlanks, "mean"),
        (DropsAnAsset, "mean"),
        (DependsOnTheBatch, "alone and among others"),
        (HasUnseededNoise, "two fits under one seed"),
        (ForgetsItsState, "saved and loaded"),
        (WritesIntoTheMarket, "fit changed close"),
        (IgnoresItsSeed, "another seed changes nothing"),
        (HasNegativeVolatility, "volatility is not positive"),
        (PromisesVolatility, "gives_volatility is wrong"),
    ],
)
def test_a_broken_forecaster_is_caught(
    broken: type[MomentumForecaster], complaint: str, small_market: Market
) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_forecaster(broken(horizon=5), small_market)
