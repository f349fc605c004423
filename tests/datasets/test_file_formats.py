"""The same prices, the same faults and the same repairs in every layout and format."""

from __future__ import annotations

import pandas as pd
import pytest
from price_files import DAYS
from price_layouts import FORMATS, LAYOUTS, bars, cell, ingest_source, write

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.schema import PriceTable

BARS_ONLY = ("tidy", "folder")


def combinations(cases):
    """Every case in every format, and in every layout of the two formats that differ most."""
    return [
        (name, layout, form)
        for name, (layouts, *_) in cases.items()
        for form in FORMATS
        for layout in layouts
        if form in ("csv", "typed.parquet") or layout == ("tidy" if "tidy" in layouts else "wide")
    ]


def moved(day: int, date: str):
    """A fault: another date in one row of every asset."""
    return lambda table: table.assign(Date=table["Date"].replace({DAYS[day - 1]: date}))


def without_days(*days: int):
    gone = [DAYS[day - 1] for day in days]
    return lambda table: table[(table["Asset"] != "B") | ~table["Date"].isin(gone)]


FAULTS = {
    "zero price": (LAYOUTS, cell("Close", "0"), ["asset 'B'", "2020-01-05", "not positive"]),
    "negative price": (LAYOUTS, cell("Close", "-2.5"), ["asset 'B'", "2020-01-05", "-2.5"]),
    "infinite price": (LAYOUTS, cell("Close", "inf"), ["asset 'B'", "2020-01-05", "infinite"]),
    "huge price": (LAYOUTS, cell("Close", "1e999"), ["asset 'B'", "2020-01-05", "infinite"]),
    "text": (LAYOUTS, cell("Close", "oops"), ["asset 'B'", "2020-01-05", "'oops' is not a num"]),
    "text with unit": (LAYOUTS, cell("Close", "12 USD"), ["asset 'B'", "2020-01-05", "'12 USD'"]),
    "truth value": (LAYOUTS, cell("Close", "True"), ["asset 'B'", "2020-01-05", "'True'"]),
    "blank close": (BARS_ONLY, cell("Close", ""), ["'Close'", "asset 'B'", "2020-01-05", "blank"]),
    "zero open": (BARS_ONLY, cell("Open", "0"), ["'Open'", "asset 'B'", "2020-01-05"]),
    "infinite low": (BARS_ONLY, cell("Low", "-inf"), ["'Low'", "asset 'B'", "infinite"]),
    "negative volume": (BARS_ONLY, cell("Volume", "-1"), ["'Volume'", "asset 'B'", "negative"]),
    "text volume": (BARS_ONLY, cell("Volume", "1k"), ["'Volume'", "asset 'B'", "'1k'"]),
    "high below low": (BARS_ONLY, cell("High", "0.5"), ["'High'", "asset 'B'", "below the low"]),
    "long gap": (LAYOUTS, without_days(5, 6, 7), ["asset 'B'", "2020-01-05", "3 bars in a row"]),
    "no price at all": (
        LAYOUTS,
        lambda table: table.assign(Close=table["Close"].where(table["Asset"] != "B", "")),
        ["asset 'B'", "no price at all"],
    ),
    "date twice": (BARS_ONLY, cell("Date", DAYS[4], day=6), ["'Date'", DAYS[4], "more than once"]),
    "date far off": (LAYOUTS, moved(5, "0020-01-05"), ["'Date'", "0020-01-05", "before 1678"]),
    "back and forth": (LAYOUTS, moved(6, "2019-01-06"), ["'Date'", "2019-01-06", "back and for"]),
    "not a date": (LAYOUTS, moved(5, "someday"), ["'Date'", "cannot read the date 'someday'"]),
    "no such day": (LAYOUTS, moved(5, "2020-02-30"), ["'Date'", "the date '2020-02-30'"]),
    "blank date": (LAYOUTS, moved(5, ""), ["'Date'", "the date is blank"]),
    "mixed dates": (LAYOUTS, moved(5, "05/01/2020"), ["'Date'", "the date '05/01/2020'"]),
    "no date column": (
        BARS_ONLY,
        lambda table: table.rename(columns={"Date": "Day"}),
        ["column 'Date'", "there is no column 'Date'"],
    ),
    "no close": (
        BARS_ONLY,
        lambda table: table.rename(columns={"Close": "Last"}),
        ["column 'Close'", "there is no column 'Close'"],
    ),
    "no rows": (("tidy",), lambda table: table.head(0), ["the file has a header and no rows"]),
    "too old": (
        LAYOUTS,
        lambda table: table[table["Date"] < "2020-01-15"],
        ["2020-01-14", "no out-of-sample day left"],
    ),
}


@pytest.mark.parametrize(("fault", "layout", "form"), combinations(FAULTS))
def test_a_fault_gives_the_same_error_in_every_format(tmp_path, form, fault, layout):
    _, change, shown = FAULTS[fault]
    source = write(tmp_path, change(bars()), layout, form)
    with pytest.raises(DataError) as caught:
        ingest_source(source)
    message = str(caught.value)
    assert [part for part in [*shown, "Remedy: "] if part not in message] == []
    assert str(tmp_path) not in message
    assert message.startswith((f"{layout}.", "A.", "B.", "bars"))


def twice_a_day(table: pd.DataFrame) -> pd.DataFrame:
    numbers = range(len(DAYS))
    stamps = [f"{DAYS[10 + number // 2]} {9 + number % 2:02d}:00" for number in numbers]
    return table.assign(Date=stamps * 3)


# Rows or columns concerned in all notes of a kind together, and the first date.
REPAIRS = {
    "newest first": (
        {"wide": 20, "tidy": 60, "folder": 60},
        lambda table: table.iloc[::-1],
        ("newest_first", "2020-01-01"),
    ),
    "other columns": (
        {"tidy": 2, "folder": 2},
        lambda table: table.assign(Name="x", Rank="1"),
        ("columns_ignored", None),
    ),
    "adjusted close": (
        {"tidy": 60, "folder": 60},
        lambda table: table.assign(**{"Adj Close": "5"}),
        ("range_adjusted", "2020-01-01"),
    ),
    "blank field": ({"tidy": 1, "folder": 1}, cell("Open", ""), ("blank_field", "2020-01-05")),
    "close outside range": (
        {"tidy": 1, "folder": 1},
        cell("Close", "99"),
        ("close_outside_range", "2020-01-05"),
    ),
    "blank row": (
        {"wide": 1},
        lambda table: table.assign(Close=table["Close"].where(table["Date"] != DAYS[4], "")),
        ("blank_row", "2020-01-05"),
    ),
    "several bars a day": (
        {"wide": 60, "tidy": 60, "folder": 60},
        twice_a_day,
        ("intraday", "2020-01-11 09:00:00"),
    ),
    "another day in UTC": (
        {"wide": 20, "tidy": 60, "folder": 60},
        lambda table: table.assign(Date=table["Date"] + "T00:00:00+09:00"),
        ("day_moved", "2019-12-31 15:00:00"),
    ),
}


@pytest.mark.parametrize(("repair", "layout", "form"), combinations(REPAIRS))
def test_a_repair_is_counted_alike_in_every_format(tmp_path, form, repair, layout):
    counts, change, (kind, first) = REPAIRS[repair]
    notes = ingest_source(write(tmp_path, change(bars()), layout, form)).quality["notes"]
    assert {note["kind"] for note in notes} == {kind}
    assert sum(note["count"] for note in notes) == counts[layout]
    assert min((note["first_date"] for note in notes), key=str) == first


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_prices_in_every_layout_and_format(tmp_path, form, layout):
    prepared = ingest_source(write(tmp_path, bars(), layout, form))
    PriceTable.validate(prepared.prices)
    expected = bars().astype({"Date": "datetime64[us]", "Close": float})
    expected = expected.sort_values(["Date", "Asset"], ignore_index=True)
    assert prepared.prices["date"].tolist() == expected["Date"].tolist()
    assert prepared.prices["asset"].tolist() == expected["Asset"].tolist()
    assert prepared.prices["close"].tolist() == expected["Close"].tolist()
    if layout != "wide":
        assert prepared.prices["low"].tolist() == expected["Low"].astype(float).tolist()
    assert prepared.quality["notes"] == []


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_excluded_asset_is_not_read(tmp_path, form, layout):
    source = write(tmp_path, cell("Close", "oops")(bars()), layout, form, exclude=["B"])
    raw = source.load()
    assert raw.assets == ("A", "M")
    assert [(note["kind"], note["asset"]) for note in raw.notes] == [("excluded", "B")]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_stated_time_zone_keeps_the_days_of_that_place(tmp_path, form, layout):
    table = bars()
    table["Date"] += "T00:00:00+09:00"
    raw = write(tmp_path, table, layout, form, timezone="Asia/Tokyo").load()
    assert raw.table["date"].min() == pd.Timestamp("2020-01-01")
    assert raw.table["date"].max() == pd.Timestamp("2020-01-20")
    assert raw.notes == []
