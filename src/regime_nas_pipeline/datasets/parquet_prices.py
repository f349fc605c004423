"""Prices from the user's own Parquet files: a wide or tidy file, or a folder with one per asset."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from regime_nas_pipeline.datasets.file_prices import FilePricesDataset
from regime_nas_pipeline.datasets.parquet_cells import PARQUET_SUFFIXES, read_parquet_cells


class ParquetPricesDataset(FilePricesDataset):
    """Prices from Parquet files.

    Layouts and arguments are those of
    :class:`~regime_nas_pipeline.datasets.file_prices.FilePricesDataset`. Dates may be dates, time
    stamps or texts; prices may be numbers of any kind, or texts as in a CSV file. The nameless
    index of a table written by pandas counts as its ``Date`` where there is no such column.

    Example catalog entry::

        raw_prices:
          type: regime_nas_pipeline.datasets.parquet_prices.ParquetPricesDataset
          filepath: data/01_raw/bars.parquet # Date, Asset, Close, Volume
          timezone: Asia/Tokyo
    """

    _kind = "Parquet"
    _suffixes = PARQUET_SUFFIXES

    def _read(self, path: Path) -> pd.DataFrame:
        return read_parquet_cells(path)
