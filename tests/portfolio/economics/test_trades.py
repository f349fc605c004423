import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import market_from_prices
from regime_nas_pipeline.portfolio.economics.trades import (
    asset_returns,
    asset_trades,
    held_weights,
    traded_notional,
)

DAYS = pd.date_range("2024-01-01", periods=4, name="date")
RETURNS = pd.DataFrame(
    {"A": [np.nan, 0.10, 0.00, 0.20], "B": [np.nan, 0.00, -0.50, np.nan]}, index=DAYS
)


def _tidy(rows: list[tuple[int, str, float, bool]], strategy: str = "s") -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["date", "asset", "weight", "rebalanced"])
    return table.assign(date=DAYS[table["date"]], strategy=strategy)


# Half and half on day 1; A and B drift to .55 and .5 of 1.05; on day 2 all goes into B, and on
# day 3, B having halved, nothing is held any more.
WEIGHTS = _tidy([(1, "A", 0.5, True), (1, "B", 0.5, True), (2, "B", 1.0, True)])
DECISIONS = pd.DataFrame(
    {
        "strategy": "s",
        "first_earned": [*DAYS[1:], pd.NaT],
        "turnover": [0.5, 0.55 / 1.05, 0.5, np.nan],
    }
)


def test_trades_by_hand_with_a_sale_of_everything():
    found = asset_trades(WEIGHTS, DECISIONS, RETURNS, DAYS[1:])
    assert list(zip(found["date"], found["asset"], strict=True)) == [
        (DAYS[1], "A"),
        (DAYS[1], "B"),
        (DAYS[2], "A"),
        (DAYS[2], "B"),
        (DAYS[3], "B"),
    ]
    np.testing.assert_allclose(
        found["traded"], [0.5, 0.5, -0.55 / 1.05, 1 - 0.5 / 1.05, -1.0], atol=1e-15
    )
    notional = traded_notional(found, DAYS[1:], ["s", "idle"])
    np.testing.assert_allclose(notional["s"], [1.0, 1.1 / 1.05, 1.0], atol=1e-15)
    assert (notional["idle"] == 0.0).all()


def test_trades_cost_what_the_evaluation_recorded(results, returns):
    found = asset_trades(results.weights, results.decisions, returns, results.returns.index)
    names = list(results.returns.columns)
    notional = traded_notional(found, results.returns.index, names)
    recorded = results.decisions.dropna(subset="first_earned")
    for strategy in names[:-1]:
        own = recorded[recorded["strategy"] == strategy].set_index("first_earned")
        paid = notional[strategy].reindex(own.index)
        np.testing.assert_allclose(paid * 20e-4, own["cost"], atol=1e-15)
        assert (notional[strategy].drop(own.index) == 0.0).all()
    assert list(notional["buy_and_hold"]) == [1.0] + [0.0] * (len(notional) - 1)


def test_returns_of_prices_are_those_of_the_market(market):
    closes = pd.DataFrame(market.close, index=market.dates, columns=list(market.assets))
    prices = closes.assign(X=market.benchmark).rename_axis(index="date").reset_index()
    prices = prices.melt(id_vars="date", var_name="asset", value_name="close").dropna()
    made = market_from_prices(prices, benchmark="X")
    np.testing.assert_array_equal(
        asset_returns(prices)[list(made.assets)].to_numpy(), made.simple_returns
    )


def test_tables_of_two_runs_are_refused():
    with pytest.raises(DataError, match="do not give the recorded turnover"):
        asset_trades(WEIGHTS, DECISIONS, RETURNS * 1.01, DAYS[1:])
    with pytest.raises(DataError, match="on a bar that has no return"):
        held_weights(WEIGHTS, "s", DAYS[2:])
    with pytest.raises(DataError, match="no weights of the strategy 'other'"):
        held_weights(WEIGHTS, "other", DAYS)
    with pytest.raises(DataError, match="a held asset has no returns"):
        asset_trades(WEIGHTS, DECISIONS, RETURNS[["A"]], DAYS[1:])
    with pytest.raises(DataError, match="no bar on this date"):
        asset_trades(WEIGHTS, DECISIONS, RETURNS.drop(DAYS[3]), DAYS[1:])
    late = DECISIONS.assign(first_earned=DECISIONS["first_earned"] + pd.Timedelta(days=1))
    with pytest.raises(DataError, match="a trade has no bar to earn"):
        asset_trades(WEIGHTS, late, RETURNS, DAYS[1:])
