from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from arch.data import sp500, vix
from kedro.io import DataCatalog, DatasetError
from skfolio.datasets import load_factors_dataset, load_sp500_dataset, load_sp500_index

from regime_nas_pipeline.datasets.bundled import BundledPricesDataset
from regime_nas_pipeline.market.prepare import prepare_prices
from regime_nas_pipeline.market.raw import RawPrices


def wide_closes(raw: RawPrices) -> pd.DataFrame:
    return raw.table.pivot(index="date", columns="asset", values="close")


def test_the_twenty_stocks_and_the_index_arrive_unchanged():
    raw = BundledPricesDataset(benchmark_name="SPX").load()
    stocks = load_sp500_dataset()
    assert raw.assets == tuple(sorted([*stocks.columns, "SPX"]))
    assert set(raw.places.values()) == {"skfolio S&P 500 dataset"}
    assert raw.notes == []
    wide = wide_closes(raw)
    assert (wide.index[0], wide.index[-1]) == (
        pd.Timestamp("1990-01-02"),
        pd.Timestamp("2022-12-28"),
    )
    np.testing.assert_array_equal(wide[stocks.columns].to_numpy(), stocks.to_numpy())
    np.testing.assert_array_equal(wide["SPX"].to_numpy(), load_sp500_index().iloc[:, 0].to_numpy())


def test_the_factor_funds_have_the_index_of_their_days():
    raw = BundledPricesDataset(name="factor_etfs").load()
    funds = load_factors_dataset()
    assert raw.assets == ("MTUM", "QUAL", "S&P 500", "SIZE", "USMV", "VLUE")
    assert raw.notes == []
    wide = wide_closes(raw)
    assert len(wide) == 2264
    np.testing.assert_array_equal(wide[funds.columns].to_numpy(), funds.to_numpy())
    index = load_sp500_index().iloc[:, 0].loc["2014-01-02":"2022-12-28"]
    np.testing.assert_array_equal(wide["S&P 500"].to_numpy(), index.to_numpy())


def test_the_index_has_its_range_and_the_vix_its_closes():
    raw = BundledPricesDataset(name="sp500_vix").load()
    assert raw.assets == ("S&P 500", "VIX")
    index = raw.table[raw.table["asset"] == "S&P 500"].set_index("date")
    expected = sp500.load()
    for column in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(index[column].to_numpy(), expected[column.title()].to_numpy())
    volatility = raw.table[raw.table["asset"] == "VIX"].set_index("date")
    assert volatility["open"].isna().all()
    closes = vix.load()["vix"]
    # On every day on which the index is quoted there is a VIX, and on no other.
    assert volatility.index.equals(expected.loc["2014-01-03":].index.rename("date"))
    np.testing.assert_array_equal(
        volatility["close"].to_numpy(), closes.loc[volatility.index].to_numpy()
    )
    assert closes.loc["2019":].notna().sum() == 2
    assert [(n["kind"], n["asset"], n["count"], n["first_date"]) for n in raw.notes] == [
        ("after_the_benchmark", "VIX", 2, "2019-01-02")
    ]


@pytest.mark.parametrize(
    ("name", "tradable", "n_assets"),
    [("sp500_stocks", False, 21), ("factor_etfs", False, 6), ("sp500_vix", True, 2)],
)
def test_every_bundle_passes_ingestion(name, tradable, n_assets):
    prepared = prepare_prices(
        BundledPricesDataset(name=name).load(),
        assets=None,
        benchmark="S&P 500",
        benchmark_tradable=tradable,
        start=dt.date(2013, 1, 1),
        end=None,
        max_gap=2,
        first_oos=dt.date(2016, 1, 1),
        needed_bars=252,
    )
    assert prepared.prices["asset"].nunique() == n_assets
    assert prepared.prices["close"].notna().all()


def test_the_index_cannot_take_the_name_of_a_stock():
    with pytest.raises(DatasetError, match="benchmark_name 'AAPL' is one of the stocks"):
        BundledPricesDataset(benchmark_name="AAPL").load()
    with pytest.raises(DatasetError, match="benchmark_name 'VIX' is one of the assets of the arch"):
        BundledPricesDataset(name="sp500_vix", benchmark_name="VIX").load()


def test_an_unknown_name_is_refused_with_those_that_there_are():
    entry = {
        "type": "regime_nas_pipeline.datasets.bundled.BundledPricesDataset",
        "name": "nasdaq",
    }
    with pytest.raises(DatasetError, match="'nasdaq'; there are: sp500_stocks, factor_etfs"):
        DataCatalog.from_config({"raw_prices": entry}).load("raw_prices")


def test_it_is_read_only():
    dataset = BundledPricesDataset()
    with pytest.raises(DatasetError, match="BundledPricesDataset is read-only"):
        dataset.save(dataset.load())
    assert dataset.exists()
