from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.backtest import run_backtest
from regime_nas_pipeline.portfolio.economics.closures import (
    CLOSURE_COLUMNS,
    closing_prices,
    forced_closures,
)
from regime_nas_pipeline.portfolio.economics.trades import asset_trades

DAYS = pd.date_range("2024-01-01", periods=6, name="date")
# A doubles on day 2; B has its last price on day 3.
RETURNS = pd.DataFrame(
    {"A": [np.nan, 0.0, 1.0, 0.0, 0.0, 0.0], "B": [np.nan, 0.0, 0.0, 0.0, np.nan, np.nan]},
    index=DAYS,
)


def tidy(weights: pd.DataFrame) -> pd.DataFrame:
    dated = weights.rename_axis(index="date").reset_index()
    table = dated.melt(id_vars="date", var_name="asset", value_name="weight")
    return table[table["weight"] != 0.0].assign(strategy="s")


def decisions_of(dates: list[pd.Timestamp], earned: list[pd.Timestamp]) -> pd.DataFrame:
    return pd.DataFrame({"date": dates, "strategy": "s", "first_earned": earned})


def test_a_price_that_ends_and_a_membership_that_ends_by_hand() -> None:
    # Half and half is bought on day 1; A is no member from day 2 on, and what is decided on
    # day 2 is traded on day 3: by then A is two thirds of the wealth. B's price then ends.
    targets = pd.DataFrame({"A": [0.5, 0.0], "B": [0.5, 1.0]}, index=DAYS[[0, 2]])
    path = run_backtest(RETURNS, targets, execution_lag=1, cost_bps=10.0)
    members = pd.DataFrame({"A": [True, True, *[False] * 4], "B": True}, index=DAYS)
    decisions = decisions_of(list(DAYS[[0, 2]]), list(path.rebalances.index))
    found = forced_closures(tidy(path.weights), decisions, RETURNS, path.weights.index, members)
    assert list(found.columns) == list(CLOSURE_COLUMNS)
    assert found.drop(columns="weight").to_numpy().tolist() == [
        [DAYS[4], "s", "A", "membership ended"],
        [DAYS[4], "s", "B", "price ended"],
    ]
    np.testing.assert_allclose(found["weight"], [2 / 3, 1.0])
    # A is sold at the close of day 3 and B ends with its price of that day.
    closes = pd.DataFrame({"A": [1.0, 1, 2, 2.5, 3, 3], "B": [7.0, 7, 7, 7.5, np.nan, np.nan]})
    prices = tidy(closes.set_index(DAYS)).rename(columns={"weight": "close"}).dropna()
    np.testing.assert_array_equal(closing_prices(found, prices), [2.5, 7.5])
    assert closing_prices(found.iloc[:0], prices).shape == (0,)
    # The sale is paid for: all that is traded is two thirds out of A and into B.
    assert path.rebalances["cost"].iloc[1] == pytest.approx(10e-4 * 4 / 3)


def test_nothing_forced_is_an_empty_table_of_the_same_types() -> None:
    targets = pd.DataFrame({"A": [1.0]}, index=DAYS[[0]])
    path = run_backtest(RETURNS[["A"]], targets, execution_lag=1, cost_bps=0.0)
    decisions = decisions_of([DAYS[0]], list(path.rebalances.index))
    members = pd.DataFrame({"A": True}, index=DAYS)
    found = forced_closures(tidy(path.weights), decisions, RETURNS, path.weights.index, members)
    assert found.empty
    assert found.dtypes.astype(str).tolist() == [str(DAYS.dtype), *["str"] * 3, "float64"]


def test_what_a_strategy_sells_of_its_own_will_is_not_forced() -> None:
    targets = pd.DataFrame({"A": [0.5, 0.0], "B": [0.5, 0.0]}, index=DAYS[[0, 2]])
    path = run_backtest(RETURNS, targets, execution_lag=1, cost_bps=0.0)
    decisions = decisions_of(list(DAYS[[0, 2]]), list(path.rebalances.index))
    found = forced_closures(tidy(path.weights), decisions, RETURNS, path.weights.index)
    assert found.empty


def test_the_asset_that_ends_in_an_evaluation_is_listed(results, market: Market, returns) -> None:
    dates = pd.DatetimeIndex(results.returns.index)
    found = forced_closures(results.weights, results.decisions, returns, dates)
    assert set(found["asset"]) == {"A02"}
    assert set(found["reason"]) == {"price ended"}
    assert set(found["date"]) == {market.dates[248]}  # its last price is on bar 247
    on_the_day = results.weights[results.weights["date"] == market.dates[248]]
    held = on_the_day[on_the_day["asset"] == "A02"].set_index("strategy")["weight"]
    assert found.set_index("strategy")["weight"].to_dict() == held.to_dict()
    assert "equal_weight" in held
    # Cash is not sold: no trade of the asset after its end.
    trades = asset_trades(results.weights, results.decisions, returns, dates)
    later = trades[(trades["asset"] == "A02") & (trades["date"] > market.dates[248])]
    assert later.empty
