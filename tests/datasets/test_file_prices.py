"""What is particular to tidy files, to Parquet, and to the options."""

from __future__ import annotations

import gzip

import pandas as pd
import pytest
from kedro.io import DatasetError
from price_files import asset_text, wide_text
from price_layouts import bars, ingest_source, write

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.datasets.csv_prices import CsvPricesDataset
from regime_nas_pipeline.datasets.parquet_prices import ParquetPricesDataset


@pytest.mark.parametrize("dataset", [CsvPricesDataset, ParquetPricesDataset])
@pytest.mark.parametrize(
    "options",
    [
        {"timezone": "New York"},
        {"date_format": "%Q"},
        {"date_format": "mixed"},
        {"date_format": "%d %d"},
        {"asset_pattern": "("},
    ],
)
def test_a_wrong_option_is_found_when_the_catalog_is_read(dataset, options):
    with pytest.raises(ParameterError, match=next(iter(options))):
        dataset(filepath="nowhere", **options)


@pytest.mark.parametrize(
    ("layout", "options"),
    [
        ("tidy", {"asset_pattern": "(?P<asset>.+)"}),
        ("wide", {"asset_pattern": "(?P<asset>.+)"}),
        ("folder", {"asset_column": "Asset"}),
    ],
)
def test_an_option_that_nothing_would_read_is_refused(tmp_path, layout, options):
    with pytest.raises(DataError, match=f"{next(iter(options))} has no meaning"):
        write(tmp_path, bars(), layout, "csv", **options).load()


@pytest.mark.parametrize("form", ["csv", "typed.parquet"])
def test_a_stated_column_of_assets(tmp_path, form):
    table = bars().rename(columns={"Asset": "Permno"}).replace({"A": "101", "B": "102", "M": "9"})
    path = tmp_path / "p.csv"
    if form == "csv":
        table.to_csv(path, index=False)
        raw = CsvPricesDataset(filepath=str(path), asset_column="Permno").load()
    else:
        table.astype({"Permno": int, "Close": float}).to_parquet(path)
        raw = ParquetPricesDataset(filepath=str(path), asset_column="Permno").load()
    assert raw.assets == ("101", "102", "9")
    assert raw.table.groupby("asset").size().tolist() == [20, 20, 20]


@pytest.mark.parametrize("form", ["csv", "typed.parquet"])
def test_the_order_of_rows_of_a_tidy_file_does_not_matter(tmp_path, form):
    by_asset = ingest_source(write(tmp_path, bars(), "tidy", form))
    by_date = bars().sort_values(["Date", "Asset"])
    mixed = ingest_source(write(tmp_path, by_date, "tidy", form))
    pd.testing.assert_frame_equal(by_asset.prices, mixed.prices)
    assert mixed.quality["notes"] == []


def test_assets_called_na_are_assets(tmp_path):
    raw = write(tmp_path, bars().replace({"B": "NA"}), "tidy", "csv").load()
    assert raw.assets == ("A", "M", "NA")


def test_a_column_of_symbols_in_a_file_of_one_asset_is_only_ignored(tmp_path):
    path = tmp_path / "A.csv"
    path.write_text(asset_text().replace("Volume", "Symbol"))
    raw = CsvPricesDataset(filepath=str(path)).load()
    assert raw.assets == ("A",)


def test_a_folder_may_hold_plain_and_compressed_files(tmp_path):
    (tmp_path / "A.csv").write_text(asset_text())
    (tmp_path / "B.csv.gz").write_bytes(gzip.compress(asset_text(2.0).encode()))
    assert CsvPricesDataset(filepath=str(tmp_path)).load().assets == ("A", "B")
    (tmp_path / "A.csv.gz").write_bytes(gzip.compress(asset_text().encode()))
    with pytest.raises(DataError, match=r"files 'A.csv' and 'A.csv.gz' are of the same asset"):
        CsvPricesDataset(filepath=str(tmp_path)).load()


def test_a_parquet_folder_is_read_by_suffix(tmp_path):
    (tmp_path / "A.csv").write_text(asset_text())
    with pytest.raises(DataError, match="no Parquet file in the folder"):
        ParquetPricesDataset(filepath=str(tmp_path)).load()


def test_the_names_to_choose_from_are_cut_off_where_they_are_many(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("Date," + ",".join(f"A{n:03d}" for n in range(100)) + "\n")
    path.write_text(path.read_text() + "2020-01-01" + ",1" * 100 + "\n")
    with pytest.raises(DataError, match=r"A000, .*A029 and 70 more\.$"):
        CsvPricesDataset(filepath=str(path), exclude=["Z"]).load()


def test_it_is_read_only_and_describes_itself(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text(wide_text())
    dataset = ParquetPricesDataset(filepath=str(path), timezone="Asia/Tokyo")
    assert "timezone='Asia/Tokyo'" in repr(dataset)
    with pytest.raises(DatasetError, match="ParquetPricesDataset is read-only"):
        dataset.save(CsvPricesDataset(filepath=str(path)).load())
