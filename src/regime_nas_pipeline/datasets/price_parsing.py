"""From the cells of one price file to tidy prices: strict, and exact about where a fault is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from regime_nas_pipeline.datasets.date_parsing import parse_dates
from regime_nas_pipeline.datasets.number_parsing import parse_numbers
from regime_nas_pipeline.datasets.price_cells import as_text, check_close, field_columns, row_name
from regime_nas_pipeline.datasets.row_order import (
    check_order,
    check_order_by_asset,
    newest_first_note,
)
from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.market.raw import OPTIONAL_FIELDS, make_note


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
    cells: pd.DataFrame,
    source: str,
    exclude: Collection[str],
    date_format: str | None,
    timezone: str | None = None,
) -> ParsedFile:
    """Read a file with ``Date`` and one column of closes for each asset; blanks make no row."""
    date_column = field_columns(cells, source)["date"]
    cells, dates, notes = _in_order(cells, date_column, source, date_format, timezone)
    assets = [str(name) for name in cells.columns if name not in (date_column, *exclude)]
    parts = []
    for asset in assets:
        close = parse_numbers(cells[asset], dates, source=source, column=asset, asset=asset)
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
    cells: pd.DataFrame,
    source: str,
    asset: str,
    date_format: str | None,
    timezone: str | None = None,
) -> ParsedFile:
    """Read a file with the bars of one asset; a blank cell stays a blank cell.

    Where there is an adjusted close it becomes the close, and open, high and low are multiplied
    by adjusted/unadjusted so that the range stays around it.

    Raises:
        PriceSourceError: There is no close, or an unadjusted close that is not positive.
    """
    fields = field_columns(cells, source)
    check_close(cells, fields, source, asset)
    cells, dates, notes = _in_order(cells, fields["date"], source, date_format, timezone)
    table, columns, adjusted = _bars(cells, fields, dates, asset, source)
    ignored = [str(name) for name in cells.columns if name not in fields.values()]
    return ParsedFile(table, {asset: columns}, notes + adjusted, ignored)


def read_asset_names(cells: pd.DataFrame, asset_column: str, source: str) -> pd.Series[str]:
    """Read which asset each row of a tidy file is about.

    Raises:
        PriceSourceError: A name is blank, or the column holds neither texts nor whole numbers.
    """
    column = cells[asset_column]
    if column.dtype != "str" and not pd.api.types.is_integer_dtype(column.dtype):
        raise PriceSourceError(
            f"names of assets must be texts or whole numbers and are {column.dtype}",
            source=source,
            column=asset_column,
            remedy="write the names as texts, or correct asset_column in the catalog entry.",
        )
    names = as_text(column).str.strip()
    blank = (names == "").to_numpy(dtype=bool)
    if blank.any():
        raise PriceSourceError(
            f"the name of the asset is blank ({row_name(names, int(blank.argmax()))})",
            source=source,
            column=asset_column,
            remedy="fill the cell, or remove the row.",
        )
    return names


def read_tidy(
    cells: pd.DataFrame,
    source: str,
    assets: pd.Series[str],
    asset_column: str,
    date_format: str | None,
    timezone: str | None = None,
) -> ParsedFile:
    """Read a file with one row for each bar of each asset, in any order of assets.

    Each asset's rows are read as :func:`read_one_asset` reads a file.

    Args:
        cells: Cells of the rows to read.
        source: File name.
        assets: The asset of each row, from :func:`read_asset_names`.
        asset_column: Where it stands.
        date_format: strptime format of the dates, where they cannot be recognised.
        timezone: Place whose calendar the bars follow; None: UTC.

    Raises:
        PriceSourceError: As for :func:`read_one_asset`, with the asset.
    """
    bars = cells.drop(columns=asset_column)
    fields = field_columns(bars, source)
    check_close(bars, fields, source, None)
    column = fields["date"]
    notes: list[dict[str, Any]] = []
    dates = parse_dates(
        cells[column],
        source=source,
        column=column,
        date_format=date_format,
        timezone=timezone,
        notes=notes,
    )
    turned = check_order_by_asset(dates, assets, source, column)
    if turned.any():
        notes.append(newest_first_note(source, dates[turned]))
    table, columns, adjusted = _bars(bars, fields, dates, assets, source)
    ignored = [str(name) for name in bars.columns if name not in fields.values()]
    names = map(str, assets.unique())
    return ParsedFile(table, dict.fromkeys(names, columns), notes + adjusted, ignored)


def _bars(
    cells: pd.DataFrame,
    fields: dict[str, str],
    dates: pd.Series[pd.Timestamp],
    asset: str | pd.Series[str],
    source: str,
) -> tuple[pd.DataFrame, dict[str, str], list[dict[str, Any]]]:
    """Make the table of one or more assets; also field to column, and notes."""
    values = {
        known: parse_numbers(cells[column], dates, source=source, column=column, asset=asset)
        for known, column in fields.items()
        if known != "date"
    }
    columns = {known: column for known, column in fields.items() if known != "adjusted"}
    notes = []
    if "adjusted" in values:
        notes = _adjust(values, fields, dates, source, asset)
        columns["close"] = fields["adjusted"]
    ordered = {name: values[name] for name in ("close", *OPTIONAL_FIELDS) if name in values}
    table = pd.DataFrame({"date": dates, "asset": asset, **ordered}).reset_index(drop=True)
    return table.astype({"asset": "str"}), columns, notes


def _adjust(
    values: dict[str, pd.Series[float]],
    fields: dict[str, str],
    dates: pd.Series[pd.Timestamp],
    source: str,
    asset: str | pd.Series[str],
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
            asset=asset if isinstance(asset, str) else asset.iloc[row],
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
            asset=asset if isinstance(asset, str) else None,
            file=source,
            count=int(changed.sum()),
            first_date=dates[changed].min(),
        )
    ]


def _in_order(
    cells: pd.DataFrame,
    date_column: str,
    source: str,
    date_format: str | None,
    timezone: str | None,
) -> tuple[pd.DataFrame, pd.Series[pd.Timestamp], list[dict[str, Any]]]:
    """Parse dates and put the oldest row first."""
    notes: list[dict[str, Any]] = []
    dates = parse_dates(
        cells[date_column],
        source=source,
        column=date_column,
        date_format=date_format,
        timezone=timezone,
        notes=notes,
    )
    if not check_order(dates, source, date_column):
        return cells, dates, notes
    notes.append(newest_first_note(source, dates))
    return cells.iloc[::-1], dates.iloc[::-1], notes
