"""A small table of the user's own, from a CSV or a Parquet file, as named cells."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from regime_nas_pipeline.datasets.csv_cells import CSV_SUFFIXES, read_cells
from regime_nas_pipeline.datasets.parquet_cells import PARQUET_SUFFIXES, read_parquet_cells
from regime_nas_pipeline.datasets.source_error import PriceSourceError


def read_table_cells(path: Path, what: str) -> pd.DataFrame:
    """Read a file of either kind; column names in lower case.

    Args:
        path: The file; its suffix says of which kind it is.
        what: What it holds, in the plural, for messages ("holdings").

    Returns:
        Cells, indexed by their place in the file; see the readers of the two kinds.

    Raises:
        PriceSourceError: The file cannot be read, is damaged, empty or of another kind.
    """
    name = path.name.lower()
    if name.endswith(PARQUET_SUFFIXES):
        cells = read_parquet_cells(path)
    elif name.endswith(CSV_SUFFIXES):
        cells = read_cells(path)
    else:
        raise PriceSourceError(
            f"{what} are read from CSV or Parquet files",
            source=path.name,
            remedy=f"give the file a name that ends in "
            f"{', '.join(CSV_SUFFIXES + PARQUET_SUFFIXES)}.",
        )
    cells.columns = pd.Index([column.strip().lower() for column in cells.columns])
    return cells
