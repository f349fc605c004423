from __future__ import annotations

import datetime as dt
import zoneinfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.datasets.date_parsing import parse_dates
from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.datasets.time_zones import check_time_zone

NEW_YORK = "America/New_York"


def parse(*cells: str, timezone: str | None = NEW_YORK, notes: list | None = None) -> list[str]:
    text = pd.Series(cells, index=range(2, 2 + len(cells)), dtype="str")
    place = {"source": "p.csv", "column": "Date"}
    parsed = parse_dates(text, **place, timezone=timezone, notes=notes)
    assert parsed.dtype == "datetime64[us]"
    return [str(stamp) for stamp in parsed]


def test_stamps_with_an_offset_become_local_times():
    assert parse("2020-01-02 00:00-05:00", "2020-07-01 20:00Z", "2020-07-02 09:00+0900") == [
        "2020-01-02 00:00:00",
        "2020-07-01 16:00:00",
        "2020-07-01 20:00:00",
    ]


def test_stamps_without_one_are_local_times_already():
    assert parse("2020-03-08 01:59", "2020-03-08 03:00") == [
        "2020-03-08 01:59:00",
        "2020-03-08 03:00:00",
    ]


@settings(max_examples=50, deadline=None)
@given(
    st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2030, 1, 1)),
    st.sampled_from([NEW_YORK, "Asia/Tokyo", "Europe/London", "America/Sao_Paulo"]),
)
def test_one_instant_is_what_the_standard_library_says(instant, zone):
    local = instant.replace(tzinfo=dt.UTC).astimezone(zoneinfo.ZoneInfo(zone))
    assert parse(instant.isoformat(sep=" ") + "Z", timezone=zone) == [
        str(local.replace(tzinfo=None))
    ]


@pytest.mark.parametrize(
    ("stamp", "problem"),
    [
        ("2020-03-08 02:30", "there is no such time in America/New_York"),
        ("2020-11-01 01:30", "the time comes twice in America/New_York"),
    ],
)
def test_a_local_time_that_is_no_one_instant_is_refused(stamp, problem):
    with pytest.raises(PriceSourceError) as caught:
        parse("2020-01-01 12:00", stamp)
    assert f"p.csv, column 'Date', date {stamp}: {problem}" in str(caught.value)
    assert "(line 3)" in str(caught.value)


def test_the_offset_settles_which_of_two_times_is_meant():
    assert parse("2020-11-01 01:30-04:00", "2020-11-01 02:30-05:00") == [
        "2020-11-01 01:30:00",
        "2020-11-01 02:30:00",
    ]


@pytest.mark.parametrize("second", ["2020-11-01 01:30-05:00", "2020-11-01 01:15-05:00"])
def test_bars_that_the_clock_puts_out_of_order_are_refused(second):
    with pytest.raises(PriceSourceError, match="is put back") as caught:
        parse("2020-11-01 01:30-04:00", second)
    assert f"date {second}" in str(caught.value)
    assert parse("2020-11-01 01:30-04:00", second, timezone=None)[0] == "2020-11-01 05:30:00"
    with pytest.raises(PriceSourceError, match="is put back"):
        parse(second, "2020-11-01 01:30-04:00")


def test_a_day_has_no_time_that_could_be_missing():
    # There the clock was put forward at midnight.
    assert parse("2018-11-03", "2018-11-04", timezone="America/Sao_Paulo")[1][:10] == "2018-11-04"


def test_a_column_of_stamps_follows_the_same_rule():
    stamps = pd.Series(pd.to_datetime(["2020-01-06", "2020-01-07"]).tz_localize("Asia/Tokyo"))
    place = {"source": "p.parquet", "column": "Date"}
    local = parse_dates(stamps, **place, timezone="Asia/Tokyo")
    assert local.tolist() == [pd.Timestamp("2020-01-06"), pd.Timestamp("2020-01-07")]
    assert parse_dates(stamps, **place)[0] == pd.Timestamp("2020-01-05 15:00")


def test_a_day_that_moves_in_utc_is_noted():
    notes: list = []
    parse("2020-01-06 00:00+09:00", "2020-01-07 12:00+09:00", timezone=None, notes=notes)
    assert [(note["kind"], note["file"], note["count"], note["first_date"]) for note in notes] == [
        ("day_moved", "p.csv", 1, "2020-01-05 15:00:00")
    ]
    notes.clear()
    parse("2020-01-06 00:00-05:00", timezone=None, notes=notes)
    parse("2020-01-06 00:00+09:00", timezone="Asia/Tokyo", notes=notes)
    assert notes == []


def test_an_unknown_time_zone_is_a_wrong_parameter():
    check_time_zone(None)
    check_time_zone("UTC")
    for name in ("New York", "EST5", "../etc", ""):
        with pytest.raises(ParameterError, match="timezone"):
            check_time_zone(name)
