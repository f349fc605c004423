"""One CSV file as named text cells, and which column holds what."""

from __future__ import annotations

import csv
import re
from pathlib import Path

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


def read_cells(path: Path) -> pd.DataFrame:
    """Read a CSV file as text, indexed by line number.

    Raises:
        PriceSourceError: The file is empty, not UTF-8 text, has a nameless or repeated column,
            or a row with too many or too few cells.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            lines = [(reader.line_num, row) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise PriceSourceError(
            f"the file is not readable as CSV ({error})",
            source=path.name,
            remedy="save it as comma-separated text in UTF-8.",
        ) from error
    if len(lines) < 2:
        raise PriceSourceError(
            "the file is empty" if not lines else "the file has a header and no rows",
            source=path.name,
            remedy="fill the file, or remove it.",
        )
    header = [name.strip() for name in lines[0][1]]
    faulty = sorted({name for name in header if not name or header.count(name) > 1})
    if faulty:
        raise PriceSourceError(
            "a column has no name" if not faulty[0] else "two columns have the same name",
            source=path.name,
            column=faulty[0] or None,
            remedy="give every column of the header its own name.",
        )
    folded = [name.lower() for name in header]
    for line, row in lines[1:]:
        if len(row) != len(header):
            raise PriceSourceError(
                f"line {line} has {len(row)} cells and the header has {len(header)}",
                source=path.name,
                date=row[folded.index("date")] if "date" in folded[: len(row)] else None,
                remedy="complete the row, or quote cells that contain a comma.",
            )
    return pd.DataFrame(
        [row for _, row in lines[1:]],
        index=[line for line, _ in lines[1:]],
        columns=header,
        dtype="str",
    )


def field_columns(cells: pd.DataFrame, source: str) -> dict[str, str]:
    """Map the known fields, in any spelling of case and separators, to columns of the file.

    Raises:
        PriceSourceError: There is no date column, or two columns for the same field.
    """
    found: dict[str, str] = {}
    for name in map(str, cells.columns):
        known = _FIELDS.get(re.sub("[^a-z0-9]", "", name.lower()))
        if known in found:
            raise PriceSourceError(
                f"columns '{found[known]}' and '{name}' mean the same",
                source=source,
                column=name,
                remedy="keep one of them.",
            )
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


def is_wide(fields: dict[str, str], n_columns: int) -> bool:
    """Whether a file has one column for each asset, and not one asset."""
    return not {"close", "adjusted"} & set(fields) and n_columns > len(fields)
