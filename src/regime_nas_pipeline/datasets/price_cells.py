"""The cells of a price file, whatever its format: rows, header, and which column holds what.

A table of cells has one row for each row of the file. Its index says where that row is (a line of
a text file, a row of a Parquet file) and is named after it, for messages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from regime_nas_pipeline.datasets.source_error import PriceSourceError

_FIELDS = {
    "date": "date",
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "volume": "volume",
    "adjclose": "adjusted",
    "adjustedclose": "adjusted",
}


def row_name(cells: pd.Series | pd.DataFrame, row: int) -> str:
    """Say where a row is in its file, such as "line 7".

    Args:
        cells: Cells, indexed by their place in the file.
        row: Position among ``cells``, from 0.
    """
    return f"{cells.index.name or 'line'} {cells.index[row]}"


def as_text(cells: pd.Series) -> pd.Series[str]:
    """Write cells of any kind as a person would; blanks as an empty text."""
    if cells.dtype == "str":
        return cells
    if pd.api.types.is_datetime64_any_dtype(cells.dtype) or pd.api.types.is_numeric_dtype(
        cells.dtype
    ):
        return cells.astype("str").fillna("")
    # A nested cell is a sequence itself, for which "is it blank?" would have many answers.
    written = ["" if cell is None or cell is pd.NA else str(cell) for cell in cells.astype(object)]
    return pd.Series(written, index=cells.index, dtype="str")


def check_header(names: Sequence[str], source: str) -> None:
    """Check that every column can be told from the others.

    Raises:
        PriceSourceError: A column has no name, or two have the same.
    """
    seen: set[str] = set()
    for name in sorted(names):
        if not name or name in seen:
            raise PriceSourceError(
                "two columns have the same name" if name else "a column has no name",
                source=source,
                column=name or None,
                remedy="give every column of the header its own name.",
            )
        seen.add(name)


def field_columns(cells: pd.DataFrame, source: str) -> dict[str, str]:
    """Map the known fields, in any spelling of case and separators, to columns of the file.

    Raises:
        PriceSourceError: There is no date column, or two columns for the same field.
    """
    found: dict[str, str] = {}
    for name in map(str, cells.columns):
        known = _FIELDS.get(_folded(name))
        if known in found:
            raise _same_meaning(found[known], name, source)
        if known is not None:
            found[known] = name
    if "date" not in found:
        raise PriceSourceError(
            f"there is no column 'Date' (there are: {', '.join(map(str, cells.columns))})",
            source=source,
            column="Date",
            remedy="name the column with the dates 'Date', and separate cells with commas.",
        )
    return found


def check_close(
    cells: pd.DataFrame, fields: dict[str, str], source: str, asset: str | None
) -> None:
    """Check that a file of bars has closes.

    Raises:
        PriceSourceError: It has neither a close nor an adjusted close.
    """
    if "close" not in fields and "adjusted" not in fields:
        raise PriceSourceError(
            f"there is no column 'Close' (there are: {', '.join(map(str, cells.columns))})",
            source=source,
            column="Close",
            asset=asset,
            remedy="name the column with the closing prices 'Close' or 'Adj Close'.",
        )


def is_wide(fields: dict[str, str], n_columns: int) -> bool:
    """Whether a file has one column for each asset, and not one asset."""
    return not {"close", "adjusted"} & set(fields) and n_columns > len(fields)


def find_asset_column(cells: pd.DataFrame, stated: str | None, source: str) -> str | None:
    """Find the column that says which asset a row is about.

    Args:
        cells: Cells of a file.
        stated: Its name in the catalog entry, or None: it is called 'asset' (in any case).
        source: File name, for messages.

    Returns:
        The column, or None where the file has none.

    Raises:
        PriceSourceError: The stated column is not there, or two columns are called 'asset'.
    """
    names = [str(name) for name in cells.columns]
    if stated is not None:
        if stated not in names:
            raise PriceSourceError(
                f"there is no column '{stated}' (there are: {', '.join(names)})",
                source=source,
                column=stated,
                remedy="correct asset_column in the catalog entry.",
            )
        return stated
    found = [name for name in names if _folded(name) == "asset"]
    if len(found) > 1:
        raise _same_meaning(found[0], found[1], source)
    return found[0] if found else None


def _folded(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


def _same_meaning(first: str, second: str, source: str) -> PriceSourceError:
    return PriceSourceError(
        f"columns '{first}' and '{second}' mean the same",
        source=source,
        column=second,
        remedy="keep one of them.",
    )
