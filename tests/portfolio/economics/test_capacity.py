import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.portfolio.economics.capacity import (
    NO_VOLUME,
    NONE_KNOWN,
    participation,
    traded_value,
    trading_figures,
)
from regime_nas_pipeline.portfolio.economics.trades import asset_trades

DAYS = pd.date_range("2024-01-01", periods=5, name="date")
TRADES = pd.DataFrame(
    [
        ("s", DAYS[2], "A", 0.6),
        ("s", DAYS[2], "B", 0.4),
        ("s", DAYS[4], "A", -0.1),
        ("s", DAYS[4], "B", 0.1),
        ("t", DAYS[2], "B", 1.0),
    ],
    columns=["strategy", "date", "asset", "traded"],
)
VALUE = pd.DataFrame(
    {"A": [100.0, 300.0, 1e9, 500.0, 1e9], "B": [40.0, 40.0, 0.0, 40.0, 1e9]}, index=DAYS
)


def test_trading_figures_by_hand():
    found = trading_figures(TRADES, 5, bars_per_year=10).set_index("strategy")
    # Half a year: 1.2 and 1.0 of wealth traded in it.
    np.testing.assert_allclose(found["traded_per_year"], [2.4, 2.0])
    assert list(found["n_trades"]) == [4, 1]
    assert found.loc["s", ["largest_trade", "largest_asset", "largest_date"]].to_list() == [
        0.6,
        "A",
        DAYS[2],
    ]
    np.testing.assert_allclose(found["largest_share"], [0.5, 1.0])


def test_participation_by_hand():
    found = participation(TRADES, VALUE, portfolio_value=100.0, limit=0.5, window=2)
    # Averages of the two bars before: 200 and 40 on day 2; (1e9 + 500)/2 and 20 on day 4.
    assets = found.by_asset.set_index(["strategy", "asset"])
    assert assets.loc[("s", "A"), "max_participation"] == pytest.approx(60 / 200)
    assert assets.loc[("s", "B"), "max_participation"] == pytest.approx(40 / 40)
    assert assets.loc[("s", "B"), "mean_participation"] == pytest.approx((40 / 40 + 10 / 20) / 2)
    assert assets.loc[("s", "B"), "share_within"] == pytest.approx(0.1 / 0.5)
    assert assets.index[assets["binding"]].to_list() == [("s", "B"), ("t", "B")]
    own = found.by_strategy.set_index("strategy")
    assert own["binding_asset"].to_list() == ["B", "B"]
    assert own["date"].to_list() == [DAYS[2], DAYS[2]]
    # Half of 40 a bar, of which 0.4 and 1.0 of the portfolio are wanted at once.
    np.testing.assert_allclose(own["capacity"], [20 / 0.4, 20 / 1.0])
    np.testing.assert_allclose(own["share_within"], [0.8 / 1.2, 0.0])
    assert (own["reason"] == "").all()


@settings(max_examples=15, deadline=None)
@given(size=st.floats(1.0, 1e12), limit=st.floats(0.001, 1.0))
def test_a_portfolio_of_capacity_just_keeps_the_limit(size, limit):
    first = participation(TRADES, VALUE, portfolio_value=size, limit=limit, window=2)
    for row in first.by_strategy.itertuples():
        again = participation(TRADES, VALUE, portfolio_value=row.capacity, limit=limit, window=2)
        most = again.by_strategy.set_index("strategy").loc[row.strategy, "max_participation"]
        assert most == pytest.approx(limit, rel=1e-9)


def test_what_is_not_known_is_counted_and_left_out():
    found = participation(TRADES, VALUE[["A"]], portfolio_value=100.0, window=3)
    own = found.by_strategy.set_index("strategy")
    # A has three bars before day 4 but not before day 2; B has no volume.
    assert own["n_unknown"].to_list() == [3, 1]
    assert own.loc["s", "max_participation"] == pytest.approx(10 / ((300 + 1e9 + 500) / 3))
    assert own.loc["s", "share_within"] == 1.0
    assert own.loc["t", "reason"] == NONE_KNOWN
    assert pd.isna(own.loc["t", "binding_asset"])
    nowhere = participation(TRADES, None, portfolio_value=100.0)
    for table in (nowhere.by_asset, nowhere.by_strategy):
        assert (
            table[["max_participation", "mean_participation", "share_within"]].isna().all(axis=None)
        )
        assert (table["reason"] == NO_VOLUME).all()
    assert nowhere.by_strategy["capacity"].isna().all()
    assert not nowhere.by_asset["binding"].any()
    quiet = participation(TRADES, VALUE * 0.0, portfolio_value=100.0, window=2)
    assert (quiet.by_strategy["reason"] == NONE_KNOWN).all()


def test_volumes_in_units_are_multiplied_by_the_price():
    prices = pd.DataFrame(
        {
            "date": [DAYS[0], DAYS[1], DAYS[0]],
            "asset": ["A", "A", "B"],
            "close": [2.0, 3.0, 10.0],
            "volume": [5.0, 7.0, np.nan],
        }
    )
    units = traded_value(prices, volume_in="units")
    assert units["A"].to_list() == [10.0, 21.0]
    assert units["B"].isna().all()
    assert traded_value(prices, volume_in="currency")["A"].to_list() == [5.0, 7.0]
    assert traded_value(prices.drop(columns="volume"), volume_in="units") is None
    assert traded_value(prices.assign(volume=np.nan), volume_in="units") is None
    with pytest.raises(ParameterError, match="volume_in"):
        traded_value(prices, volume_in="lots")


def test_the_largest_trade_of_an_evaluation_is_within_its_weights(results, returns):
    trades = asset_trades(results.weights, results.decisions, returns, results.returns.index)
    found = trading_figures(trades, len(results.returns), bars_per_year=252)
    found = found.set_index("strategy")
    years = len(results.returns) / 252
    decided = results.decisions.groupby("strategy")["turnover"].sum()
    for strategy, turnover in decided.items():
        assert found.loc[strategy, "traded_per_year"] == pytest.approx(2 * turnover / years)
    assert found.loc["buy_and_hold", "largest_share"] == 1.0
    assert (found["largest_trade"] <= 1.0).all()


def test_refusals():
    with pytest.raises(DataError, match="there are no trades"):
        trading_figures(TRADES.iloc[:0], 5, bars_per_year=10)
    with pytest.raises(DataError, match="there are no trades"):
        participation(TRADES.iloc[:0], None, portfolio_value=1.0)
    with pytest.raises(ParameterError, match="at least 1"):
        trading_figures(TRADES, 0, bars_per_year=10)
    with pytest.raises(DataError, match="no traded value on the bar"):
        participation(TRADES, VALUE.drop(DAYS[4]), portfolio_value=1.0)
    for wrong in ({"portfolio_value": 0.0}, {"portfolio_value": 1.0, "limit": 0.0}):
        with pytest.raises(ParameterError, match="must be positive"):
            participation(TRADES, VALUE, **wrong)
