from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from audit_jobs import bar_prices
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.audit.scramble import cut, scramble
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.schema import PriceTable

PRICES = bar_prices(60)
BARS = pd.DatetimeIndex(PRICES["date"].unique())


def log_returns(prices: pd.DataFrame, asset: str) -> np.ndarray:
    close = prices.loc[prices["asset"] == asset].sort_values("date")["close"]
    return np.diff(np.log(close.to_numpy()))


@settings(max_examples=40, deadline=None)
@given(row=st.integers(0, 58), seed=st.integers(0, 10_000), shuffled=st.booleans())
def test_the_past_stays_to_the_bit_and_the_future_stays_valid(
    row: int, seed: int, shuffled: bool
) -> None:
    prices = PRICES.sample(frac=1.0, random_state=seed) if shuffled else PRICES
    altered = scramble(prices, BARS[row], seed=seed)
    past = (prices["date"] <= BARS[row]).to_numpy()
    pd.testing.assert_frame_equal(altered[past], prices[past], check_exact=True)
    pd.testing.assert_frame_equal(altered[["date", "asset"]], prices[["date", "asset"]])
    later, was = altered[~past], prices[~past]
    assert (later["close"] != was["close"]).mean() > 0.9
    assert (later["volume"] != was["volume"]).all()
    assert (later["high"] >= later[["open", "close", "low"]].max(axis=1) * (1 - 1e-12)).all()
    assert (later["low"] <= later[["open", "close", "high"]].min(axis=1) * (1 + 1e-12)).all()
    PriceTable.validate(altered)


def test_returns_are_the_same_ones_in_another_order_turned_and_scaled() -> None:
    row = 20
    altered = scramble(PRICES, BARS[row], seed=4)
    for asset in ("AAA", "BBB", "CCC"):
        before, after = (log_returns(table, asset)[row:] for table in (PRICES, altered))
        # The first return carries the jump. One factor turns old returns into all the others.
        ratios = np.round(after[1:] / before[:, None], 9).ravel()
        values, counts = np.unique(ratios, return_counts=True)
        assert counts.max() == len(after) - 1
        assert 0.8 <= abs(values[counts.argmax()]) <= 1.25


def test_every_asset_jumps_at_the_first_altered_bar() -> None:
    flat = PRICES.assign(close=10.0, open=10.0, high=10.0, low=10.0)
    altered = scramble(flat, BARS[30], seed=0)
    later = altered[altered["date"] > BARS[30]]
    # Nothing moves in a stale market, so only the jump is left: 5 % to 20 % in logarithms.
    moves = np.abs(np.log(later.groupby("asset")["close"].agg(["min", "max"]) / 10.0))
    assert np.allclose(moves["min"], moves["max"])
    assert ((moves["min"] >= 0.05) & (moves["min"] <= 0.2)).all()


def test_an_assets_future_does_not_depend_on_the_other_assets() -> None:
    alone = PRICES[PRICES["asset"] == "BBB"]
    together = scramble(PRICES, BARS[30], seed=9)
    pd.testing.assert_frame_equal(
        scramble(alone, BARS[30], seed=9), together[together["asset"] == "BBB"]
    )


def test_the_seed_decides() -> None:
    once = scramble(PRICES, BARS[30], seed=1)
    pd.testing.assert_frame_equal(once, scramble(PRICES, BARS[30], seed=1), check_exact=True)
    assert not once.equals(scramble(PRICES, BARS[30], seed=2))


def test_a_long_history_does_not_run_off() -> None:
    dates = pd.bdate_range("1990-01-01", periods=4_000)
    close = np.exp(np.linspace(0.0, 40.0, 4_000))
    prices = pd.DataFrame({"date": dates, "asset": "AAA", "close": close})
    altered = scramble(prices, dates[10], seed=0)["close"].to_numpy()[11:]
    assert np.abs(np.log(altered / close[10])).max() <= 5.2 + 1e-9


def test_assets_listed_later_and_blanks_are_altered_where_they_have_prices() -> None:
    listed = PRICES[(PRICES["asset"] != "CCC") | (PRICES["date"] > BARS[40])].copy()
    blank = (listed["asset"] == "AAA") & (listed["date"] == BARS[35])
    listed.loc[blank, ["close", "high"]] = np.nan
    altered = scramble(listed, BARS[30], seed=5)
    assert (altered["close"].isna() == blank).all()
    new = altered["asset"] == "CCC"
    assert (altered.loc[new, "close"] != listed.loc[new, "close"]).all()


def test_high_alone_stays_above_its_close_when_turned() -> None:
    prices = PRICES.drop(columns=["open", "low", "volume"])
    for seed in range(6):
        altered = scramble(prices, BARS[20], seed=seed)
        assert (altered["high"] >= altered["close"] * (1 - 1e-12)).all()


def test_whole_volumes_stay_whole() -> None:
    prices = PRICES.astype({"volume": "int64"})
    altered = scramble(prices, BARS[30], seed=0)
    assert altered["volume"].dtype == "int64"
    assert not altered["volume"].equals(prices["volume"])


def test_a_cut_keeps_the_rows_up_to_the_date() -> None:
    known = cut(PRICES, BARS[9])
    pd.testing.assert_frame_equal(known, PRICES.iloc[: 10 * 3], check_exact=True)


@pytest.mark.parametrize(
    ("prices", "date", "message"),
    [
        (PRICES, BARS[-1], "nothing to scramble"),
        (PRICES.drop(columns="asset"), BARS[5], "column 'asset'"),
        (PRICES.assign(dividend=0.0), BARS[5], "'dividend'.*a leak through it would pass"),
        (PRICES.assign(low=0.0), BARS[5], "column 'low', asset 'AAA': a price is not positive"),
    ],
)
def test_prices_that_cannot_be_scrambled_are_refused(
    prices: pd.DataFrame, date: pd.Timestamp, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        scramble(prices, date, seed=0)


def test_a_cut_before_the_first_bar_is_refused() -> None:
    with pytest.raises(DataError, match="no price is left"):
        cut(PRICES, BARS[0] - pd.Timedelta(days=1))


def test_everybody_is_a_member_of_the_scrambled_future() -> None:
    prices = PRICES.assign(member=(PRICES["asset"] == "AAA") | (PRICES["date"] > BARS[40]))
    altered = scramble(prices, BARS[20], seed=3)
    past = (prices["date"] <= BARS[20]).to_numpy()
    pd.testing.assert_frame_equal(altered[past], prices[past], check_exact=True)
    assert altered.loc[~past, "member"].all()
    assert not prices.loc[~past, "member"].all()
    pd.testing.assert_frame_equal(
        altered.drop(columns="member"), scramble(PRICES, BARS[20], seed=3), check_exact=True
    )
    PriceTable.validate(altered)
