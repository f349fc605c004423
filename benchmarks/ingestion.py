"""How long prices of a large universe take from a file to features, and how much memory.

Run from the repository: ``python benchmarks/ingestion.py``. It writes a tidy file of simulated
daily bars into a temporary folder and deletes it again. Options: ``--assets``, ``--years``,
``--format`` (parquet or csv.gz or csv).
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from regime_nas_pipeline.datasets.csv_prices import CsvPricesDataset
from regime_nas_pipeline.datasets.file_prices import FilePricesDataset
from regime_nas_pipeline.datasets.parquet_prices import ParquetPricesDataset
from regime_nas_pipeline.market.features import make_features
from regime_nas_pipeline.market.market import market_from_prices
from regime_nas_pipeline.market.prepare import prepare_prices

BARS_PER_YEAR = 252
TIMEFRAMES = (1, 5, 21)
Result = TypeVar("Result")


def simulated_bars(n_assets: int, n_years: int) -> pd.DataFrame:
    """Daily bars of random walks, sorted by date: date, asset, open, high, low, close, volume."""
    rng = np.random.default_rng(0)
    dates = pd.bdate_range("2000-01-03", periods=n_years * BARS_PER_YEAR)
    names = np.array([f"A{number:04d}" for number in range(n_assets)])
    shape = (len(dates), n_assets)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, shape), axis=0))
    opened = close * np.exp(rng.normal(0, 0.005, shape))
    return pd.DataFrame(
        {
            "Date": np.repeat(dates.to_numpy(), n_assets),
            "Asset": np.tile(names, len(dates)),
            "Open": opened.ravel(),
            "High": (np.maximum(opened, close) * 1.001).ravel(),
            "Low": (np.minimum(opened, close) * 0.999).ravel(),
            "Close": close.ravel(),
            "Volume": rng.integers(1_000, 1_000_000, shape).ravel(),
        }
    )


def write_bars(folder: Path, form: str, n_assets: int, n_years: int) -> FilePricesDataset:
    """Write simulated bars and make the dataset that reads them."""
    path = folder / f"bars.{form}"
    bars = simulated_bars(n_assets, n_years)
    if form == "parquet":
        bars.to_parquet(path, index=False)
        return ParquetPricesDataset(filepath=str(path))
    bars.to_csv(path, index=False)
    return CsvPricesDataset(filepath=str(path))


def timed(stage: str, work: Callable[[], Result]) -> Result:
    """Do some work, and print how long it took."""
    started = time.perf_counter()
    result = work()
    print(f"{stage:<10}{time.perf_counter() - started:8.1f} s")
    return result


def measure(source: FilePricesDataset) -> None:
    """Go from the file to features, stage by stage."""
    started = time.perf_counter()
    raw = timed("load", source.load)
    benchmark = raw.assets[0]
    prepared = timed(
        "prepare",
        lambda: prepare_prices(
            raw,
            assets=None,
            benchmark=benchmark,
            start=None,
            end=None,
            max_gap=5,
            first_oos=raw.table["date"].max().date() - dt.timedelta(days=365),
            needed_bars=BARS_PER_YEAR,
        ),
    )
    market = timed("market", lambda: market_from_prices(prepared.prices, benchmark=benchmark))
    features = timed("features", lambda: make_features(market, TIMEFRAMES))
    print(f"{'total':<10}{time.perf_counter() - started:8.1f} s")
    print(f"rows {len(prepared.prices):,}; features {features.asset.shape}")


def main() -> None:
    """Read the options, measure, and print the peak of memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=500)
    parser.add_argument("--years", type=int, default=20)
    parser.add_argument("--format", choices=("parquet", "csv", "csv.gz"), default="parquet")
    options = parser.parse_args()
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        source = write_bars(Path(folder), options.format, options.assets, options.years)
        before = _peak_gigabytes()
        measure(source)
    # The peak is that of the whole process, so what writing the file took must be known too.
    print(f"peak {_peak_gigabytes():.2f} GB (writing the file: {before:.2f} GB)")


def _peak_gigabytes() -> float:
    """Largest resident memory of this process so far (Linux counts in kilobytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    main()
