"""What is listed on the local chart server, and short ways to ask the dataset for it."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path
from typing import Any

import pandas as pd
from chart_server import ChartServer, Listing

from regime_nas_pipeline.datasets.yahoo import YahooPricesDataset

NOW = dt.datetime(2024, 3, 8, 17, 0, tzinfo=dt.UTC)  # a Friday, noon in New York
DAYS = [day.date() for day in pd.bdate_range("2024-02-01", "2024-03-08")]
_names = itertools.count()


def listing(scale: float = 1.0, **options: Any) -> Listing:
    days = {day: scale * (100 + 3 * (row % 5) + row) for row, day in enumerate(DAYS)}
    return Listing(days, **options)


def listed(server: ChartServer, *listings: Listing) -> list[str]:
    """List them under names that yfinance has not seen in this process."""
    names = [f"T{next(_names):03d}" for _ in listings]
    server.listings.update(zip(names, listings, strict=True))
    return names


def source(folder: Path, tickers: list[str], **options: Any) -> YahooPricesDataset:
    return YahooPricesDataset(
        filepath=folder,
        tickers=tickers,
        requests_per_second=1e6,
        **{"end": "2024-03-07", **options},
    )


def closes(dataset: YahooPricesDataset, ticker: str) -> pd.Series:
    table = dataset.load().table
    return table[table["asset"] == ticker].set_index("date")["close"]


def kinds(dataset: YahooPricesDataset) -> list[tuple[str, str | None, int | None]]:
    notes = dataset.load().notes
    return [(n["kind"], n["asset"], n["count"]) for n in notes if n["kind"] != "snapshot"]
