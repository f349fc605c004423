"""Prices from the user's own CSV files: a wide or tidy file, or a folder with one per asset."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from regime_nas_pipeline.datasets.csv_cells import CSV_SUFFIXES, read_cells
from regime_nas_pipeline.datasets.file_prices import FilePricesDataset


class CsvPricesDataset(FilePricesDataset):
    """Prices from CSV files, also compressed with gzip (``.csv.gz``).

    Layouts and arguments are those of
    :class:`~regime_nas_pipeline.datasets.file_prices.FilePricesDataset`. Files are
    comma-separated UTF-8 with a header.

    Example catalog entry::

        raw_prices:
          type: regime_nas_pipeline.datasets.csv_prices.CsvPricesDataset
          filepath: data/01_raw/coins
          asset_pattern: coin_(?P<asset>.+)
          exclude: [Tether, USDCoin]
    """

    _kind = "CSV"
    _suffixes = CSV_SUFFIXES

    def _read(self, path: Path) -> pd.DataFrame:
        return read_cells(path)
