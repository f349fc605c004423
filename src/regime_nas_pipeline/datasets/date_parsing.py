"""Dates as people write them, without guessing."""

from __future__ import annotations

import re
from typing import Any, Final

import pandas as pd

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.datasets.price_cells import as_text, row_name
from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.datasets.time_zones import check_local_times, local_times
from regime_nas_pipeline.market.raw import DATE_DTYPE, make_note

_SPAN_DTYPE: Final = "timedelta64[us]"

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
_CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?"
_ZONE = r"Z|UTC|[+-](?:0\d|1[0-4]):?[0-5]\d"
_TIME = rf"(?:[T ](?P<time>{_CLOCK}) ?(?P<zone>{_ZONE})?)?"
_REMEDY = "correct the date, or state date_format (such as '%d/%m/%Y') in the catalog entry."
# Time stamps of nanoseconds, which other libraries make of dates, end here.
_FIRST, _LAST = pd.Timestamp("1678-01-01"), pd.Timestamp("2261-12-31 23:59:59.999999")


def check_date_format(date_format: str | None) -> None:
    """Check that a strptime format can be used.

    Raises:
        ParameterError: It has no directive, or a wrong one.
    """
    if date_format is None:
        return
    example = "such as '%d/%m/%Y'"
    if "%" not in date_format:  # pandas has words that mean "guess"
        raise ParameterError(f"date_format '{date_format}' has no directive, {example}.")
    try:
        pd.to_datetime(pd.Series(["?"], dtype="str"), format=date_format, errors="coerce")
    except (ValueError, re.error) as error:
        raise ParameterError(
            f"date_format '{date_format}' is no strptime format, {example} ({error})."
        ) from error


def parse_dates(
    text: pd.Series,
    *,
    source: str,
    column: str,
    date_format: str | None = None,
    timezone: str | None = None,
    notes: list[dict[str, Any]] | None = None,
) -> pd.Series[pd.Timestamp]:
    """Read a column of dates that are all written alike.

    Understood without ``date_format``: 2015-01-05, 20150105, 2015/01/05, Jan 5, 2015,
    January 5, 2015, 5 Jan 2015, 05-Jan-2015, 05.01.2015, and 05/01/2015 or 05-01-2015 where some
    day above 12 shows which part is the month. Each may be followed by a time of day and a time
    zone. Columns of time stamps, as Parquet files have them, are taken as they are.

    Time stamps with a time zone are converted to ``timezone``, else to UTC; it is then removed.
    Those without one are on the clock of ``timezone`` already, and must exist there.

    Args:
        text: Cells, indexed by their place in the file.
        source: File name, for messages.
        column: Column name, for messages.
        date_format: strptime format that every cell has, instead of the above.
        timezone: Place whose calendar the bars follow, as a name in the IANA database; None: UTC.
        notes: Gets a note if the day of some stamp is another one in UTC than where it was
            written.

    Returns:
        Time stamps without a time zone, same index.

    Raises:
        PriceSourceError: A cell is no date or one before 1678 or after 2261, the order of day and
            month is ambiguous, some stamps alone have a time zone, or a time does not exist or is
            ambiguous in ``timezone``.
    """
    if pd.api.types.is_datetime64_any_dtype(text.dtype):
        written, offset = _split_stamps(text, source, column)
    else:
        written, offset = _parse_text(as_text(text), source, column, date_format)
    _refuse_far_away(written, text, source, column)
    place = {"source": source, "column": column}
    if offset is None:
        if timezone is not None:
            check_local_times(written, text, timezone=timezone, **place)
        return written
    stamps = (written - offset).astype(DATE_DTYPE)
    if timezone is not None:
        return local_times(stamps, text, timezone=timezone, **place).astype(DATE_DTYPE)
    moved = (stamps.dt.normalize() != written.dt.normalize()).to_numpy()
    if notes is not None and moved.any():
        notes.append(
            make_note(
                "day_moved",
                "The day in UTC is another one than where the stamp was written; state timezone "
                "in the catalog entry to keep the days of one place.",
                file=source,
                count=int(moved.sum()),
                first_date=stamps[moved].min(),
            )
        )
    return stamps


def _split_stamps(
    cells: pd.Series, source: str, column: str
) -> tuple[pd.Series[pd.Timestamp], pd.Series[pd.Timedelta] | None]:
    """Split a column of time stamps into what the clock showed, and its offset to UTC."""
    _refuse_unreadable(cells, as_text(cells), source, column)
    written = cells.dt.tz_localize(None).astype(DATE_DTYPE)
    if cells.dt.tz is None:
        return written, None
    return written, written - cells.dt.tz_convert("UTC").dt.tz_localize(None)


def _parse_text(
    text: pd.Series[str], source: str, column: str, date_format: str | None
) -> tuple[pd.Series[pd.Timestamp], pd.Series[pd.Timedelta] | None]:
    """Read texts as what the clock showed, and its offset to UTC; None where none is written."""
    # Thousands of assets repeat the same dates; the place of a fault is that of the first.
    distinct = text.drop_duplicates()
    if date_format is not None:
        written, offset = _parse_stated(distinct, source, column, date_format)
    else:
        written, offset = _parse_recognised(distinct, source, column)
    positions = pd.Index(distinct).get_indexer(pd.Index(text))
    return (
        written.iloc[positions].set_axis(text.index),
        None if offset is None else offset.iloc[positions].set_axis(text.index),
    )


def _parse_stated(
    text: pd.Series[str], source: str, column: str, date_format: str
) -> tuple[pd.Series[pd.Timestamp], pd.Series[pd.Timedelta] | None]:
    """Parse with one format; the offset to UTC is already taken off, so that it is 0 or None."""
    aware = "%z" in date_format or "%Z" in date_format
    parsed = pd.to_datetime(text.str.strip(), format=date_format, errors="coerce", utc=aware)
    _refuse_unreadable(parsed, text, source, column)
    if not aware:
        return parsed.astype(DATE_DTYPE), None
    instants = parsed.dt.tz_localize(None).astype(DATE_DTYPE)
    return instants, instants - instants


def _parse_recognised(
    text: pd.Series[str], source: str, column: str
) -> tuple[pd.Series[pd.Timestamp], pd.Series[pd.Timedelta] | None]:
    """Parse with the one way of writing that fits; also the offset to UTC where it is written."""
    stripped = text.str.strip()
    shape, formats = _shape_of(stripped, text, source, column)
    pieces = stripped.str.extract(f"^(?P<day>{shape}){_TIME}$")
    _refuse_unreadable(pieces["day"], text, source, column)
    days = _parse_days(pieces["day"], formats, text, source, column)
    time = pieces["time"].fillna("00:00")
    seconds = time.where(time.str.count(":") == 2, time + ":00")
    stamps = days.astype(DATE_DTYPE) + pd.to_timedelta(seconds).astype(_SPAN_DTYPE)
    return stamps, _offsets(pieces["zone"], text, source, column)


def to_bar_dates(table: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
    """Drop the time of day where no asset has two bars on one calendar day.

    Args:
        table: Columns ``date`` and ``asset`` at least.

    Returns:
        The table, and whether the prices are intraday (dates then keep their time).
    """
    if (table["date"] == table["date"].dt.normalize()).all():
        return table, False
    stamps = table[["date", "asset"]].drop_duplicates()
    days = stamps.assign(date=stamps["date"].dt.normalize())
    if days.duplicated().any():
        return table, True
    return table.assign(date=table["date"].dt.normalize()), False


def _shape_of(
    stripped: pd.Series[str], text: pd.Series[str], source: str, column: str
) -> tuple[str, tuple[str, ...]]:
    """Find how the first cell is written; the others must follow."""
    for shape, formats in _SHAPES:
        # A month such as May fits both the short and the long form, so all cells are asked.
        if stripped.str.fullmatch(shape + _TIME).all():
            return shape, formats
    for shape, formats in _SHAPES:
        if re.fullmatch(shape + _TIME, stripped.iloc[0]):
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


def _offsets(
    zone: pd.Series[str], text: pd.Series[str], source: str, column: str
) -> pd.Series[pd.Timedelta] | None:
    """Read what must be taken off to get UTC; None where no stamp has a time zone."""
    if zone.isna().all():
        return None
    if zone.isna().any():
        row = int(zone.isna().to_numpy().argmax())
        raise PriceSourceError(
            "some time stamps have a time zone and this one has none",
            source=source,
            column=column,
            date=text.iloc[row],
            remedy="write all time stamps with a time zone, or none.",
        )
    offset = zone.replace({"Z": "+00:00", "UTC": "+00:00"})
    digits = offset.str.replace(":", "").str
    sign = digits[0].map({"+": 1, "-": -1})
    minutes = digits[1:3].astype(int) * 60 + digits[3:5].astype(int)
    return pd.to_timedelta(sign * minutes, unit="min").astype(_SPAN_DTYPE)


def _refuse_far_away(
    stamps: pd.Series[pd.Timestamp], cells: pd.Series, source: str, column: str
) -> None:
    far = ((stamps < _FIRST) | (stamps > _LAST)).to_numpy()
    if far.any():
        row = int(far.argmax())
        raise PriceSourceError(
            f"the date lies before {_FIRST.year} or after {_LAST.year} ({row_name(cells, row)})",
            source=source,
            column=column,
            date=as_text(cells.iloc[[row]]).iloc[0],
            remedy=_REMEDY,
        )


def _refuse_unreadable(parsed: pd.Series, text: pd.Series[str], source: str, column: str) -> None:
    blank = parsed.isna().to_numpy()
    if blank.any():
        raise _unreadable(text, int(blank.argmax()), source, column)


def _unreadable(text: pd.Series[str], row: int, source: str, column: str) -> PriceSourceError:
    cell = text.iloc[row]
    what = f"cannot read the date '{cell}'" if cell.strip() else "the date is blank"
    return PriceSourceError(
        f"{what} ({row_name(text, row)})",
        source=source,
        column=column,
        date=cell or None,
        remedy=_REMEDY,
    )
