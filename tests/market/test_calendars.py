from __future__ import annotations

import sys
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.calendars import UNION, Calendar, align, alignment_report
from regime_nas_pipeline.market.raw import RawPrices

SPY = Calendar(kind="asset", asset="SPY")
NYSE = Calendar(kind="exchange", name="XNYS")
# Friday to Tuesday: the coin trades on every day, the fund not at the weekend.
DAYS = pd.date_range("2020-01-03", periods=5)
COIN = pd.DataFrame(
    {
        "date": DAYS,
        "asset": "BTC",
        "close": [11.0, 14.0, 9.0, 10.0, 11.0],
        "open": [10.0, 11.0, 14.0, 9.0, 10.0],
        "high": [12.0, 15.0, 14.0, 10.0, 11.0],
        "low": [9.0, 11.0, 8.0, 9.0, 10.0],
        "volume": [1.0, 2.0, 4.0, 8.0, 16.0],
    }
)
FUND = COIN.iloc[[0, 3, 4]].assign(asset="SPY")
RAW = RawPrices(pd.concat([COIN, FUND]), "source")
FIELDS = ["close", "open", "high", "low", "volume"]


class NoCalendarError(Exception):
    """What the library raises for an unknown exchange."""


def _business_days(name: str, start: pd.Timestamp, end: pd.Timestamp) -> SimpleNamespace:
    if name != "XNYS":
        raise NoCalendarError(f"there is no {name}")
    return SimpleNamespace(sessions=pd.bdate_range(start, end))


LIBRARY = SimpleNamespace(
    get_calendar=_business_days, errors=SimpleNamespace(CalendarError=NoCalendarError)
)


def coin_on(calendar: Calendar, late: tuple[str, ...] = ()) -> pd.DataFrame:
    table = align(RAW, RAW.table, calendar, late).table
    own = table[table["asset"] == "BTC"].set_index("date")[FIELDS]
    return own.sort_index()


def test_a_weekend_folds_into_monday_by_hand() -> None:
    found = coin_on(SPY)
    wanted = [
        [11.0, 10.0, 12.0, 9.0, 1.0],
        [10.0, 11.0, 15.0, 8.0, 14.0],  # opened on Saturday, closed on Monday
        [11.0, 10.0, 11.0, 10.0, 16.0],
    ]
    assert list(found.index) == list(DAYS[[0, 3, 4]])
    np.testing.assert_array_equal(found.to_numpy(), wanted)


def test_a_late_close_shows_on_the_next_bar_by_hand() -> None:
    found = coin_on(SPY, ("BTC",))
    wanted = [
        [9.0, 10.0, 15.0, 8.0, 7.0],  # Monday shows Friday to Sunday
        [10.0, 9.0, 10.0, 9.0, 8.0],  # Tuesday shows Monday
    ]
    assert list(found.index) == list(DAYS[3:])
    np.testing.assert_array_equal(found.to_numpy(), wanted)


def test_late_closes_need_no_other_calendar() -> None:
    found = coin_on(UNION, ("BTC",))
    assert list(found.index) == list(DAYS[1:])
    np.testing.assert_array_equal(found["close"], COIN["close"][:-1])


def test_the_reference_keeps_its_own_bars() -> None:
    table = align(RAW, RAW.table, SPY).table
    own = table[table["asset"] == "SPY"].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, FUND.reset_index(drop=True))


def test_what_was_done_is_counted_by_asset() -> None:
    early = COIN.iloc[:2].assign(date=pd.to_datetime(["2019-12-30", "2019-12-31"]))
    after = COIN.iloc[:1].assign(date=pd.Timestamp("2020-01-08"))
    raw = RawPrices(pd.concat([early, RAW.table, after]), "source")
    report = alignment_report(align(raw, raw.table, SPY), SPY, [])
    assert report == {
        "rule": {"kind": "asset", "asset": "SPY"},
        "late_closes": [],
        "assets": {
            "BTC": {"moved": 2, "joined": 2, "before_first": 2, "after_last": 1},
            "SPY": {"moved": 0, "joined": 0, "before_first": 0, "after_last": 0},
        },
    }
    late = align(RAW, RAW.table, SPY, ["BTC"]).accounts["BTC"]
    assert (late.moved, late.joined, late.after_last) == (4, 2, 1)


def test_a_blank_in_one_of_the_joined_rows_stays_unknown() -> None:
    blank = COIN.assign(volume=COIN["volume"].where(COIN["date"] != DAYS[1]))
    blank["open"] = blank["open"].where(blank["date"] != DAYS[1])
    raw = RawPrices(pd.concat([blank, FUND]), "source")
    table = align(raw, raw.table, SPY).table
    monday = table[(table["asset"] == "BTC") & (table["date"] == DAYS[3])].iloc[0]
    assert np.isnan(monday["volume"])
    assert np.isnan(monday["open"])
    assert monday["high"] == 15.0


def test_hours_fold_into_the_bars_of_a_session() -> None:
    hours = pd.date_range("2020-01-03 14:00", "2020-01-04 16:00", freq="h")
    coin = pd.DataFrame({"date": hours, "asset": "BTC", "close": np.arange(1.0, len(hours) + 1)})
    session = pd.DatetimeIndex(["2020-01-03 15:00", "2020-01-03 20:00", "2020-01-04 15:00"])
    fund = pd.DataFrame({"date": session, "asset": "SPY", "close": 1.0})
    raw = RawPrices(pd.concat([fund, coin]), "source")
    table = align(raw, raw.table, SPY).table
    found = table[table["asset"] == "BTC"].set_index("date")["close"]
    assert found.to_dict() == dict(zip(session, [2.0, 7.0, 26.0], strict=True))


def test_an_exchange_gives_its_trading_days() -> None:
    with mock.patch.dict(sys.modules, exchange_calendars=LIBRARY):
        pd.testing.assert_frame_equal(coin_on(NYSE), coin_on(SPY))


def test_the_library_knows_the_holidays_of_new_york() -> None:
    pytest.importorskip("exchange_calendars")
    days = pd.date_range("2020-11-25", "2020-11-30")  # Thanksgiving is the 26th
    coin = pd.DataFrame({"date": days, "asset": "BTC", "close": np.arange(1.0, 7.0)})
    table = align(RawPrices(coin, "source"), coin, NYSE).table
    assert list(table["date"]) == list(days[[0, 2, 5]])
    assert table["close"].tolist() == [1.0, 3.0, 6.0]


def test_without_the_library_the_message_says_what_to_install() -> None:
    with (
        mock.patch.dict(sys.modules, {"exchange_calendars": None}),
        pytest.raises(ParameterError, match=r"pip install 'regime_nas_pipeline\[calendars\]'"),
    ):
        coin_on(NYSE)


@pytest.mark.parametrize(
    ("calendar", "late", "words"),
    [
        (Calendar(kind="asset", asset="QQQ"), (), "name 'QQQ'.*there are: BTC, SPY"),
        (SPY, ("ETH",), "late_closes name 'ETH'"),
        (Calendar(kind="exchange", name="NOPE"), (), "'NOPE' cannot be had: there is no NOPE"),
    ],
)
def test_unknown_names_are_refused(calendar: Calendar, late: tuple[str, ...], words: str) -> None:
    with (
        mock.patch.dict(sys.modules, exchange_calendars=LIBRARY),
        pytest.raises(ParameterError, match=words),
    ):
        coin_on(calendar, late)


def test_an_exchange_is_for_days_and_must_meet_the_prices() -> None:
    hourly = RAW.table.assign(date=RAW.table["date"] + pd.Timedelta(hours=15))
    weekend = COIN.iloc[1:3]
    with mock.patch.dict(sys.modules, exchange_calendars=LIBRARY):
        with pytest.raises(DataError, match=r"date 2020-01-03 15:00:00: .*times of day"):
            align(RAW, hourly, NYSE)
        with pytest.raises(DataError, match="no date of the prices is a trading day of XNYS"):
            align(RAW, weekend, NYSE)


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ("asset", "'asset' belongs to kind: asset"),
        ({"kind": "asset", "name": "XNYS"}, "'asset' belongs"),
        ({"kind": "union", "asset": "SPY"}, "'asset' belongs"),
        ({"kind": "exchange"}, "'name' belongs to kind: exchange"),
        ("weekly", "Input should be 'union', 'asset' or 'exchange'"),
        ({"kind": "asset", "asset": "SPY", "lag": 1}, "Extra inputs"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(stated: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Calendar.model_validate(stated)


def test_a_word_is_a_rule() -> None:
    assert Calendar.model_validate("union") == UNION


DRAWN = pd.date_range("2021-01-01", periods=25)
PRESENT = st.lists(st.integers(0, 24), min_size=1, unique=True)


@settings(max_examples=25, deadline=None)
@given(
    present=st.tuples(PRESENT, PRESENT, PRESENT),
    calendar=st.sampled_from([UNION, SPY, NYSE]),
    late=st.lists(st.sampled_from(["BTC", "ETH"]), unique=True),
    cut=st.integers(0, 24),
    seed=st.integers(0, 1000),
)
def test_cutting_or_changing_the_future_changes_no_earlier_bar(
    present: tuple[list[int], ...], calendar: Calendar, late: list[str], cut: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    parts = []
    for asset, rows in zip(("BTC", "ETH", "SPY"), present, strict=True):
        days = DRAWN[sorted({0, *rows})]  # everybody is there from the first day on
        values = generator.uniform(1.0, 2.0, (len(days), len(FIELDS)))
        part = pd.DataFrame(values, columns=FIELDS).assign(date=days, asset=asset)
        parts.append(part[["date", "asset", *FIELDS]])
    table = pd.concat(parts, ignore_index=True).sample(frac=1.0, random_state=seed)
    known = table["date"] <= DRAWN[cut]
    other = table.copy()
    other.loc[~known, FIELDS] = generator.uniform(1.0, 2.0, (int((~known).sum()), len(FIELDS)))
    raw = RawPrices(table, "source")
    with mock.patch.dict(sys.modules, exchange_calendars=LIBRARY):
        whole, changed = (align(raw, each, calendar, late).table for each in (table, other))
        prefix = align(raw, table[known], calendar, late).table
    for found in (whole, changed):
        early = found[found["date"] <= DRAWN[cut]].reset_index(drop=True)
        pd.testing.assert_frame_equal(early, prefix, check_exact=True, check_dtype=len(prefix) > 0)
    # With a late close nothing dated t uses a price of the day t.
    for asset in late:
        last = table[known & (table["asset"] == asset) & (table["date"] == DRAWN[cut])].index
        touched = table.copy()
        touched.loc[last, FIELDS] *= 3.0
        with mock.patch.dict(sys.modules, exchange_calendars=LIBRARY):
            found = align(raw, touched, calendar, late).table
        early = found[found["date"] <= DRAWN[cut]].reset_index(drop=True)
        pd.testing.assert_frame_equal(early, prefix, check_exact=True, check_dtype=len(prefix) > 0)
