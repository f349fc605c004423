from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from skfolio.datasets import load_sp500_dataset, load_sp500_index

from regime_nas_pipeline.datasets.bundled import BundledPricesDataset


def test_the_twenty_stocks_and_the_index_arrive_unchanged():
    raw = BundledPricesDataset(benchmark_name="SPX").load()
    stocks = load_sp500_dataset()
    assert raw.assets == tuple(sorted([*stocks.columns, "SPX"]))
    assert set(raw.places.values()) == {"skfolio S&P 500 dataset"}
    assert raw.notes == []
    wide = raw.table.pivot(index="date", columns="asset", values="close")
    assert (wide.index[0], wide.index[-1]) == (
        pd.Timestamp("1990-01-02"),
        pd.Timestamp("2022-12-28"),
    )
    np.testing.assert_array_equal(wide[stocks.columns].to_numpy(), stocks.to_numpy())
    np.testing.assert_array_equal(wide["SPX"].to_numpy(), load_sp500_index().iloc[:, 0].to_numpy())


def test_the_index_cannot_take_the_name_of_a_stock():
    with pytest.raises(DatasetError, match="benchmark_name 'AAPL' is one of the stocks"):
        BundledPricesDataset(benchmark_name="AAPL").load()


def test_it_is_read_only():
    dataset = BundledPricesDataset()
    with pytest.raises(DatasetError, match="BundledPricesDataset is read-only"):
        dataset.save(dataset.load())
    assert dataset.exists()
