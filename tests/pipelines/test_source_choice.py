"""Environments read local files or a live source, by one word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("env", "source", "dataset", "benchmark"),
    [
        ("etf", None, "CsvPricesDataset", "SPY"),
        ("etf", "yahoo", "YahooPricesDataset", "SPY"),
        ("crypto", None, "CsvPricesDataset", "Bitcoin"),
        ("crypto", "bybit", "BybitPricesDataset", "BTCUSDT"),
    ],
)
def test_one_word_chooses_where_prices_come_from(
    env: str, source: str | None, dataset: str, benchmark: str, monkeypatch: Any
) -> None:
    monkeypatch.delenv("REGIME_NAS_SOURCE", raising=False)
    if source is not None:
        monkeypatch.setenv("REGIME_NAS_SOURCE", source)
    bootstrap_project(PROJECT)
    with KedroSession.create(project_path=PROJECT, env=env) as session:
        context = session.load_context()
        entry = context.catalog["raw_prices"]
        assert type(entry).__name__ == dataset
        assert context.params["universe"].benchmark == benchmark
        if source is not None:
            described = entry._describe()
            assert benchmark in (described.get("tickers") or described["symbols"])
