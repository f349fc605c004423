from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.covariance import LedoitWolf

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import with_listing
from regime_nas_pipeline.portfolio.allocate import (
    Allocation,
    Allocator,
    EqualWeight,
    MaximumSharpe,
    MinimumVariance,
)
from regime_nas_pipeline.walkforward.deciding import TradingRules, choices_at
from regime_nas_pipeline.walkforward.trading import trade

RULES = TradingRules(horizon=5, execution_lag=1, cost_bps=5.0, risk_free=0.02)
ROWS = (100, 120, 140, 160)
DRIFT = np.array([0.02, 0.015, 0.01, 0.005, 0.001])


class RecordingAllocator(Allocator):
    """Keeps what it is handed."""

    def __init__(self) -> None:
        self.handed: list[tuple[np.ndarray | None, np.ndarray, float]] = []

    def allocate(
        self, mean: np.ndarray | None, covariance: np.ndarray, risk_free: float
    ) -> Allocation:
        self.handed.append((mean, covariance, risk_free))
        return Allocation(np.full(len(covariance), 1.0 / len(covariance)))


def _dates(market: Market) -> pd.DatetimeIndex:
    return market.dates[list(ROWS)]


def test_choices_depend_on_nothing_after_their_date(small_market: Market):
    dates = _dates(small_market)
    expected = choices_at(small_market, dates, 5)
    assert list(expected) == list(dates)
    for date in dates:
        row = small_market.position(date)
        close = small_market.close.copy()
        close[row + 1 :] = np.random.default_rng(row).uniform(1, 1000, close[row + 1 :].shape)
        for other in (replace(small_market, close=close), small_market.until(date)):
            alone = choices_at(other, pd.DatetimeIndex([date]), 5)[date]
            np.testing.assert_array_equal(alone.assets, expected[date].assets)
            np.testing.assert_array_equal(alone.covariance, expected[date].covariance)


def test_the_covariance_is_ledoit_wolf_over_everything_known(small_market: Market):
    choices = choices_at(small_market, _dates(small_market), 5)
    for row, choice in zip(ROWS, choices.values(), strict=True):
        log_returns = np.diff(np.log(small_market.close[: row + 1]), axis=0)
        expected = LedoitWolf().fit(log_returns).covariance_ * 5
        np.testing.assert_allclose(choice.covariance, expected, rtol=1e-12)


def test_volatility_forecasts_rescale_and_keep_correlations(small_market: Market):
    dates = _dates(small_market)
    volatility = np.full((len(dates), 5), 0.03) * np.arange(1, 6)
    volatility[1, 2] = np.nan
    plain = choices_at(small_market, dates, 5)
    rescaled = choices_at(small_market, dates, 5, volatility)
    for i, date in enumerate(dates):
        before, after = plain[date].covariance, rescaled[date].covariance
        own, new = np.sqrt(np.diag(before)), np.sqrt(np.diag(after))
        np.testing.assert_allclose(
            after / np.outer(new, new), before / np.outer(own, own), rtol=1e-10
        )
        wanted = np.where(np.isfinite(volatility[i]), volatility[i], own)
        np.testing.assert_allclose(new, wanted, rtol=1e-12)


def test_the_universe_is_that_of_the_decision_date(small_market: Market):
    listed = with_listing(small_market, first_bar={"A00": 70}, last_bar={"A04": 130})
    market = replace(listed, min_history=50)
    choices = choices_at(market, _dates(market), 5)
    assert [choice.assets.tolist() for choice in choices.values()] == [
        [1, 2, 3, 4],  # A00 has 31 of the 50 closes that it needs
        [0, 1, 2, 3, 4],
        [0, 1, 2, 3],  # A04 has ended
        [0, 1, 2, 3],
    ]


def test_a_date_without_any_asset_is_an_error(small_market: Market):
    with pytest.raises(DataError, match=r"date 2000-05-22: no asset is in the universe"):
        choices_at(replace(small_market, min_history=150), _dates(small_market), 5)


def test_too_short_a_common_history_names_the_asset(small_market: Market):
    market = with_listing(small_market, first_bar={"A03": 90})
    with pytest.raises(DataError, match="asset 'A03'"):
        choices_at(market, _dates(market), 5)


def test_an_allocator_gets_the_moments_of_the_assets_with_a_forecast(small_market: Market):
    dates = _dates(small_market)
    choices = choices_at(small_market, dates, RULES.horizon)
    mean = np.tile(DRIFT, (len(dates), 1))
    mean[2, [1, 3]] = np.nan
    allocator = RecordingAllocator()
    traded = trade(small_market, choices, allocator, RULES, mean)
    expected, covariance, risk_free = allocator.handed[2]
    np.testing.assert_array_equal(expected, DRIFT[[0, 2, 4]])
    whole = choices[dates[2]].covariance
    np.testing.assert_array_equal(covariance, whole[[0, 2, 4]][:, [0, 2, 4]])
    # Five bars of a year of 252.
    assert risk_free == pytest.approx(1.02 ** (5 / 252) - 1, rel=1e-12)
    assert traded.decisions["n_assets"].tolist() == [5, 5, 3, 5]
    earned = traded.backtest.weights.loc[small_market.dates[ROWS[2] + 2]]
    np.testing.assert_allclose(earned, [1 / 3, 0, 1 / 3, 0, 1 / 3])


def test_decisions_are_traded_a_lag_later_and_earn_from_the_bar_after(small_market: Market):
    dates = _dates(small_market)
    choices = choices_at(small_market, dates, RULES.horizon)
    for lag in (0, 1, 3):
        traded = trade(small_market, choices, EqualWeight(), replace(RULES, execution_lag=lag))
        log = traded.backtest.rebalances
        assert list(log["decided_on"]) == list(dates)
        assert list(log["traded_on"]) == [small_market.dates[row + lag] for row in ROWS]
        assert list(log.index) == [small_market.dates[row + lag + 1] for row in ROWS]


def test_a_hopeless_decision_falls_back_to_minimum_variance_and_is_counted(small_market: Market):
    dates = _dates(small_market)
    choices = choices_at(small_market, dates, RULES.horizon)
    mean = np.tile(DRIFT, (len(dates), 1))
    mean[1] = -0.1
    traded = trade(small_market, choices, MaximumSharpe(0.4), RULES, mean)
    safe = trade(small_market, choices, MinimumVariance(0.4), RULES)
    assert traded.decisions["fallback"].tolist() == [False, True, False, False]
    assert "risk-free" in traded.decisions["reason"].iloc[1]
    assert (traded.decisions["reason"].iloc[[0, 2, 3]] == "").all()
    bar = small_market.dates[ROWS[1] + 2]
    np.testing.assert_array_equal(traded.backtest.weights.loc[bar], safe.backtest.weights.loc[bar])
    assert not safe.decisions["fallback"].any()


def test_weights_are_feasible_at_every_trade(small_market: Market):
    dates = _dates(small_market)
    choices = choices_at(small_market, dates, RULES.horizon)
    mean = np.random.default_rng(1).normal(0.002, 0.02, (len(dates), 5))
    for allocator in (MaximumSharpe(0.3), MinimumVariance(0.3)):
        backtest = trade(small_market, choices, allocator, RULES, mean).backtest
        bought = backtest.weights.loc[backtest.rebalances.index].to_numpy()
        np.testing.assert_allclose(bought.sum(axis=1), 1.0, atol=1e-12)
        assert bought.min() >= 0.0
        assert bought.max() <= 0.3 + 1e-12


def test_weights_of_a_date_do_not_depend_on_later_forecasts(small_market: Market):
    dates = _dates(small_market)
    choices = choices_at(small_market, dates, RULES.horizon)
    mean = np.random.default_rng(1).normal(0.002, 0.02, (len(dates), 5))
    later = mean.copy()
    later[2:] = -later[2:]
    one, other = (
        trade(small_market, choices, MaximumSharpe(0.4), RULES, m).backtest.weights
        for m in (mean, later)
    )
    bar = ROWS[2] + RULES.execution_lag
    before = one.index <= small_market.dates[bar]
    pd.testing.assert_frame_equal(one[before], other[before], check_exact=True)
    assert (one[~before] != other[~before]).any(axis=None)


def test_no_forecast_at_all_is_an_error_with_its_date(small_market: Market):
    dates = _dates(small_market)
    choices = choices_at(small_market, dates, RULES.horizon)
    mean = np.tile(DRIFT, (len(dates), 1))
    mean[3] = np.nan
    with pytest.raises(DataError, match=f"date {dates[3]:%Y-%m-%d}: there is a forecast for no"):
        trade(small_market, choices, MaximumSharpe(0.4), RULES, mean)
