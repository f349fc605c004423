"""Dates as people write them, without guessing."""

from __future__ import annotations

import re

import pandas as pd

from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.market.raw import DATE_DTYPE

# What the day looks like, and the formats that can mean. Two formats: the column decides.
_SHAPES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"\d{4}-\d{1,2}-\d{1,2}", ("%Y-%m-%d",)),
    (r"\d{8}", ("%Y%m%d",)),
    (r"\d{4}/\d{1,2}/\d{1,2}", ("%Y/%m/%d",)),
    (r"[A-Za-z]{3} \d{1,2}, \d{4}", ("%b %d, %Y",)),
    (r"[A-Za-z]{3,9} \d{1,2}, \d{4}", ("%B %d, %Y",)),
    (r"\d{1,2} [A-Za-z]{3} \d{4}", ("%d %b %Y",)),
    (r"\d{1,2}-[A-Za-z]{3}-\d{4}", ("%d-%b-%Y",)),
    (r"\d{1,2}/\d{1,2}/\d{4}", ("%d/%m/%Y", "%m/%d/%Y")),
    (r"\d{1,2}-\d{1,2}-\d{4}", ("%d-%m-%Y", "%m-%d-%Y")),
    (r"\d{1,2}\.\d{1,2}\.\d{4}", ("%d.%m.%Y",)),
)
_CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?"
_TIME = rf"(?:[T ](?P<time>{_CLOCK}) ?(?P<zone>Z|UTC|[+-]\d{{2}}:?\d{{2}})?)?"
_REMEDY = "correct the date, or state date_format (such as '%d/%m/%Y') in the catalog entry."


def parse_dates(
    text: pd.Series[str], *, source: str, column: str, date_format: str | None = None
) -> pd.Series[pd.Timestamp]:
    """Read a column of dates that are all written alike.

    Understood without ``date_format``: 2015-01-05, 20150105, 2015/01/05, Jan 5, 2015,
    January 5, 2015, 5 Jan 2015, 05-Jan-2015, 05.01.2015, and 05/01/2015 or 05-01-2015 where some
    day above 12 shows which part is the month. Each may be followed by a time of day and a time
    zone, which is converted to UTC and removed.

    Args:
        text: Cells, indexed by their line in the file.
        source: File name, for messages.
        column: Column name, for messages.
        date_format: strptime format that every cell has, instead of the above.

    Returns:
        Time stamps without a time zone, same index.

    Raises:
        PriceSourceError: A cell is no date, or the order of day and month is ambiguous.
    """
    stripped = text.str.strip()
    if date_format is not None:
        aware = "%z" in date_format
        parsed = pd.to_datetime(stripped, format=date_format, errors="coerce", utc=aware)
        if aware:
            parsed = parsed.dt.tz_localize(None)
        _refuse_unreadable(parsed, text, source, column)
        return parsed.astype(DATE_DTYPE)
    shape, formats = _shape_of(stripped, source, column)
    pieces = stripped.str.extract(f"^(?P<day>{shape}){_TIME}$")
    _refuse_unreadable(pieces["day"], text, source, column)
    days = _parse_days(pieces["day"], formats, text, source, column)
    stamps = days + _time_of_day(pieces, text, source, column)
    return stamps.astype(DATE_DTYPE)


def to_bar_dates(table: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
    """Drop the time of day where no asset has two bars on one calendar day.

    Args:
        table: Columns ``date`` and ``asset`` at least.

    Returns:
        The table, and whether the prices are intraday (dates then keep their time).
    """
    stamps = table[["date", "asset"]].drop_duplicates()
    days = stamps.assign(date=stamps["date"].dt.normalize())
    if days.duplicated().any():
        return table, True
    return table.assign(date=table["date"].dt.normalize()), False


def _shape_of(text: pd.Series[str], source: str, column: str) -> tuple[str, tuple[str, ...]]:
    """Find how the first cell is written; the others must follow."""
    for shape, formats in _SHAPES:
        # A month such as May fits both the short and the long form, so all cells are asked.
        if text.str.fullmatch(shape + _TIME).all():
            return shape, formats
    for shape, formats in _SHAPES:
        if re.fullmatch(shape + _TIME, text.iloc[0]):
            return shape, formats
    raise _unreadable(text, 0, source, column)


def _parse_days(
    days: pd.Series[str],
    formats: tuple[str, ...],
    text: pd.Series[str],
    source: str,
    column: str,
) -> pd.Series[pd.Timestamp]:
    """Parse with the one format that fits every cell."""
    tried = [pd.to_datetime(days, format=each, errors="coerce") for each in formats]
    fitting = [parsed for parsed in tried if parsed.notna().all()]
    if not fitting:
        closest = max(tried, key=lambda parsed: int(parsed.notna().sum()))
        _refuse_unreadable(closest, text, source, column)
    if len(fitting) > 1:
        differs = (fitting[0] != fitting[1]).to_numpy()
        if differs.any():
            raise PriceSourceError(
                "the order of day and month is ambiguous in every row",
                source=source,
                column=column,
                date=text.iloc[int(differs.argmax())],
                remedy="state date_format in the catalog entry: '%d/%m/%Y' or '%m/%d/%Y' (with "
                "the separator of the file).",
            )
    return fitting[0]


def _time_of_day(
    pieces: pd.DataFrame, text: pd.Series[str], source: str, column: str
) -> pd.Series[pd.Timedelta]:
    """Turn time of day and zone into what must be added to midnight to get UTC."""
    time = pieces["time"].fillna("00:00")
    seconds = time.where(time.str.count(":") == 2, time + ":00")
    zone = pieces["zone"]
    if zone.notna().any() and zone.isna().any():
        row = int(zone.isna().to_numpy().argmax())
        raise PriceSourceError(
            "some time stamps have a time zone and this one has none",
            source=source,
            column=column,
            date=text.iloc[row],
            remedy="write all time stamps with a time zone, or none.",
        )
    offset = zone.fillna("+00:00").replace({"Z": "+00:00", "UTC": "+00:00"})
    digits = offset.str.replace(":", "").str
    sign = digits[0].map({"+": 1, "-": -1})
    minutes = digits[1:3].astype(int) * 60 + digits[3:5].astype(int)
    return pd.to_timedelta(seconds) - pd.to_timedelta(sign * minutes, unit="min")


def _refuse_unreadable(parsed: pd.Series, text: pd.Series[str], source: str, column: str) -> None:
    blank = parsed.isna().to_numpy()
    if blank.any():
        raise _unreadable(text, int(blank.argmax()), source, column)


def _unreadable(text: pd.Series[str], row: int, source: str, column: str) -> PriceSourceError:
    cell = text.iloc[row]
    what = f"cannot read the date '{cell}'" if cell.strip() else "the date is blank"
    return PriceSourceError(
        f"{what} (line {text.index[row]})",
        source=source,
        column=column,
        date=cell or None,
        remedy=_REMEDY,
    )
