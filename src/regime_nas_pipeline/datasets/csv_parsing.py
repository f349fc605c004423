"""From the cells of one CSV file to tidy prices: strict, and exact about where a fault is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.datasets.csv_cells import field_columns
from regime_nas_pipeline.datasets.date_parsing import parse_dates
from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.market.raw import OPTIONAL_FIELDS, make_note

_BLANK = {"", "na", "n/a", "#n/a", "nan", "null", "none"}
_NUMBER = r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|(?i:inf|infinity))"


@dataclass
class ParsedFile:
    """Prices of one file.

    Attributes:
        table: Tidy: date, asset, close and optional open, high, low, volume.
        columns: Asset to field to column in the file.
        notes: Repairs made while reading.
        ignored: Columns that are not prices.
    """

    table: pd.DataFrame
    columns: dict[str, dict[str, str]]
    notes: list[dict[str, Any]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def read_wide(
    cells: pd.DataFrame, source: str, exclude: Collection[str], date_format: str | None
) -> ParsedFile:
    """Read a file with ``Date`` and one column of closes for each asset; blanks make no row."""
    date_column = field_columns(cells, source)["date"]
    cells, dates, notes = _in_order(cells, date_column, source, date_format)
    assets = [str(name) for name in cells.columns if name not in (date_column, *exclude)]
    parts = []
    for asset in assets:
        close = _numbers(cells[asset], dates, source, asset)
        part = pd.DataFrame({"date": dates, "asset": asset, "close": close})
        parts.append(part[part["close"].notna()])
    empty = pd.DataFrame({"date": dates[:0], "asset": "", "close": 0.0})
    table = pd.concat([empty, *parts], ignore_index=True).astype({"asset": "str"})
    blank = ~dates.isin(table["date"])
    if blank.any():
        notes.append(
            make_note(
                "blank_row",
                "The row has no price at all; its date is no bar.",
                file=source,
                count=int(blank.sum()),
                first_date=dates[blank].iloc[0],
            )
        )
    return ParsedFile(table, {asset: {"close": asset} for asset in assets}, notes)


def read_one_asset(
    cells: pd.DataFrame, source: str, asset: str, date_format: str | None
) -> ParsedFile:
    """Read a file with the bars of one asset; a blank cell stays a blank cell.

    Where there is an adjusted close it becomes the close, and open, high and low are multiplied
    by adjusted/unadjusted so that the range stays around it.

    Raises:
        PriceSourceError: There is no close, or an unadjusted close that is not positive.
    """
    fields = field_columns(cells, source)
    if "close" not in fields and "adjusted" not in fields:
        raise PriceSourceError(
            f"there is no column 'Close' (there are: {', '.join(map(str, cells.columns))})",
            source=source,
            column="Close",
            asset=asset,
            remedy="name the column with the closing prices 'Close' or 'Adj Close'.",
        )
    cells, dates, notes = _in_order(cells, fields["date"], source, date_format)
    values = {
        known: _numbers(cells[column], dates, source, column, asset)
        for known, column in fields.items()
        if known != "date"
    }
    columns = {known: column for known, column in fields.items() if known != "adjusted"}
    if "adjusted" in values:
        notes += _adjust(values, fields, dates, source, asset)
        columns["close"] = fields["adjusted"]
    ordered = {name: values[name] for name in ("close", *OPTIONAL_FIELDS) if name in values}
    table = pd.DataFrame({"date": dates, "asset": asset, **ordered}).reset_index(drop=True)
    ignored = [str(name) for name in cells.columns if name not in fields.values()]
    return ParsedFile(table.astype({"asset": "str"}), {asset: columns}, notes, ignored)


def _adjust(
    values: dict[str, pd.Series[float]],
    fields: dict[str, str],
    dates: pd.Series[pd.Timestamp],
    source: str,
    asset: str,
) -> list[dict[str, Any]]:
    """Put all prices in ``values`` on the adjusted close, in place; say so."""
    adjusted = values.pop("adjusted")
    unadjusted = values.get("close", adjusted)
    values["close"] = adjusted
    scaled = [name for name in ("open", "high", "low") if name in values]
    if unadjusted is adjusted or not scaled:
        return []
    faulty = ~(unadjusted > 0).to_numpy()
    if faulty.any():
        row = int(faulty.argmax())
        raise PriceSourceError(
            f"the unadjusted close is {unadjusted.iloc[row]:g} and open, high and low cannot be "
            "adjusted by it",
            source=source,
            column=fields["close"],
            asset=asset,
            date=dates.iloc[row],
            remedy="correct the price, or remove the columns open, high and low.",
        )
    ratio = adjusted / unadjusted
    changed = (ratio != 1.0).to_numpy()
    for name in scaled:
        values[name] = values[name] * ratio
    if not changed.any():
        return []
    return [
        make_note(
            "range_adjusted",
            f"{', '.join(scaled)} multiplied by {fields['adjusted']} / {fields['close']}.",
            asset=asset,
            file=source,
            count=int(changed.sum()),
            first_date=dates.iloc[int(changed.argmax())],
        )
    ]


def _numbers(
    text: pd.Series[str],
    dates: pd.Series[pd.Timestamp],
    source: str,
    column: str,
    asset: str | None = None,
) -> pd.Series[float]:
    """Convert cells to the nearest float64; blanks to NaN."""
    stripped = text.str.strip()
    blank = stripped.str.lower().isin(_BLANK)
    wrong = (~blank & ~stripped.str.fullmatch(_NUMBER)).to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        raise PriceSourceError(
            f"'{text.iloc[row]}' is not a number (line {text.index[row]})",
            source=source,
            column=column,
            asset=asset or column,
            date=dates.iloc[row],
            remedy="write numbers as 1234.5, without separators or units, or leave the cell blank.",
        )
    numbers = [np.nan if skip else float(cell) for cell, skip in zip(stripped, blank, strict=True)]
    return pd.Series(numbers, index=text.index, dtype=float)


def _in_order(
    cells: pd.DataFrame, date_column: str, source: str, date_format: str | None
) -> tuple[pd.DataFrame, pd.Series[pd.Timestamp], list[dict[str, Any]]]:
    """Parse dates and put the oldest row first.

    Raises:
        PriceSourceError: A date occurs twice, or the dates go back and forth.
    """
    dates = parse_dates(
        cells[date_column], source=source, column=date_column, date_format=date_format
    )
    repeated = dates.duplicated().to_numpy()
    if repeated.any():
        row = int(repeated.argmax())
        raise PriceSourceError(
            f"the date occurs more than once (again in line {dates.index[row]})",
            source=source,
            column=date_column,
            date=dates.iloc[row],
            remedy="keep one row for each date.",
        )
    if dates.is_monotonic_increasing:
        return cells, dates, []
    if dates.is_monotonic_decreasing:
        note = make_note(
            "newest_first",
            "The file has its newest row first; turned round.",
            file=source,
            count=len(dates),
            first_date=dates.iloc[-1],
        )
        return cells.iloc[::-1], dates.iloc[::-1], [note]
    step = dates.diff().dropna()
    turned = step < pd.Timedelta(0) if step.iloc[0] > pd.Timedelta(0) else step > pd.Timedelta(0)
    row = int(turned.to_numpy().argmax()) + 1
    raise PriceSourceError(
        f"the dates go back and forth (line {dates.index[row]})",
        source=source,
        column=date_column,
        date=dates.iloc[row],
        remedy="sort the file by date.",
    )
