from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from forecaster_checks import check_forecaster

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.forecasters.garch import GarchForecaster
from regime_nas_pipeline.forecasters.garch_model import (
    aggregate_forecast,
    fit_garch,
    next_variance,
    uninformed_forecast,
)
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import (
    garch_t_returns,
    market_from_log_returns,
    with_listing,
)


@pytest.fixture(scope="module")
def garch_market() -> Market:
    """Three assets, 600 bars, each an AR(1)-GARCH(1,1)-t."""
    columns = [
        garch_t_returns(
            n_bars=599, constant=5e-4, phi=0.2, omega=2e-6, alpha=0.08, beta=0.9, nu=7.0, seed=seed
        )
        for seed in (1, 2, 3)
    ]
    return market_from_log_returns(np.column_stack(columns))


def test_keeps_the_contract(garch_market: Market) -> None:
    check_forecaster(GarchForecaster(horizon=5), garch_market, exact=True)


def test_keeps_the_contract_with_a_rolling_window(garch_market: Market) -> None:
    forecaster = GarchForecaster(horizon=1, execution_lag=0, window=300, min_observations=200)
    check_forecaster(forecaster, garch_market, exact=True)


def test_forecasts_follow_from_the_fitted_parameters(garch_market: Market) -> None:
    forecaster = GarchForecaster(horizon=21, execution_lag=1).fit(garch_market)
    forecast = forecaster.predict(garch_market, garch_market.dates[[-1]])
    returns = garch_market.log_returns[1:, 1]
    parameters = forecaster.parameters_["A01"]
    mean, variance = aggregate_forecast(
        returns[-1:],
        next_variance(returns, parameters)[-1:],
        parameters,
        horizon=21,
        execution_lag=1,
    )
    assert forecast.mean[0, 1] == mean[0]
    assert forecast.volatility is not None
    assert forecast.volatility[0, 1] == np.sqrt(variance[0])
    assert forecaster.fit_report_.parameters == 18
    assert forecaster.fit_report_.epochs == 0


def test_a_window_estimates_from_the_last_bars_only(garch_market: Market) -> None:
    forecaster = GarchForecaster(window=400).fit(garch_market)
    returns = garch_market.log_returns
    assert forecaster.parameters_["A02"] == fit_garch(returns[-400:, 2]).outcome
    assert forecaster.parameters_["A02"] != fit_garch(returns[1:, 2]).outcome


def test_an_asset_that_joined_after_the_fit_gets_the_documented_fallback(
    garch_market: Market,
) -> None:
    late = with_listing(garch_market, first_bar={"A02": 400})
    forecaster = GarchForecaster(horizon=21).fit(late.until(late.dates[500]))
    assert forecaster.fit_failures_ == {"A02": "too_short"}
    facts = forecaster.to_bundle().facts
    assert facts["fit_failures"] == {"A02": "too_short"}
    assert facts["assets"] == ["A00", "A01"]

    forecast = forecaster.predict(late, late.dates[[550]])
    mean, variance = uninformed_forecast(late.log_returns[401:551, 2], horizon=21)
    assert forecast.volatility is not None
    assert forecast.mean[0, 2] == mean[-1]
    assert forecast.volatility[0, 2] == np.sqrt(variance[-1])


def test_a_forecast_does_not_read_what_lies_before_the_fit(garch_market: Market) -> None:
    holed = garch_market.close.copy()
    holed[495:503, 1] = np.nan  # no return on the last bars of the fit nor on the first after it
    market = replace(with_listing(garch_market, first_bar={"A02": 400}), close=holed)
    forecaster = GarchForecaster(horizon=5).fit(market.until(market.dates[500]))
    assert forecaster.prediction_start() == market.dates[500]
    dates = market.dates[[501, 503, 504, 560, 599]]
    expected = forecaster.predict(market, market.dates[[500]].append(dates))  # goes through all
    for known in (market.slice(500, 600), market):
        found = forecaster.predict(known, dates)
        np.testing.assert_array_equal(found.mean, expected.mean[1:])
        assert found.volatility is not None
        assert expected.volatility is not None
        np.testing.assert_array_equal(found.volatility, expected.volatility[1:])
    assert np.isfinite(expected.mean[2:, 1]).all()
    assert np.isnan(expected.mean[1, 1])

    earlier = market.close.copy()
    earlier[:500] = 1.0
    told = forecaster.predict(replace(market, close=earlier), dates)
    np.testing.assert_array_equal(told.mean, expected.mean[1:])


def test_an_asset_unknown_to_the_fit_gets_the_fallback(garch_market: Market) -> None:
    two = replace(garch_market, assets=("A00", "A01"), close=garch_market.close[:, :2])
    forecaster = GarchForecaster(horizon=5).fit(two)
    forecast = forecaster.predict(garch_market, garch_market.dates[[-1]])
    mean, _ = uninformed_forecast(garch_market.log_returns[1:, 2], horizon=5)
    assert forecast.mean[0, 2] == mean[-1]


def test_an_asset_that_never_moved_is_reported_and_not_dropped(garch_market: Market) -> None:
    close = garch_market.close.copy()
    close[:, 0] = 10.0
    still = replace(garch_market, close=close)
    forecaster = GarchForecaster(horizon=5).fit(still)
    assert forecaster.fit_failures_ == {"A00": "not_converged"}
    forecast = forecaster.predict(still, still.dates[[-1]])
    assert np.isfinite(forecast.mean).all()


def test_assets_that_arch_fitted_are_on_record(garch_market: Market) -> None:
    assert GarchForecaster(horizon=5).fit(garch_market).to_bundle().facts["fallbacks"] == []
    close = garch_market.close.copy()
    moves = np.random.default_rng(3).random(len(close)) < 0.05
    close[:, 1] = np.exp(np.cumsum(np.where(moves, 0.01, 0.0) * (-1.0) ** np.cumsum(moves)))
    forecaster = GarchForecaster(horizon=5).fit(replace(garch_market, close=close))
    assert forecaster.fallbacks_ == ["A01"]
    restored = GarchForecaster(horizon=5).from_bundle(forecaster.to_bundle())
    assert restored.fallbacks_ == ["A01"]


def test_too_few_returns_of_every_asset_are_refused(garch_market: Market) -> None:
    with pytest.raises(DataError, match=r"needs 250 returns.*has 199"):
        GarchForecaster().fit(garch_market.until(garch_market.dates[199]))


def test_a_window_shorter_than_the_minimum_is_refused(garch_market: Market) -> None:
    with pytest.raises(ParameterError, match="window"):
        GarchForecaster(window=100).fit(garch_market)
