"""The same bars in every layout and format that a price file may have."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from price_files import DAYS

from regime_nas_pipeline.datasets.csv_prices import CsvPricesDataset
from regime_nas_pipeline.datasets.file_prices import FilePricesDataset
from regime_nas_pipeline.datasets.parquet_prices import ParquetPricesDataset
from regime_nas_pipeline.market.prepare import PreparedPrices, prepare_prices

LAYOUTS = ("wide", "tidy", "folder")
FORMATS = ("csv", "csv.gz", "text.parquet", "typed.parquet")


def bars() -> pd.DataFrame:
    """Two assets and a benchmark on 20 days, as text, sorted by asset."""
    rows = []
    for scale, asset in enumerate("ABM", start=1):
        for number, day in enumerate(DAYS):
            close = scale * (10.0 + number)
            rows.append([day, asset, close, close + 1, close - 1, close, 1000])
    columns = ["Date", "Asset", "Open", "High", "Low", "Close", "Volume"]
    return pd.DataFrame(rows, columns=columns).astype("str")


def cell(column: str, value: str, day: int = 5) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A fault: one cell of asset B."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        table = table.copy()
        table.loc[(table["Asset"] == "B") & (table["Date"] == DAYS[day - 1]), column] = value
        return table

    return change


def write(folder: Path, table: pd.DataFrame, layout: str, form: str, **options):
    """Write bars, and make the dataset that reads them."""
    dataset = ParquetPricesDataset if form.endswith("parquet") else CsvPricesDataset
    ending = form.removeprefix("text.").removeprefix("typed.")
    if layout == "folder":
        path = folder / "bars"
        path.mkdir()
        for asset, rows in table.groupby("Asset", sort=False):
            write_table(rows.drop(columns="Asset"), path / f"{asset}.{ending}", form)
    else:
        path = folder / f"{layout}.{ending}"
        write_table(widen(table) if layout == "wide" else table, path, form)
    return dataset(filepath=str(path), **options)


def widen(table: pd.DataFrame) -> pd.DataFrame:
    """One column of closes per asset, dates in the order in which they come first."""
    days = pd.unique(table["Date"])
    closes = {
        asset: rows.drop_duplicates("Date").set_index("Date")["Close"]
        for asset, rows in table.groupby("Asset", sort=False)
    }
    return pd.DataFrame(closes).reindex(days).fillna("").rename_axis("Date").reset_index()


def write_table(table: pd.DataFrame, path: Path, form: str) -> None:
    """Write one file; ``typed`` as numbers and time stamps wherever the cells are such."""
    if not form.endswith("parquet"):
        table.to_csv(path, index=False)
        return
    if form.startswith("typed"):
        table = table.copy()
        for name in table.columns:
            kind = pd.to_datetime if name == "Date" else pd.to_numeric
            try:
                table[name] = kind(table[name])
            except ValueError:
                continue  # a fault that only a column of texts can hold
    table.to_parquet(path, index=False)


def parquet(columns: dict[str, Any] | pa.Table, **options: Any) -> bytes:
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    stream = BytesIO()
    pq.write_table(table, stream, **options)
    return stream.getvalue()


def wide_parquet(**columns: Any) -> bytes:
    """Two assets and a benchmark; ``A=...`` replaces or adds a column."""
    closes = {
        name: [float(start + n) for n in range(20)]
        for name, start in zip("ABM", (10, 20, 30), strict=True)
    }
    return parquet({"Date": DAYS, **closes, **columns})


def ingest_source(source: FilePricesDataset, benchmark: str = "M") -> PreparedPrices:
    return prepare_prices(
        source.load(),
        assets=None,
        benchmark=benchmark,
        start=None,
        end=None,
        max_gap=2,
        first_oos=dt.date(2020, 1, 15),
        needed_bars=5,
    )
