"""Small price files for the tests of the CSV dataset, and the way from a file to prices."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from regime_nas_pipeline.datasets.csv_prices import CsvPricesDataset
from regime_nas_pipeline.market.prepare import PreparedPrices, prepare_prices

DAYS = [f"2020-01-{day:02d}" for day in range(1, 21)]


def wide_text(**replaced: str) -> str:
    """Two assets and a benchmark on 20 days; ``d05="A,B,M"`` replaces the cells of one day."""
    lines = ["Date,A,B,M"]
    for row, day in enumerate(DAYS):
        cells = replaced.get(f"d{day[-2:]}", f"{10 + row},{20 + row},{30 + row}")
        lines.append(f"{day},{cells}")
    return "\n".join(lines) + "\n"


def asset_text(scale: float = 1.0, **replaced: str) -> str:
    """Daily bars of one asset; ``d05="..."`` replaces the cells of one day."""
    lines = ["Date,Open,High,Low,Close,Volume"]
    for row, day in enumerate(DAYS):
        close = scale * (10 + row)
        cells = replaced.get(f"d{day[-2:]}", f"{close},{close + 1},{close - 1},{close},1000")
        lines.append(f"{day},{cells}")
    return "\n".join(lines) + "\n"


def without(text: str, *days: str) -> str:
    return "\n".join(line for line in text.splitlines() if line[:10] not in days) + "\n"


def ingest(path: Path, *, benchmark: str = "M", max_gap: int = 2, **options) -> PreparedPrices:
    return prepare_prices(
        CsvPricesDataset(filepath=str(path), **options).load(),
        assets=None,
        benchmark=benchmark,
        start=None,
        end=None,
        max_gap=max_gap,
        first_oos=dt.date(2020, 1, 15),
        needed_bars=5,
    )


def write_wide(folder: Path, text: str) -> Path:
    path = folder / "wide.csv"
    path.write_text(text)
    return path


def write_folder(folder: Path, **texts: str) -> Path:
    source = folder / "bars"
    source.mkdir()
    files = {"A": asset_text(), "B": asset_text(2.0), "M": asset_text(3.0), **texts}
    for name, text in files.items():
        (source / f"{name}.csv").write_text(text)
    return source
