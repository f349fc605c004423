from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.datasets.date_parsing import parse_dates, to_bar_dates
from regime_nas_pipeline.datasets.source_error import PriceSourceError


def parse(*cells: str, date_format: str | None = None) -> list[str]:
    text = pd.Series(cells, index=range(2, 2 + len(cells)), dtype="str")
    parsed = parse_dates(text, source="prices.csv", column="Date", date_format=date_format)
    assert parsed.dtype == "datetime64[us]"
    assert list(parsed.index) == list(text.index)
    return [stamp.isoformat(sep=" ") for stamp in parsed]


@pytest.mark.parametrize(
    "cells",
    [
        ("2015-01-05", "2015-01-16"),
        ("2015-1-5", "2015-1-16"),
        (" 2015-01-05 ", "2015-01-16"),
        ("20150105", "20150116"),
        ("2015/01/05", "2015/01/16"),
        ("Jan 5, 2015", "Jan 16, 2015"),
        ("January 5, 2015", "January 16, 2015"),
        ("5 Jan 2015", "16 Jan 2015"),
        ("05-Jan-2015", "16-Jan-2015"),
        ("05.01.2015", "16.01.2015"),
        ("05/01/2015", "16/01/2015"),
        ("01/05/2015", "01/16/2015"),
        ("05-01-2015", "16-01-2015"),
        ("2015-01-05 00:00", "2015-01-16 00:00:00"),
    ],
)
def test_every_known_way_of_writing_a_date(cells):
    assert parse(*cells) == ["2015-01-05 00:00:00", "2015-01-16 00:00:00"]


def test_a_month_that_is_its_own_abbreviation_fits_both_forms():
    assert parse("May 5, 2015", "June 5, 2015")[1] == "2015-06-05 00:00:00"
    assert parse("May 5, 2015", "Jun 5, 2015")[1] == "2015-06-05 00:00:00"


def test_time_zones_are_converted_to_utc():
    assert parse("2013-04-29 20:00:00-05:00", "2013-04-30T23:30+0100", "2013-05-01 12:00Z") == [
        "2013-04-30 01:00:00",
        "2013-04-30 22:30:00",
        "2013-05-01 12:00:00",
    ]


def test_the_time_of_day_is_read_with_fractions():
    assert parse("2013-04-29 23:59:59.123456") == ["2013-04-29 23:59:59.123456"]


def test_a_stated_format_decides():
    assert parse("05/01/2015", date_format="%d/%m/%Y") == ["2015-01-05 00:00:00"]
    assert parse("05/01/2015", date_format="%m/%d/%Y") == ["2015-05-01 00:00:00"]
    assert parse("05/01/15 +0200", date_format="%d/%m/%y %z") == ["2015-01-04 22:00:00"]


def test_an_ambiguous_column_asks_for_the_format():
    with pytest.raises(PriceSourceError, match="ambiguous") as caught:
        parse("02/02/2015", "05/06/2015", "06/06/2015")
    assert "date 05/06/2015" in str(caught.value)
    assert "date_format" in str(caught.value)


def test_day_and_month_that_agree_in_every_row_are_not_ambiguous():
    assert parse("02/02/2015") == ["2015-02-02 00:00:00"]


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        (("yesterday", "2015-01-05"), "cannot read the date 'yesterday' (line 2)"),
        (("2015-01-05", "n/a"), "cannot read the date 'n/a' (line 3)"),
        (("2015-01-05", "2015/01/06"), "cannot read the date '2015/01/06' (line 3)"),
        (("2015-02-30",), "cannot read the date '2015-02-30'"),
        (("20151301",), "cannot read the date '20151301'"),
        (("13/01/2015", "14/01/2015", "01/15/2015"), "cannot read the date '01/15/2015' (line 4)"),
        (("2015-01-05 25:00",), "cannot read the date '2015-01-05 25:00'"),
        (("2015-01-05 10:61",), "cannot read the date '2015-01-05 10:61'"),
        (("Foo 5, 2015",), "cannot read the date 'Foo 5, 2015'"),
        (("42009",), "cannot read the date '42009'"),
        (("2015-01-05", "  "), "the date is blank (line 3)"),
        (("2015-01-05 10:00Z", "2015-01-06 10:00"), "time zone and this one has none"),
    ],
)
def test_an_unreadable_date_is_named_with_its_line(cells, shown):
    with pytest.raises(PriceSourceError) as caught:
        parse(*cells)
    message = str(caught.value)
    assert shown in message
    assert message.startswith("prices.csv, column 'Date'")
    assert "Remedy: " in message


def test_a_date_that_does_not_have_the_stated_format_is_unreadable():
    with pytest.raises(PriceSourceError, match="cannot read the date '2015-01-06'"):
        parse("05/01/2015", "2015-01-06", date_format="%d/%m/%Y")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.datetimes(pd.Timestamp("1950-01-01"), pd.Timestamp("2100-01-01")), min_size=1),
    st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%b %d, %Y", "%d-%b-%Y"]),
)
def test_reading_undoes_writing(stamps, written_as):
    days = [pd.Timestamp(stamp).normalize() for stamp in stamps]
    assert parse(*(day.strftime(written_as) for day in days)) == [
        day.isoformat(sep=" ") for day in days
    ]


def test_one_bar_a_day_loses_its_time_even_where_assets_close_at_other_hours():
    table = pd.DataFrame(
        {
            "date": pd.to_datetime(
                ["2020-01-01 23:59:59", "2020-01-02 23:59:59", "2020-01-01 00:00:00"]
            ),
            "asset": ["A", "A", "B"],
        }
    )
    bars, intraday = to_bar_dates(table)
    assert not intraday
    assert list(bars["date"].dt.strftime("%d %H:%M")) == ["01 00:00", "02 00:00", "01 00:00"]


def test_two_bars_on_one_day_keep_their_time():
    table = pd.DataFrame(
        {"date": pd.to_datetime(["2020-01-01 08:00", "2020-01-01 16:00"]), "asset": "A"}
    )
    bars, intraday = to_bar_dates(table)
    assert intraday
    pd.testing.assert_frame_equal(bars, table)
