"""From what yfinance hands over to tidy bars that are over, with what was changed on the way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.market.raw import DATE_DTYPE, make_note

SETTLING = pd.Timedelta(minutes=30)
"""A bar counts as over so long after its end: Yahoo's quotes are delayed by up to that."""

LONGEST_DAYS: Final[Mapping[str, int | None]] = {
    "1m": 7,
    "2m": 59,
    "5m": 59,
    "15m": 59,
    "30m": 59,
    "90m": 59,
    "1h": 729,
    "1d": None,
    "1wk": None,
    "1mo": None,
}
"""Interval to the days before today for which Yahoo serves it; None where all history is served."""

_PERIODS: Final[Mapping[str, tuple[str, pd.DateOffset]]] = {
    "1wk": ("W-SUN", pd.DateOffset(weeks=1)),
    "1mo": ("M", pd.DateOffset(months=1)),
}
"""Interval made of days: pandas' name of the period that holds a day, and how long it is."""

SOURCE = "Yahoo Finance"
"""Name of the source in messages."""

_RANGE = ("Open", "High", "Low")
_COLUMNS = ("Close", *_RANGE, "Volume")
_REMEDY = "try again later; if it stays so, install another version of yfinance."


class NoBarsError(Exception):
    """Yahoo has no bars of a ticker; the message is what it says."""


@dataclass(frozen=True, eq=False)
class History:
    """The answer to one request for one ticker.

    Attributes:
        frame: Open, High, Low, Close and Volume by the start of the bar, with the time zone of
            the exchange.
        now: Time at which the server answered, with a time zone.
        session_end: End of the regular session that is on, was last or comes next; or None.
        currency: In which prices are quoted; or None.
    """

    frame: pd.DataFrame
    now: pd.Timestamp
    session_end: pd.Timestamp | None = None
    currency: str | None = None

    @property
    def zone(self) -> str:
        """Name of the exchange's time zone."""
        return str(getattr(self.frame.index, "tz", None))


@dataclass(frozen=True, eq=False)
class Bars:
    """Whole bars of one asset.

    Attributes:
        table: Tidy, oldest first: date, asset, close, open, high, low, volume.
        notes: About the bars in it.
        open_notes: About bars left out because they were not over.
    """

    table: pd.DataFrame
    notes: list[dict[str, Any]] = field(default_factory=list)
    open_notes: list[dict[str, Any]] = field(default_factory=list)


def is_intraday(interval: str) -> bool:
    """Whether bars are shorter than a day."""
    return interval[-1] in "mh"


def request_interval(interval: str) -> str:
    """The interval that Yahoo is asked for: weeks and months are made from days here.

    Yahoo adjusts its own weekly and monthly bars wrongly (yfinance's price repair asks for days
    for the same reason), and what they start with depends on the start of the request.
    """
    return "1d" if interval in _PERIODS else interval


def to_bars(
    history: History,
    asset: str,
    interval: str,
    *,
    start: pd.Timestamp | None = None,
    end: dt.date | None = None,
) -> Bars:
    """Convert one answer; only whole bars that were over when the server answered are kept.

    A bar is dated by its start: days, weeks (by their Monday) and months (by the 1st) by the
    calendar of the exchange, shorter ones in UTC.

    Args:
        history: What Yahoo answered, in bars of :func:`request_interval`.
        asset: Name of the asset.
        interval: One of :data:`LONGEST_DAYS`.
        start: Date of the first bar to keep, as bars are dated; None for all.
        end: Last date of the exchange whose bars are kept; a week or month that goes on after it
            is left out.

    Raises:
        PriceSourceError: The answer lacks a column or has one that is not numeric, its bars have
            no time zone, or two of them have the same date.
    """
    index = _checked_index(history.frame, asset)
    zone = "UTC" if is_intraday(interval) else index.tz
    starts = index.tz_convert(zone).tz_localize(None)
    values = _checked_values(history.frame, asset)
    values.insert(0, "date", starts if is_intraday(interval) else starts.normalize())
    values = values.dropna(subset=["Close", *_RANGE], how="all").sort_values("date")
    _refuse_repeated(values["date"], asset)
    notes = _blank_zeros(values, asset)
    if interval in _PERIODS:
        values = _group(values, interval)
    else:
        values["over"] = values["date"] + _length(interval)
        if history.session_end is not None:
            stop = _wall(history.session_end, zone)
            values.loc[(values["date"] < stop) & (stop < values["over"]), "over"] = stop
    if start is not None:
        values = values[values["date"] >= start]
    last = _wall(history.now, zone) - SETTLING
    if end is not None:
        midnight = pd.Timestamp(end) + pd.Timedelta(days=1)
        if is_intraday(interval):
            there = midnight.tz_localize(index.tz, ambiguous=True, nonexistent="shift_forward")
            midnight = _wall(there, zone)
        values = values[values["date"] < midnight]
        last = min(last, midnight)
    whole = values["over"] <= last
    columns = {name: name.lower() for name in _COLUMNS}
    table = values[whole].rename(columns=columns).assign(asset=asset)
    table = table[["date", "asset", *columns.values()]].reset_index(drop=True)
    return Bars(
        table=table.astype({"date": DATE_DTYPE, "asset": "str"}),
        notes=notes,
        open_notes=_open_notes(values.loc[~whole, "date"], asset),
    )


def _length(interval: str) -> pd.Timedelta:
    units = {"m": dt.timedelta(minutes=1), "h": dt.timedelta(hours=1), "d": dt.timedelta(days=1)}
    return pd.Timedelta(int(interval[:-1]) * units[interval[-1]])


def _wall(stamp: pd.Timestamp, zone: Any) -> pd.Timestamp:
    """What a clock in ``zone`` shows, as a stamp without a zone."""
    return stamp.tz_convert(zone).tz_localize(None)


def _checked_index(frame: pd.DataFrame, asset: str) -> pd.DatetimeIndex:
    index = frame.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None or index.hasnans:
        raise _fault("the bars have no dates with a time zone", asset)
    return index


def _checked_values(frame: pd.DataFrame, asset: str) -> pd.DataFrame:
    columns = list(frame.columns)
    for name in _COLUMNS:
        if columns.count(name) != 1:
            raise _fault("the answer has no such column, or several", asset, name)
    values = {}
    for name in _COLUMNS:
        try:
            values[name] = frame[name].to_numpy(dtype="float64", na_value=float("nan"))
        except (TypeError, ValueError, OverflowError) as error:
            raise _fault(f"a value is not a number ({error})", asset, name) from error
    return pd.DataFrame(values)


def _refuse_repeated(dates: pd.Series[pd.Timestamp], asset: str) -> None:
    repeated = dates[dates.duplicated()]
    if len(repeated):
        raise PriceSourceError(
            "there are two bars on this date",
            source=SOURCE,
            asset=asset,
            date=repeated.iloc[0],
            remedy=_REMEDY,
        )


def _blank_zeros(values: pd.DataFrame, asset: str) -> list[dict[str, Any]]:
    """Blank zero opens, highs and lows, in place: so Yahoo writes what it does not know."""
    zero = (values[list(_RANGE)] == 0.0).any(axis=1)
    if not zero.any():
        return []
    values[list(_RANGE)] = values[list(_RANGE)].where(values[list(_RANGE)] != 0.0)
    return [
        make_note(
            "zero_is_blank",
            "An open, high or low of zero means that Yahoo has none; blank here.",
            asset=asset,
            count=int(zero.sum()),
            first_date=values.loc[zero, "date"].iloc[0],
        )
    ]


def _group(days: pd.DataFrame, interval: str) -> pd.DataFrame:
    """Weeks or months from days, with the date on which the next one starts as ``over``."""
    frequency, length = _PERIODS[interval]
    starts = days["date"].dt.to_period(frequency).dt.start_time
    grouped = (
        days.drop(columns="date")
        .groupby(starts)
        .agg({"Open": "first", "High": "max", "Low": "min", "Close": "last", "Volume": "sum"})
        .reset_index()
    )
    return grouped.assign(over=grouped["date"] + length)


def _open_notes(dates: pd.Series[pd.Timestamp], asset: str) -> list[dict[str, Any]]:
    if dates.empty:
        return []
    return [
        make_note(
            "open_bar",
            "The bar was not over when it was fetched, or goes on after the end that was asked "
            "for; left out.",
            asset=asset,
            count=len(dates),
            first_date=dates.iloc[0],
        )
    ]


def _fault(problem: str, asset: str, column: str | None = None) -> PriceSourceError:
    return PriceSourceError(problem, source=SOURCE, column=column, asset=asset, remedy=_REMEDY)
