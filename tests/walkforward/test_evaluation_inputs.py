from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from forecast_tables import forecast_table, tidy_table
from strategy_runs import RULES, prices_of, run

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market, market_from_prices
from regime_nas_pipeline.market.synthetic import random_walk_market
from regime_nas_pipeline.walkforward.evaluation import (
    StrategyResults,
    decision_dates,
    score_forecasts,
)
from regime_nas_pipeline.walkforward.folds import Fold, make_folds


def test_the_future_changes_no_weight_before_it(
    market: Market, folds: list[Fold], forecasts: dict[str, pd.DataFrame], results: StrategyResults
):
    cut = market.position(decision_dates(folds)[4])
    close, benchmark = market.close.copy(), market.benchmark.copy()
    generator = np.random.default_rng(8)
    close[cut + 1 :] *= generator.uniform(0.5, 2.0, close[cut + 1 :].shape)
    benchmark[cut + 1 :] *= generator.uniform(0.5, 2.0, len(benchmark) - cut - 1)
    other = run(dataclasses.replace(market, close=close, benchmark=benchmark), folds, forecasts)
    day = market.dates[cut]
    for name in ("returns", "gross_returns"):
        before = getattr(results, name).loc[:day]
        pd.testing.assert_frame_equal(before, getattr(other, name).loc[:day], check_exact=True)
    one, two = (
        table[table["date"] <= day].reset_index(drop=True)
        for table in (results.weights, other.weights)
    )
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    # Targets of the decision at the cut itself are traded on a scrambled bar and stay the same.
    bar = market.dates[cut + 2]
    one, two = (
        t[t["date"] == bar].reset_index(drop=True) for t in (results.weights, other.weights)
    )
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert not results.returns.equals(other.returns)


@pytest.mark.parametrize("tradable", [False, True])
def test_a_benchmark_among_the_prices_is_held_and_chosen_only_if_tradable(tradable: bool):
    walks = random_walk_market(n_assets=5, n_bars=160, drift=0.0004, seed=9)
    closes = prices_of(walks).drop(columns="benchmark")
    market = market_from_prices(
        tidy_table(closes, "close"), benchmark="A03", benchmark_tradable=tradable
    )
    folds = make_folds(
        market,
        first_oos=market.dates[100],
        refit_every=40,
        rebalance_every=20,
        execution_lag=1,
    )
    dates = decision_dates(folds)
    mean = np.tile([[0.01, 0.02, 0.015, 0.01, 0.03][: len(market.assets)]], (len(dates), 1))
    results = run(market, folds, {"steady": forecast_table(mean, market, dates)})
    held = results.weights.groupby("strategy")["asset"].unique()
    assert set(held["equal_weight"]) == set(walks.assets) - (set() if tradable else {"A03"})
    assert list(held["buy_and_hold"]) == ["A03"]
    level = closes["A03"].iloc[102:] / closes["A03"].iloc[101]
    np.testing.assert_allclose(
        (1 + results.returns["buy_and_hold"]).cumprod(),
        (1 - RULES.cost_bps / 1e4) * level,
        rtol=1e-12,
    )


def test_volatility_forecasts_of_one_forecaster_change_everyones_covariance(
    market: Market,
    folds: list[Fold],
    forecasts: dict[str, pd.DataFrame],
    results: StrategyResults,
):
    nervous = forecasts["skilled"].copy()
    nervous["volatility"] = nervous["asset"].map(lambda name: 0.2 if name == "A01" else 0.02)
    changed = run(market, folds, {**forecasts, "skilled": nervous}, volatility_from="skilled")

    def weight_of_a01(found: StrategyResults) -> float:
        own = found.weights.query("strategy == 'mvo_flat' and asset == 'A01'")
        return own["weight"].sum()

    # By far the calmest asset on its history, by far the wildest on the forecasts.
    assert weight_of_a01(results) > 0.3 * len(results.returns)
    assert weight_of_a01(changed) < 0.01 * len(results.returns)
    np.testing.assert_array_equal(changed.returns["equal_weight"], results.returns["equal_weight"])


@pytest.mark.parametrize("name", ["garch", "skilled"])
def test_a_forecaster_without_volatility_cannot_rescale(
    name: str, market: Market, folds: list[Fold], forecasts: dict[str, pd.DataFrame]
):
    blind = {k: table.assign(volatility=np.nan) for k, table in forecasts.items()}
    with pytest.raises(ParameterError, match=f"volatility_from: '{name}' makes no volatility"):
        run(market, folds, blind, volatility_from=name)


def test_forecasts_of_another_walk_are_refused(
    market: Market, folds: list[Fold], forecasts: dict[str, pd.DataFrame]
):
    table = forecasts["skilled"]
    stray = table.iloc[[0]].assign(date=market.dates[203])
    with pytest.raises(DataError, match=f"date {market.dates[203]:%Y-%m-%d}: 1 forecasts are for"):
        run(market, folds, {"skilled": pd.concat([table, stray])})
    renamed = table.replace({"asset": {"A01": "B01"}})
    with pytest.raises(DataError, match="asset 'B01'"):
        score_forecasts(market, folds, {"skilled": renamed}, horizon=5, execution_lag=1)
    missing = table[table["date"] != decision_dates(folds)[1]]
    with pytest.raises(DataError, match="forecast for no asset of the universe"):
        run(market, folds, {"skilled": missing})


@pytest.mark.parametrize("row", [201, 230, 299])
def test_a_benchmark_without_a_price_while_it_is_held_is_refused(
    row: int, market: Market, folds: list[Fold], forecasts: dict[str, pd.DataFrame]
):
    benchmark = market.benchmark.copy()
    benchmark[200] = np.nan  # the decision needs no price
    benchmark[row] = np.nan
    with pytest.raises(DataError, match=f"{market.dates[row]:%Y-%m-%d}: the benchmark has no"):
        run(dataclasses.replace(market, benchmark=benchmark), folds, forecasts)
