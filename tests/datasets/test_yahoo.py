"""Prices through yfinance from a local server: what arrives, is kept, refreshed and refused."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chart_server import Listing
from kedro.io import DataCatalog, DatasetError
from yahoo_home import DAYS, NOW, closes, kinds, listed, listing, source

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.datasets.yahoo import YahooPricesDataset


def test_bars_arrive_by_the_days_of_the_exchange_and_stay_without_a_network(yahoo_server, tmp_path):
    tokyo = listing(7, zone="Asia/Tokyo", opens=dt.time(9), closes=dt.time(15), currency="JPY")
    one, two = listed(yahoo_server, listing(), tokyo)
    raw = source(tmp_path, [two, one]).load()
    assert raw.assets == (one, two)
    for ticker in (one, two):
        expected = yahoo_server.listings[ticker].days
        rows = raw.table[raw.table["asset"] == ticker]
        assert list(rows["date"]) == [pd.Timestamp(day) for day in DAYS[:-1]]
        np.testing.assert_allclose(rows["close"], [expected[day] for day in DAYS[:-1]])
        np.testing.assert_allclose(rows["open"], 0.99 * rows["close"])
        np.testing.assert_allclose(rows["high"], 1.02 * rows["close"])
        np.testing.assert_allclose(rows["low"], 0.98 * rows["close"])
        assert (rows["volume"] == 1000.0).all()
    assert {note["kind"]: note["count"] for note in raw.notes} == {
        "snapshot": 2 * len(DAYS[:-1]),
        "several_time_zones": 2,
        "several_currencies": 2,
    }
    asked = len(yahoo_server.requests)
    again = source(tmp_path, [one, two]).load()
    pd.testing.assert_frame_equal(raw.table, again.table, check_exact=True)
    assert len(yahoo_server.requests) == asked


def test_the_adjusted_close_is_what_a_holder_of_one_share_earns(yahoo_server, tmp_path):
    """Independent of the server's recursion: shares are followed forwards at traded prices."""
    split, first, second = DAYS[9], DAYS[4], DAYS[15]
    paper = listing(splits={split: 2.0}, dividends={first: 1.5, second: 0.75})
    for day in DAYS[9:]:
        paper.days[day] /= 2.0
    (ticker,) = listed(yahoo_server, paper)
    # A dividend buys shares at the last close less the dividend, as Yahoo defines it.
    shares, worth = 1.0, []
    for before, day in zip([None, *DAYS], DAYS[:-1], strict=False):
        paid = paper.dividends.get(day, 0.0)
        if paid:
            shares *= paper.days[before] / (paper.days[before] - paid)
        shares *= paper.splits.get(day, 1.0)
        worth.append(shares * paper.days[day])
    found = closes(source(tmp_path, [ticker]), ticker)
    np.testing.assert_allclose(found.pct_change().dropna(), np.diff(worth) / worth[:-1], rtol=1e-9)
    assert found.iloc[-1] == pytest.approx(paper.days[DAYS[-2]])
    split_only = closes(source(tmp_path, [ticker], adjusted=False), ticker)
    expected = [paper.days[day] / (2.0 if day < split else 1.0) for day in DAYS[:-1]]
    np.testing.assert_allclose(split_only, expected)


@pytest.mark.parametrize(
    ("hour", "last"),
    [(14, DAYS[-2]), (20, DAYS[-2]), (21, DAYS[-2]), (22, DAYS[-1])],
)
def test_the_bar_of_a_session_that_is_on_is_left_out_and_noted(hour, last, yahoo_server, tmp_path):
    """New York closes at 21:00 UTC, and is taken for settled half an hour later."""
    yahoo_server.now = NOW.replace(hour=hour, minute=15 if hour == 21 else 45)
    (ticker,) = listed(yahoo_server, listing())
    dataset = source(tmp_path, [ticker], end=None)
    assert closes(dataset, ticker).index[-1] == pd.Timestamp(last)
    left_out = [] if last == DAYS[-1] else [("open_bar", ticker, 1)]
    assert kinds(dataset) == left_out


def test_start_and_end_are_days_of_the_exchange_and_belong_to_it(yahoo_server, tmp_path):
    sydney = listing(zone="Australia/Sydney", opens=dt.time(10), closes=dt.time(16))
    (ticker,) = listed(yahoo_server, sydney)
    dataset = source(tmp_path, [ticker], start=dt.date(2024, 2, 6), end="2024-02-09")
    days = [stamp.date() for stamp in closes(dataset, ticker).index]
    assert days == [dt.date(2024, 2, day) for day in (6, 7, 8, 9)]


def test_weeks_are_made_of_days_and_whole(yahoo_server, tmp_path):
    (ticker,) = listed(yahoo_server, listing(dividends={DAYS[8]: 1.0}))
    daily = closes(source(tmp_path, [ticker], end=None), ticker)
    dataset = source(tmp_path, [ticker], interval="1wk", start="2024-02-01", end=None)
    weekly = closes(dataset, ticker)
    # The week of the start is cut at its start, and this week goes on.
    mondays = ["2024-02-05", "2024-02-12", "2024-02-19", "2024-02-26"]
    assert list(weekly.index) == [pd.Timestamp(day) for day in mondays]
    fridays = [pd.Timestamp(day) + pd.Timedelta(days=4) for day in mondays]
    np.testing.assert_array_equal(weekly.to_numpy(), daily.loc[fridays].to_numpy())
    assert ("open_bar", ticker, 1) in kinds(dataset)


def test_hours_are_dated_in_utc_and_not_taken_for_adjusted(yahoo_server, tmp_path):
    today = dt.datetime.now(dt.UTC).date()
    days = [day.date() for day in pd.bdate_range(end=today, periods=5)][:-1]
    yahoo_server.now = dt.datetime.combine(days[-1], dt.time(23), dt.UTC)
    (ticker,) = listed(yahoo_server, Listing(dict.fromkeys(days, 50.0), zone="Asia/Tokyo"))
    dataset = source(tmp_path, [ticker], interval="1h", start=days[1], end=days[2])
    found = closes(dataset, ticker)
    # 09:30 in Tokyo is half past midnight in UTC; the last bar ends with the session.
    expected = [
        pd.Timestamp(day) + pd.Timedelta(minutes=30 + 60 * hour)
        for day in days[1:3]
        for hour in range(7)
    ]
    assert list(found.index) == expected
    assert ("dividends_not_adjusted", None, None) in kinds(dataset)
    with pytest.raises(PriceSourceError, match="for the last 729 days only, and 2020-01-01 lies"):
        source(tmp_path, [ticker], interval="1h", start="2020-01-01").load()


def test_a_refresh_of_hours_finds_its_place_in_the_day_of_the_exchange(yahoo_server, tmp_path):
    """The last stored bars begin at ten in the evening in New York, a day later in UTC."""
    today = dt.datetime.now(dt.UTC).date()
    days = [day.date() for day in pd.bdate_range(end=today, periods=4)][:-1]
    evening = {"opens": dt.time(17), "closes": dt.time(23)}
    (ticker,) = listed(yahoo_server, Listing(dict.fromkeys(days, 50.0), **evening))
    options = {"interval": "1h", "start": days[0], "end": None}
    closed = dt.datetime.fromtimestamp(yahoo_server.listings[ticker].session(days[1])[1], dt.UTC)
    yahoo_server.now = closed - dt.timedelta(hours=1)
    old = closes(source(tmp_path, [ticker], **options), ticker)
    yahoo_server.now = closed + dt.timedelta(days=3)
    new = closes(source(tmp_path, [ticker], refresh=True, **options), ticker)
    assert (len(old), len(new)) == (10, 18)
    pd.testing.assert_series_equal(new.iloc[: len(old)], old, check_exact=True)


def test_a_refresh_adds_the_new_days_and_keeps_the_old_version(yahoo_server, tmp_path):
    one, two = listed(yahoo_server, listing(), listing(3.0))
    yahoo_server.now = dt.datetime(2024, 2, 24, tzinfo=dt.UTC)
    old = closes(source(tmp_path, [one, two], end=None), one)
    yahoo_server.now = NOW
    asked = len(yahoo_server.asked())
    new = source(tmp_path, [one, two], end=None, refresh=True)
    found = closes(new, one)
    assert (old.index[-1], found.index[-1]) == (pd.Timestamp("2024-02-23"), pd.Timestamp(DAYS[-2]))
    pd.testing.assert_series_equal(found.iloc[: len(old)], old, check_exact=True)
    assert yahoo_server.asked()[asked:] == [one, two]
    # Only from the last five stored bars on.
    first = pd.Timestamp(int(yahoo_server.requests[-1][1]["period1"]), unit="s", tz="UTC")
    assert first == pd.Timestamp("2024-02-19", tz="America/New_York")
    assert len(list(tmp_path.rglob("*.parquet"))) == 2


def test_a_dividend_revises_all_adjusted_history(yahoo_server, tmp_path):
    payer, other = listed(yahoo_server, listing(), listing(3.0))
    yahoo_server.now = dt.datetime(2024, 2, 24, tzinfo=dt.UTC)
    source(tmp_path, [payer, other], end=None).load()
    yahoo_server.now = NOW
    yahoo_server.listings[payer].dividends[dt.date(2024, 3, 4)] = 5.0
    with pytest.raises(PriceSourceError) as caught:
        source(tmp_path, [payer, other], end=None, refresh=True).load()
    assert f"asset '{payer}', date 2024-02-19" in str(caught.value)
    assert "every dividend or split" in str(caught.value)
    assert "revised: refetch" in str(caught.value)
    dataset = source(tmp_path, [payer, other], end=None, refresh=True, revised="refetch")
    found = closes(dataset, payer)
    adjusted = yahoo_server.listings[payer].adjusted_by_day()
    np.testing.assert_allclose(found, [adjusted[day] for day in DAYS[:-1]], rtol=1e-12)
    note = next(note for note in dataset.load().notes if note["kind"] == "revised_history")
    assert (note["asset"], note["first_date"]) == (payer, "2024-02-01")
    assert note["count"] == len([day for day in DAYS if day < dt.date(2024, 2, 24)])


def test_prices_that_differ_in_the_seventh_digit_are_not_revised(yahoo_server, tmp_path):
    (ticker,) = listed(yahoo_server, listing())
    yahoo_server.now = dt.datetime(2024, 2, 24, tzinfo=dt.UTC)
    before = closes(source(tmp_path, [ticker], end=None), ticker)
    yahoo_server.now = NOW
    days = yahoo_server.listings[ticker].days
    for day, factor in zip(days, itertools.cycle((1.0 + 1e-7, 1.0 - 1e-7)), strict=False):
        days[day] *= factor
    after = closes(source(tmp_path, [ticker], end=None, refresh=True), ticker)
    assert len(after) > len(before)
    pd.testing.assert_series_equal(after.iloc[: len(before)], before, rtol=0)


def test_null_days_make_no_row_and_zero_opens_are_blank(yahoo_server, tmp_path):
    (ticker,) = listed(yahoo_server, listing(blanks={DAYS[3]}, zero_opens={DAYS[5]}))
    dataset = source(tmp_path, [ticker])
    table = dataset.load().table.set_index("date")
    assert pd.Timestamp(DAYS[3]) not in table.index
    assert table["open"].isna().sum() == 1
    assert np.isnan(table.loc[pd.Timestamp(DAYS[5]), "open"])
    assert kinds(dataset) == [("zero_is_blank", ticker, 1)]


def test_yfinance_is_left_as_it_was(yahoo_server, tmp_path, monkeypatch):
    import yfinance
    from yfinance.data import YfData

    from regime_nas_pipeline.datasets.yahoo_chart import ChartSession

    (ticker,) = listed(yahoo_server, listing())
    monkeypatch.setattr(Path, "home", lambda: pytest.fail("the home folder was asked for"))
    source(tmp_path, [ticker]).load()
    assert yfinance.config.debug.hide_exceptions is True
    assert not isinstance(YfData()._session, ChartSession)


def test_it_is_made_from_a_catalog_entry_and_read_only(tmp_path):
    entry = {
        "type": "regime_nas_pipeline.datasets.yahoo.YahooPricesDataset",
        "filepath": tmp_path.as_posix(),
        "tickers": ["spy", "^GSPC", "BTC-USD"],
        "start": dt.date(2005, 1, 3),
        "metadata": {"kedro-viz": {"layer": "01_raw"}},
    }
    catalog = DataCatalog.from_config({"raw_prices": entry})
    assert not catalog.exists("raw_prices")
    assert "SPY" in str(catalog["raw_prices"])
    with pytest.raises(DatasetError, match="YahooPricesDataset is read-only"):
        catalog["raw_prices"].save(1)


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"tickers": []}, "at least one ticker"),
        ({"tickers": "SPY"}, "must be a list"),
        ({"tickers": ["SPY", True]}, "True is not a name like SPY.*in quotes"),
        ({"tickers": ["SPY/../x"]}, "is not a name like SPY"),
        ({"tickers": ["SPY", "spy"]}, "names SPY more than once"),
        ({"tickers": ["US0378331005"]}, "is an ISIN"),
        ({"interval": "5d"}, "interval must be one of .*1wk, 1mo and is '5d'"),
        ({"start": "2024-01-02", "end": "2024-01-01"}, "start 2024-01-02 lies after end"),
        ({"start": "yesterday"}, "start must be a day"),
        ({"missing": "ignore"}, "missing must be fail or drop"),
        ({"retries": {"patience": 1}}, "retries: .*patience"),
        ({"retries": {"timeout": 0}}, "timeout must be above 0"),
        ({"requests_per_second": 0}, "requests per second"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_at_once(options, shown, tmp_path):
    with pytest.raises(ParameterError, match=shown):
        YahooPricesDataset(filepath=tmp_path, **{"tickers": ["SPY"], **options})
