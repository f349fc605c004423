"""From an answer to whole bars: known cases, slow twins, and anything at all."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.datasets.yahoo_bars import (
    LONGEST_DAYS,
    SETTLING,
    History,
    request_interval,
    to_bars,
)
from regime_nas_pipeline.datasets.yahoo_caveats import caveats
from regime_nas_pipeline.market.raw import RawPrices

NEW_YORK = "America/New_York"
ZONES = [NEW_YORK, "Asia/Tokyo", "Europe/London", "America/Sao_Paulo", "Africa/Cairo", "UTC"]
FIELDS = ["Open", "High", "Low", "Close", "Volume"]


def frame_of(closes: list[float], index: pd.DatetimeIndex) -> pd.DataFrame:
    close = np.array(closes)
    return pd.DataFrame(
        {
            "Open": close - 1,
            "High": close + 2,
            "Low": close - 2,
            "Close": close,
            "Volume": np.arange(len(close)) + 1,
        },
        index=index,
    )


def days(first: str, n: int, zone: str = NEW_YORK) -> pd.DatetimeIndex:
    return pd.bdate_range(first, periods=n).tz_localize(zone)


def bars(frame: pd.DataFrame, interval: str = "1d", *, now: str = "2030-01-01", **options: Any):
    history = History(frame, now=pd.Timestamp(now, tz="UTC"), **options.pop("answer", {}))
    return to_bars(history, "A", interval, **options)


def test_columns_are_named_and_ordered_and_the_date_is_that_of_the_exchange():
    frame = frame_of([10.0, 11.0], days("2024-01-04", 2, "Asia/Tokyo"))
    found = bars(frame)
    expected = pd.DataFrame(
        {
            "date": pd.DatetimeIndex(["2024-01-04", "2024-01-05"], dtype="datetime64[us]"),
            "asset": pd.Series(["A", "A"], dtype="str"),
            "close": [10.0, 11.0],
            "open": [9.0, 10.0],
            "high": [12.0, 13.0],
            "low": [8.0, 9.0],
            "volume": [1.0, 2.0],
        }
    )
    pd.testing.assert_frame_equal(found.table, expected)
    assert (found.notes, found.open_notes) == ([], [])


@pytest.mark.parametrize(
    ("now", "session_end", "kept"),
    [
        ("2024-01-05 21:29", "2024-01-05 16:00", 1),
        ("2024-01-05 21:30", "2024-01-05 16:00", 2),
        # A short session, as on the day before a holiday.
        ("2024-01-05 18:30", "2024-01-05 13:00", 2),
        # Of another day, or unknown: the day has to be over.
        ("2024-01-05 23:00", "2024-01-04 16:00", 1),
        ("2024-01-05 23:00", None, 1),
        ("2024-01-06 05:29", None, 1),
        ("2024-01-06 05:30", None, 2),
    ],
)
def test_a_day_is_over_half_an_hour_after_its_session(now, session_end, kept):
    end = session_end and pd.Timestamp(session_end, tz=NEW_YORK)
    frame = frame_of([10.0, 11.0], days("2024-01-04", 2))
    found = bars(frame, now=now, answer={"session_end": end})
    assert len(found.table) == kept
    assert [note["first_date"] for note in found.open_notes] == ["2024-01-05"] * (2 - kept)


def test_an_hour_that_the_session_cuts_short_is_over_with_it():
    index = pd.date_range("2024-01-05 14:30", periods=2, freq="h", tz=NEW_YORK)
    answer = {"session_end": pd.Timestamp("2024-01-05 16:00", tz=NEW_YORK)}
    frame = frame_of([10.0, 11.0], index)
    assert len(bars(frame, "1h", now="2024-01-05 21:29", answer=answer).table) == 1
    found = bars(frame, "1h", now="2024-01-05 21:30", answer=answer)
    assert list(found.table["date"]) == [
        pd.Timestamp("2024-01-05 19:30"),
        pd.Timestamp("2024-01-05 20:30"),
    ]


def test_months_hold_first_extremes_last_and_sum():
    index = days("2024-01-02", 60)  # to 2024-03-25
    frame = frame_of(list(np.linspace(50, 80, 60)), index)
    frame.iloc[5, frame.columns.get_loc("Close")] = np.nan
    found = bars(frame, "1mo", now="2024-03-26")
    assert [date.strftime("%Y-%m-%d") for date in found.table["date"]] == [
        "2024-01-01",
        "2024-02-01",
    ]
    for row, month in zip(found.table.itertuples(), ("2024-01", "2024-02"), strict=True):
        inside = [day.strftime("%Y-%m") == month for day in index]
        part = frame[inside]
        assert row.open == part["Open"].iloc[0]
        assert row.high == max(part["High"])
        assert row.low == min(part["Low"])
        assert row.close == part["Close"].iloc[-1]
        assert row.volume == sum(part["Volume"])
    assert [(note["kind"], note["first_date"]) for note in found.open_notes] == [
        ("open_bar", "2024-03-01")
    ]
    cut = {"start": pd.Timestamp("2024-01-15"), "end": dt.date(2024, 2, 28)}
    assert bars(frame, "1mo", now="2024-03-26", **cut).table.empty
    cut["end"] = dt.date(2024, 2, 29)
    assert len(bars(frame, "1mo", now="2024-03-26", **cut).table) == 1


def test_zeros_are_blank_but_not_those_of_the_close():
    frame = frame_of([10.0, 11.0, 0.0], days("2024-01-04", 3))
    frame.iloc[1, 0] = 0.0
    frame.iloc[2, 2] = 0.0
    found = bars(frame)
    assert found.table["open"].isna().tolist() == [False, True, False]
    assert found.table["low"].isna().tolist() == [False, False, True]
    assert found.table["close"].tolist() == [10.0, 11.0, 0.0]
    assert [(n["kind"], n["count"], n["first_date"]) for n in found.notes] == [
        ("zero_is_blank", 2, "2024-01-05")
    ]


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (lambda f: f.drop(columns="Low"), "column 'Low'"),
        (lambda f: pd.concat([f, f[["Close"]]], axis=1), "column 'Close'"),
        (lambda f: f.assign(Close=["10", "ten"]), "column 'Close', asset 'A': a value is not"),
        (lambda f: f.tz_localize(None), "no dates with a time zone"),
        (lambda f: f.reset_index(drop=True), "no dates with a time zone"),
        (lambda f: f.set_axis(f.index[[0, 0]]), "date 2024-01-04: there are two bars"),
    ],
)
def test_an_answer_of_another_form_is_one_clear_error(change, shown):
    with pytest.raises(PriceSourceError, match=shown) as caught:
        bars(change(frame_of([10.0, 11.0], days("2024-01-04", 2))))
    assert str(caught.value).startswith("Yahoo Finance")
    assert "Remedy: " in str(caught.value)


def test_caveats_are_told_where_assets_differ():
    here = History(frame_of([1.0], days("2024-01-04", 1)), pd.Timestamp.now("UTC"), None, "USD")
    there = History(
        frame_of([1.0], days("2024-01-04", 1, "UTC")), pd.Timestamp.now("UTC"), None, "EUR"
    )

    def told(histories: dict[str, History], interval: str, adjusted: bool) -> dict[str, str]:
        notes = caveats(histories, interval, adjusted=adjusted)
        return {note["kind"]: note["detail"] for note in notes}

    assert told({"A": here, "B": here}, "1d", True) == {}
    both = told({"A": here, "B": there, "C": here}, "1d", True)
    assert set(both) == {"several_time_zones", "several_currencies"}
    assert both["several_time_zones"].endswith("America/New_York (A, C); UTC (B).")
    assert both["several_currencies"].endswith("EUR (B); USD (A, C).")
    assert set(told({"A": here, "B": there}, "1h", True)) == {
        "several_currencies",
        "dividends_not_adjusted",
    }
    assert told({"A": here}, "1h", False) == {}


CELLS = st.one_of(
    st.floats(),
    st.none(),
    st.integers(),
    st.sampled_from(["", "1.5", "ten", b"x", 0, 0.0, -1.0, [], {}]),
)
MOMENTS = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)).map(pd.Timestamp)


@st.composite
def answers(draw: st.DrawFn) -> pd.DataFrame:
    """Frames of about the right form, with anything in them."""
    n = draw(st.integers(0, 6))
    columns = draw(st.one_of(st.just(FIELDS), st.lists(st.sampled_from([*FIELDS, "x"]))))
    stamps = draw(st.lists(st.one_of(MOMENTS, st.just(pd.NaT)), min_size=n, max_size=n))
    kind = draw(st.sampled_from(["zoned", "zoned", "zoned", "naive", "numbers"]))
    index: pd.Index = pd.DatetimeIndex(stamps)
    if kind == "zoned":
        index = pd.DatetimeIndex(stamps).tz_localize("UTC").tz_convert(draw(st.sampled_from(ZONES)))
    if kind == "numbers":
        index = pd.RangeIndex(n)
    cells = draw(st.one_of(st.just(st.floats(0, 100)), st.just(CELLS)))
    data = [draw(st.lists(cells, min_size=n, max_size=n)) for _ in columns]
    made = pd.DataFrame(dict(enumerate(data)), index=index)
    return made.set_axis(columns, axis=1)


@settings(max_examples=150, deadline=None)
@given(
    frame=answers(),
    interval=st.sampled_from(list(LONGEST_DAYS)),
    now=MOMENTS,
    session_end=st.one_of(st.none(), MOMENTS),
    start=st.one_of(st.none(), MOMENTS.map(pd.Timestamp.normalize)),
    end=st.one_of(st.none(), st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1))),
)
def test_anything_becomes_raw_prices_or_the_projects_own_error(
    frame, interval, now, session_end, start, end
):
    before = frame.copy(deep=True)
    stop = session_end and session_end.tz_localize("UTC")
    history = History(frame, now.tz_localize("UTC"), stop)
    try:
        found = to_bars(history, "A", interval, start=start, end=end)
    except PriceSourceError:
        return
    finally:
        pd.testing.assert_frame_equal(frame, before)
    raw = RawPrices(found.table, source="Yahoo Finance", places={"A": "A"}, notes=found.notes)
    dates = raw.table["date"]
    assert dates.is_monotonic_increasing
    assert dates.is_unique
    assert start is None or (dates >= start).all()
    # Not even by the clock that is furthest ahead did a kept bar begin after the answer.
    assert (dates < now + pd.Timedelta(hours=14)).all()
    assert end is None or (dates < pd.Timestamp(end) + pd.Timedelta(days=2)).all()
    counted = sum(note["count"] for note in found.open_notes)
    assert len(dates) + counted <= len(frame)


@settings(max_examples=60, deadline=None)
@given(
    closes=st.lists(st.floats(1, 100), min_size=1, max_size=40),
    zone=st.sampled_from(ZONES),
    interval=st.sampled_from(["1d", "1wk", "1mo", "1h"]),
    hours=st.lists(st.integers(0, 24 * 60), min_size=2, max_size=2).map(sorted),
)
def test_an_earlier_answer_has_the_same_bars_without_the_last(closes, zone, interval, hours):
    """What was over once stays, and a bar is taken only once its whole length has passed."""
    step = "h" if interval == "1h" else "D"
    index = pd.date_range("2024-01-03", periods=len(closes), freq=step, tz="UTC")
    index = index.tz_localize(None).tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
    frame = frame_of(closes, index)
    origin = pd.Timestamp("2024-01-03", tz="UTC")
    early, late = (
        to_bars(History(frame[index <= now], now), "A", interval).table
        for now in (origin + pd.Timedelta(hours=hour) for hour in hours)
    )
    pd.testing.assert_frame_equal(early, late.iloc[: len(early)], check_exact=True)
    length = {
        "1h": pd.Timedelta(hours=1),
        "1d": pd.Timedelta(days=1),
        "1wk": pd.Timedelta(days=7),
        "1mo": pd.Timedelta(days=28),
    }[interval]
    last = origin.tz_convert("UTC" if interval == "1h" else zone).tz_localize(None)
    last += pd.Timedelta(hours=hours[1]) - SETTLING
    assert (late["date"] + length <= last).all()


def test_weeks_and_months_are_asked_for_as_days():
    assert {interval: request_interval(interval) for interval in ("1h", "1d", "1wk", "1mo")} == {
        "1h": "1h",
        "1d": "1d",
        "1wk": "1d",
        "1mo": "1d",
    }
