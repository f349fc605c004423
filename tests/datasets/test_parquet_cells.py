from __future__ import annotations

import datetime as dt
import struct
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from regime_nas_pipeline.datasets.parquet_cells import read_parquet_cells
from regime_nas_pipeline.datasets.source_error import PriceSourceError


def cells_of(tmp_path, **columns) -> pd.DataFrame:
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table(columns), path)
    return read_parquet_cells(path)


@pytest.mark.parametrize(
    ("values", "kind", "cells"),
    [
        (pa.array(["a", None]), "str", ["a", ""]),
        (pa.array(["a", "a"]).dictionary_encode(), "str", ["a", "a"]),
        (pa.array([b"a", b"b"]), "str", ["a", "b"]),
        (pa.nulls(2), "str", ["", ""]),
        (pa.array([1, 2], pa.int8()), "int64", [1, 2]),
        (pa.array([2**60 + 1, -5]), "int64", [2**60 + 1, -5]),
        (pa.array([2**63 + 2048, 1], pa.uint64()), "float64", [2.0**63 + 2048, 1.0]),
        (pa.array([0.5, -1.0], pa.float32()), "float64", [0.5, -1.0]),
        (pa.array([Decimal("1.25"), Decimal("3.00")]), "float64", [1.25, 3.0]),
    ],
)
def test_every_kind_of_column_becomes_one_of_few(tmp_path, values, kind, cells):
    column = cells_of(tmp_path, A=values)["A"]
    assert column.dtype == kind
    assert column.tolist() == cells


def test_blanks_among_whole_numbers_are_blank(tmp_path):
    column = cells_of(tmp_path, A=pa.array([7, None]))["A"]
    assert column.dtype == "float64"
    assert column.isna().tolist() == [False, True]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([dt.date(2020, 1, 5)]),
        pa.array([dt.datetime(2020, 1, 5)], pa.timestamp("s")),
        pa.array([dt.datetime(2020, 1, 5)], pa.timestamp("ns")),
        pa.array([dt.datetime(2020, 1, 5)], pa.date64()),
    ],
)
def test_dates_are_time_stamps_of_one_unit(tmp_path, values):
    column = cells_of(tmp_path, Date=values)["Date"]
    assert column.dtype == "datetime64[us]"
    assert column.tolist() == [pd.Timestamp("2020-01-05")]


def test_a_time_zone_is_kept(tmp_path):
    stamps = pa.array([dt.datetime(2020, 1, 5)], pa.timestamp("ms", tz="Asia/Tokyo"))
    column = cells_of(tmp_path, Date=stamps)["Date"]
    assert column.dtype == "datetime64[us, Asia/Tokyo]"
    assert column.dt.tz_convert("UTC").tolist() == [pd.Timestamp("2020-01-05", tz="UTC")]


def test_rows_are_counted_from_one(tmp_path):
    cells = cells_of(tmp_path, A=[1.0, 2.0])
    assert (list(cells.index), cells.index.name) == ([1, 2], "row")


def test_a_nameless_index_is_the_date_where_there_is_none(tmp_path):
    path = tmp_path / "p.parquet"
    days = pd.to_datetime(["2020-01-05", "2020-01-06"])
    pd.DataFrame({"A": [1.0, 2.0]}, index=days).to_parquet(path)
    cells = read_parquet_cells(path)
    assert list(cells.columns) == ["Date", "A"]
    assert cells["Date"].tolist() == list(days)
    pd.DataFrame({"date": days, "A": [1.0, 2.0]}, index=[5, 9]).to_parquet(path)
    assert list(read_parquet_cells(path).columns) == ["date", "A"]


def test_a_named_index_is_a_column(tmp_path):
    path = tmp_path / "p.parquet"
    days = pd.DatetimeIndex(["2020-01-05"], name="Date")
    pd.DataFrame({"A": [1.0]}, index=days).to_parquet(path)
    assert sorted(read_parquet_cells(path).columns) == ["A", "Date"]


def test_the_name_of_a_folder_is_no_column(tmp_path):
    folder = tmp_path / "year=2020"
    folder.mkdir()
    assert list(cells_of(folder, A=[1.0]).columns) == ["A"]


def test_a_changed_price_is_found_where_the_writer_left_checksums(tmp_path):
    path = tmp_path / "p.parquet"
    options = {"use_dictionary": False, "compression": "none", "write_statistics": False}
    pq.write_table(pa.table({"A": [1.0, 2.0]}), path, **options, write_page_checksum=True)
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<d", 2.0), struct.pack("<d", 3.0)))
    with pytest.raises(PriceSourceError, match="not readable as Parquet"):
        read_parquet_cells(path)
