"""Who belonged to a universe when, from a file of the user's own; nothing in it is guessed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from regime_nas_pipeline.datasets.date_parsing import parse_dates
from regime_nas_pipeline.datasets.price_cells import as_text, row_name
from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.datasets.table_cells import read_table_cells
from regime_nas_pipeline.market.membership import Membership
from regime_nas_pipeline.market.raw import DATE_DTYPE

_COLUMNS = ("asset", "from", "to")


def read_membership(path: Path) -> Membership:
    """Read a CSV or Parquet file with the columns ``asset``, ``from`` and ``to``.

    A row says that an asset belonged to the universe from one date to another, both included; a
    blank is an open end. An asset may have several rows.

    Args:
        path: The file; its suffix says of which kind it is.

    Raises:
        PriceSourceError: The file cannot be read, a column is missing or unknown, a row names no
            asset, or a date cannot be read.
        DataError: An interval ends before it begins, or two of one asset overlap.
    """
    cells = read_table_cells(path, "memberships")
    columns = list(cells.columns)
    if sorted(columns) != sorted(_COLUMNS):
        strange = [name for name in columns if name not in _COLUMNS]
        raise PriceSourceError(
            f"the file has the columns {', '.join(columns)}",
            source=path.name,
            column=strange[0] if strange else None,
            remedy=f"give it the columns {', '.join(_COLUMNS)}, and nothing else.",
        )
    names = as_text(cells["asset"]).str.strip()
    nameless = np.flatnonzero((names == "").to_numpy())
    if len(nameless):
        raise PriceSourceError(
            f"{row_name(names, int(nameless[0]))} names no asset",
            source=path.name,
            column="asset",
            remedy="name the asset, or remove the row.",
        )
    intervals = pd.DataFrame(
        {
            "asset": names.astype("str"),
            "first": _dates(cells["from"], path.name, "from"),
            "last": _dates(cells["to"], path.name, "to"),
            "place": [row_name(names, row) for row in range(len(names))],
        }
    )
    return Membership(intervals.reset_index(drop=True), path.name)


def _dates(cells: pd.Series, source: str, column: str) -> pd.Series[pd.Timestamp]:
    """Dates of a column, blank where the cell is."""
    if not pd.api.types.is_datetime64_any_dtype(cells.dtype):
        cells = as_text(cells).str.strip()
        given = cells != ""
    else:
        given = cells.notna()
    found = pd.Series(pd.NaT, index=cells.index, dtype=DATE_DTYPE)
    if given.any():
        found[given] = parse_dates(cells[given], source=source, column=column).astype(DATE_DTYPE)
    return found
