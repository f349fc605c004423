from __future__ import annotations

import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.bar_year import bar_year, bars_counted


def sessions(days: pd.DatetimeIndex, hours: range, half_day: str) -> pd.DatetimeIndex:
    """Bars on the hours of each day; only until noon on the half day."""
    stamps = [day + pd.Timedelta(hours=hour) for day in days for hour in hours]
    short = pd.Timestamp(half_day)
    return pd.DatetimeIndex(
        [each for each in stamps if each.normalize() != short or each.hour <= 12]
    )


HOLIDAYS = pd.DatetimeIndex(["2019-01-01", "2019-05-27", "2019-07-04", "2019-12-25"])
BUSINESS = pd.bdate_range("2019-01-01", "2019-12-31").difference(HOLIDAYS)


@pytest.mark.parametrize(
    ("dates", "wanted"),
    [
        (pd.date_range("2019-01-01", "2019-12-31"), 365),
        (BUSINESS, 252),
        (pd.date_range("2015-01-01", "2022-12-31", freq="W"), 52),
        (pd.date_range("2015-01-01", "2022-12-31", freq="ME"), 12),
        (pd.date_range("2019-01-01", "2019-07-01", freq="h"), 24 * 365),
        (pd.date_range("2019-01-01", "2019-03-10", freq="min"), 24 * 60 * 365),
        (sessions(BUSINESS, range(9, 16), "2019-11-29"), 7 * 252),
    ],
    ids=["days", "exchange", "weeks", "months", "hours", "minutes", "sessions"],
)
def test_counted_bars_are_rounded_to_the_convention(dates: pd.DatetimeIndex, wanted: int) -> None:
    found = bar_year("auto", dates)
    assert found.value == wanted
    assert found.counted == pytest.approx(wanted, rel=0.05)
    assert "rounded to " in found.rule


def test_gaps_in_bars_around_the_clock_do_no_harm() -> None:
    dates = pd.date_range("2019-01-01", "2019-07-01", freq="h")
    holes = dates[(dates.day_of_year % 9 != 0) | (dates.hour < 20)]
    assert bar_year("auto", holes).value == 8760


def test_a_count_near_no_convention_is_kept() -> None:
    dates = pd.date_range("2015-01-01", "2018-12-31", freq="2D")
    found = bar_year("auto", dates)
    assert found.value == round(365.25 / 2)
    assert "near none of" in found.rule


def test_later_bars_do_not_change_the_number() -> None:
    weekdays = pd.bdate_range("2010-01-01", "2014-12-31")
    every_day = pd.date_range("2015-01-01", "2022-12-31")
    joined = weekdays.append(every_day)
    assert bar_year("auto", joined) == bar_year("auto", weekdays)
    assert bars_counted(joined) == pytest.approx((5 * 261 + 8 * 365.25) / 13, rel=0.01)


def test_a_stated_number_stays_and_is_compared() -> None:
    found = bar_year(252, pd.date_range("2019-01-01", "2019-12-31"))
    assert (found.value, found.rule) == (252, "Stated in universe.bars_per_year.")
    assert found.counted == pytest.approx(365.25)
    assert bar_year(12, pd.DatetimeIndex(["2019-01-01"])).counted is None


def test_too_short_a_sample_cannot_be_counted() -> None:
    dates = pd.date_range("2019-01-01", "2019-02-28")
    with pytest.raises(DataError, match=r"58 days; 60 are needed.*state universe.bars_per_year"):
        bar_year("auto", dates)
