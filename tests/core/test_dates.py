from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime_nas_pipeline.core.dates import date_text, date_texts

HOURS = pd.date_range("2020-01-31 22:00", periods=5, freq="h")


def test_a_daily_bar_is_a_day() -> None:
    assert date_text(pd.Timestamp("2020-01-01")) == "2020-01-01"
    assert date_text("2020-01-01T00:00:00") == "2020-01-01"
    days = pd.DatetimeIndex(["2020-01-01", "2020-01-03"])
    assert date_texts(days) == ["2020-01-01", "2020-01-03"]
    assert [date_text(day, days) for day in days] == date_texts(days)


def test_a_bar_at_another_hour_has_its_time() -> None:
    assert date_text(pd.Timestamp("2020-01-01 08:30")) == "2020-01-01 08:30:00"


@pytest.mark.parametrize("kind", [pd.DatetimeIndex, pd.Series, list])
def test_midnight_among_hourly_bars_has_its_time_too(kind: type) -> None:
    bars = kind(HOURS)
    assert date_text(HOURS[2], bars) == "2020-02-01 00:00:00"
    assert date_text(HOURS[0], bars) == "2020-01-31 22:00:00"
    assert date_texts(bars) == [date_text(bar, HOURS) for bar in HOURS]


def test_no_bars_give_no_texts_and_blanks_are_no_bars() -> None:
    assert date_texts([]) == []
    assert date_text("2020-01-01", pd.DatetimeIndex(["2020-01-01", None])) == "2020-01-01"


@given(
    st.lists(
        st.integers(0, 40 * 366 * 24 * 3600).map(
            lambda second: pd.Timestamp("1990-01-01") + pd.Timedelta(seconds=second)
        ),
        min_size=1,
        unique=True,
    )
)
def test_texts_are_read_back_and_sort_as_their_bars_do(bars: list[pd.Timestamp]) -> None:
    texts = date_texts(bars)
    assert [pd.Timestamp(text) for text in texts] == bars
    assert sorted(texts) == date_texts(sorted(bars))
