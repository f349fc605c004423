from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from forecaster_checks import check_forecaster

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.forecasters.momentum import MomentumForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import market_from_log_returns, with_listing


@pytest.mark.parametrize(("horizon", "lag"), [(1, 0), (5, 1)])
def test_keeps_the_contract(small_market: Market, horizon: int, lag: int) -> None:
    forecaster = MomentumForecaster(horizon=horizon, execution_lag=lag, lookback=20)
    check_forecaster(forecaster, small_market, exact=True)


def test_keeps_the_contract_with_a_long_universe_history(small_market: Market) -> None:
    check_forecaster(MomentumForecaster(horizon=5), replace(small_market, min_history=60))


def test_hand_worked_numbers() -> None:
    # Log returns of two assets over seven bars.
    market = market_from_log_returns(
        np.array(
            [[0.01, 0.00], [0.02, 0.01], [0.03, -0.01], [0.00, 0.04], [0.01, 0.02], [0.02, -0.03]]
        )
    )
    forecaster = MomentumForecaster(horizon=2, execution_lag=1, lookback=3, slope=0.5).fit(market)
    # Targets of decisions 0 to 3: returns 2+3, 3+4, 4+5 and 5+6, counted from one.
    first = [0.02 + 0.03, 0.03 + 0.00, 0.00 + 0.01, 0.01 + 0.02]
    second = [0.01 - 0.01, -0.01 + 0.04, 0.04 + 0.02, 0.02 - 0.03]
    average = (sum(first) + sum(second)) / 8
    assert forecaster.mean_ == pytest.approx(average, abs=1e-15)

    forecast = forecaster.predict(market, market.dates[[4]])
    # Past three bars: 0.02 + 0.03 + 0.00 = 0.05 and 0.01 - 0.01 + 0.04 = 0.04; average 0.045.
    np.testing.assert_allclose(
        forecast.mean[0],
        [average + 0.5 * 2 / 3 * 0.005, average - 0.5 * 2 / 3 * 0.005],
        atol=1e-14,
    )
    assert forecast.volatility is None


def test_only_assets_in_the_universe_enter_the_cross_section(small_market: Market) -> None:
    late = with_listing(small_market, first_bar={"A04": 395})
    forecaster = MomentumForecaster(horizon=5).fit(late.until(late.dates[380]))
    with_late = forecaster.predict(late, late.dates[[400]]).mean[0]
    without = replace(late, assets=late.assets[:4], close=late.close[:, :4])
    np.testing.assert_array_equal(
        with_late[:4], forecaster.predict(without, late.dates[[400]]).mean[0]
    )
    assert np.isnan(with_late[4])


def test_the_average_forecast_is_the_learned_mean(small_market: Market) -> None:
    forecaster = MomentumForecaster(horizon=5, slope=-0.3).fit(small_market)
    means = forecaster.predict(small_market, small_market.dates[50::37]).mean
    np.testing.assert_allclose(means.mean(axis=1), forecaster.mean_, atol=1e-14)


def test_a_market_without_a_known_target_is_refused(small_market: Market) -> None:
    never = replace(small_market, min_history=10_000)
    with pytest.raises(DataError, match="known target"):
        MomentumForecaster().fit(never)


def test_a_lookback_of_nothing_is_refused(small_market: Market) -> None:
    with pytest.raises(ParameterError, match="lookback"):
        MomentumForecaster(lookback=0).fit(small_market)


def test_a_date_without_a_bar_is_refused(small_market: Market) -> None:
    forecaster = MomentumForecaster().fit(small_market)
    sunday = pd.DatetimeIndex([small_market.dates[100].to_period("W").end_time.normalize()])
    with pytest.raises(DataError, match="no bar"):
        forecaster.predict(small_market, sunday)
