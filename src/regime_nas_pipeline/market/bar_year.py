"""How many bars a year has: stated, or counted on the calendar of the prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import DataError

CONVENTIONS = (1, 4, 12, 52, 252, 365)
"""Days with bars in a year that have a name: years, quarters, months, weeks, exchange, always."""

_CLOSE = 0.05
_FIRST_YEARS = 4
_LEAST_DAYS = 60
_DAYS_PER_YEAR = 365.25


@dataclass(frozen=True)
class BarYear:
    """Bars in a year.

    Attributes:
        value: What yearly figures are scaled by.
        rule: Where it comes from, as a sentence.
        counted: Bars per year as counted, before any rounding; None where the dates span too
            little to count.
    """

    value: int
    rule: str
    counted: float | None


def bar_year(stated: int | Literal["auto"], dates: pd.DatetimeIndex) -> BarYear:
    """The stated number of bars in a year, or the one that the dates have.

    Counted are days with bars per year of 365.25 days, over the first four years of the sample
    (all of it where it is shorter), so that later bars cannot change what earlier ones were scaled
    by. Within 5 % of 1, 4, 12, 52, 252 or 365 the count is rounded to that, else to a whole
    number; times the median number of bars on a day. Hourly bars around the clock have 24 x 365 =
    8760, sessions of seven hourly bars 7 x 252 = 1764.

    Args:
        stated: The number, or ``auto``.
        dates: Bar dates, increasing.

    Raises:
        DataError: ``auto``, and the dates span less than 60 days.
    """
    first = dates[dates < dates[0] + pd.DateOffset(years=_FIRST_YEARS)]
    counted = bars_counted(first)
    if stated != "auto":
        return BarYear(stated, "Stated in universe.bars_per_year.", counted)
    if counted is None:
        raise DataError(
            f"bars in a year cannot be counted over {(first[-1] - first[0]).days} days; "
            f"{_LEAST_DAYS} are needed",
            source="prices",
            date=first[0],
            remedy="state universe.bars_per_year.",
        )
    per_day = first.normalize().value_counts(sort=False)
    bars = max(1, round(float(np.median(per_day))))
    span = (first[-1] - first[0]) / pd.Timedelta(days=1)
    days = (len(per_day) - 1) * _DAYS_PER_YEAR / span
    nearest = min(CONVENTIONS, key=lambda each: abs(days / each - 1.0))
    near = abs(days / nearest - 1.0) <= _CLOSE
    kept = nearest if near else max(1, round(days))
    rounded = f"rounded to {kept}" if near else f"near none of {CONVENTIONS}, kept as {kept}"
    rule = (
        f"Counted on the bars from {date_text(first[0], first)} to {date_text(first[-1], first)}: "
        f"{days:.1f} days with bars a year, {rounded}; {bars} bars a day."
    )
    return BarYear(kept * bars, rule, counted)


def bars_counted(dates: pd.DatetimeIndex) -> float | None:
    """Bars after the first per year of 365.25 days; None where they span less than 60 days.

    Args:
        dates: Bar dates, increasing.
    """
    span = (dates[-1] - dates[0]) / pd.Timedelta(days=1)
    return (len(dates) - 1) * _DAYS_PER_YEAR / span if span >= _LEAST_DAYS else None
