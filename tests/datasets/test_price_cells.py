from __future__ import annotations

import datetime as dt

import pandas as pd
import pyarrow as pa
import pytest

from regime_nas_pipeline.datasets.price_cells import (
    as_text,
    check_header,
    field_columns,
    find_asset_column,
    is_wide,
    row_name,
)
from regime_nas_pipeline.datasets.source_error import PriceSourceError


def table(header: str) -> pd.DataFrame:
    names = header.split(",")
    return pd.DataFrame([["1"] * len(names)], columns=names, dtype="str")


def test_fields_are_found_in_any_spelling():
    cells = table("DATE,open,Close*,Adj Close**,adj_volume,VOLUME")
    assert field_columns(cells, "prices.csv") == {
        "date": "DATE",
        "open": "open",
        "close": "Close*",
        "adjusted": "Adj Close**",
        "volume": "VOLUME",
    }


def test_two_columns_for_one_field_are_refused():
    cells = table("Date,Close,close")
    with pytest.raises(PriceSourceError, match="columns 'Close' and 'close' mean the same"):
        field_columns(cells, "prices.csv")


def test_a_file_that_is_not_separated_by_commas_has_no_date_column():
    cells = table("Date;A;B")
    with pytest.raises(PriceSourceError, match=r"no column 'Date' \(there are: Date;A;B\)"):
        field_columns(cells, "prices.csv")


@pytest.mark.parametrize(
    ("header", "wide"),
    [
        ("Date,SPY,QQQ", True),
        ("Date,SPY", True),
        ("Date,LOW,SPY", True),
        ("Date,Close", False),
        ("Date,Adj Close,Name", False),
        ("Date,Open,High,Low,Volume", False),
        ("Date", False),
    ],
)
def test_a_close_makes_a_file_of_one_asset(header, wide):
    cells = table(header)
    assert is_wide(field_columns(cells, "prices.csv"), len(cells.columns)) is wide


def test_the_asset_column_is_called_asset_or_stated():
    assert find_asset_column(table("Date,ASSET,Close"), None, "p.csv") == "ASSET"
    assert find_asset_column(table("Date,Ticker,Close"), None, "p.csv") is None
    assert find_asset_column(table("Date,Ticker,Close"), "Ticker", "p.csv") == "Ticker"
    with pytest.raises(PriceSourceError, match="no column 'ticker'"):
        find_asset_column(table("Date,Ticker,Close"), "ticker", "p.csv")


def test_a_header_needs_a_name_of_its_own_for_every_column():
    check_header(["Date", "A", "a"], "p.csv")
    with pytest.raises(PriceSourceError, match="column 'A': two columns have the same name"):
        check_header(["Date", "A", "B", "A"], "p.csv")


def test_a_row_is_named_after_its_place():
    assert row_name(pd.Series(["x"], index=[7]), 0) == "line 7"
    assert row_name(pd.Series(["x"], index=pd.Index([7], name="row")), 0) == "row 7"


@pytest.mark.parametrize(
    ("cells", "written"),
    [
        (pd.Series(["1", ""], dtype="str"), ["1", ""]),
        (pd.Series([20150105, 3]), ["20150105", "3"]),
        (pd.Series([dt.datetime(2020, 1, 5, 6), None]), ["2020-01-05 06:00:00", ""]),
        (
            pd.Series(pd.array([[1.0], None], dtype=pd.ArrowDtype(pa.list_(pa.float64())))),
            ["[1.]", ""],
        ),
    ],
)
def test_cells_of_any_kind_are_written_as_text(cells, written):
    assert as_text(cells).tolist() == written
