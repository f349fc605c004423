from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.datasets.price_parsing import read_one_asset, read_wide
from regime_nas_pipeline.datasets.source_error import PriceSourceError


def cells_of(text: str) -> pd.DataFrame:
    header, *rows = [line.split(",") for line in text.split()]
    return pd.DataFrame(rows, columns=header, index=range(2, 2 + len(rows)), dtype="str")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_numbers_are_read_to_the_bit(values):
    days = pd.date_range("2020-01-01", periods=len(values)).strftime("%Y-%m-%d")
    cells = pd.DataFrame({"Date": days, "Close": [repr(value) for value in values]}, dtype="str")
    parsed = read_one_asset(cells, "A.csv", "A", None)
    assert parsed.table["close"].to_numpy().tobytes() == np.array(values).tobytes()


@pytest.mark.parametrize("cell", ["1_000", "12.5USD", "$3", "1.2.3", "-", "ten", "0x10", "1e"])
def test_text_in_a_number_is_refused_with_its_line(cell):
    with pytest.raises(PriceSourceError) as caught:
        read_wide(cells_of(f"Date,A,B 2020-01-01,1,2 2020-01-02,1,{cell}"), "wide.csv", (), None)
    assert str(caught.value).startswith("wide.csv, column 'B', asset 'B', date 2020-01-02: ")
    assert f"'{cell}' is not a number (line 3)" in str(caught.value)


def test_blanks_of_a_wide_file_make_no_row():
    parsed = read_wide(
        cells_of("Date,A,B,C 2020-01-01,1,,7 2020-01-02,NA,null,7 2020-01-03,3,4,7"),
        "wide.csv",
        ["C"],
        None,
    )
    rows = [(str(date)[:10], asset, close) for date, asset, close in parsed.table.to_numpy()]
    assert rows == [("2020-01-01", "A", 1.0), ("2020-01-03", "A", 3.0), ("2020-01-03", "B", 4.0)]
    assert parsed.columns == {"A": {"close": "A"}, "B": {"close": "B"}}
    assert [(note["kind"], note["count"], note["first_date"]) for note in parsed.notes] == [
        ("blank_row", 1, "2020-01-02")
    ]


def test_a_blank_cell_of_one_asset_stays_a_row():
    parsed = read_one_asset(cells_of("Date,Close 2020-01-01,1 2020-01-02,"), "A.csv", "A", None)
    assert parsed.table["close"].isna().tolist() == [False, True]


def test_newest_first_is_turned_round_and_noted():
    oldest = read_one_asset(cells_of("Date,Close 2020-01-01,1 2020-01-02,2"), "A.csv", "A", None)
    newest = read_one_asset(cells_of("Date,Close 2020-01-02,2 2020-01-01,1"), "A.csv", "A", None)
    pd.testing.assert_frame_equal(newest.table, oldest.table)
    assert oldest.notes == []
    assert [(n["kind"], n["file"], n["count"]) for n in newest.notes] == [
        ("newest_first", "A.csv", 2)
    ]


@pytest.mark.parametrize(
    ("days", "first"),
    [
        (("01", "03", "02", "04"), "2020-01-02"),
        (("04", "02", "03", "01"), "2020-01-03"),
        (("03", "04", "01", "02"), "2020-01-01"),
    ],
)
def test_dates_back_and_forth_are_refused_where_they_turn(days, first):
    rows = " ".join(f"2020-01-{day},1" for day in days)
    with pytest.raises(PriceSourceError, match="back and forth") as caught:
        read_wide(cells_of(f"Date,A {rows}"), "wide.csv", (), None)
    assert f"wide.csv, column 'Date', date {first}" in str(caught.value)


def test_the_adjusted_close_is_the_close_and_the_range_follows():
    parsed = read_one_asset(
        cells_of(
            "Date,Open,High,Low,Close,AdjClose,Volume,Name "
            "2020-01-01,9,12,8,10,5,100,x 2020-01-02,9,12,8,10,10,100,x"
        ),
        "A.csv",
        "A",
        None,
    )
    first, second = parsed.table.itertuples(index=False)
    assert (first.open, first.high, first.low, first.close, first.volume) == (4.5, 6, 4, 5, 100)
    assert (second.open, second.high, second.low, second.close) == (9, 12, 8, 10)
    assert parsed.columns["A"]["close"] == "AdjClose"
    assert parsed.ignored == ["Name"]
    assert [(n["kind"], n["count"], n["first_date"]) for n in parsed.notes] == [
        ("range_adjusted", 1, "2020-01-01")
    ]


def test_an_adjusted_close_alone_leaves_the_range_alone():
    parsed = read_one_asset(
        cells_of("Date,High,Low,AdjClose 2020-01-01,12,8,10"), "A.csv", "A", None
    )
    assert parsed.table.loc[0, ["high", "low", "close"]].tolist() == [12, 8, 10]
    assert parsed.notes == []


@pytest.mark.parametrize("cell", ["0", "", "-1"])
def test_an_unadjusted_close_that_cannot_scale_the_range_is_refused(cell):
    with pytest.raises(PriceSourceError) as caught:
        read_one_asset(
            cells_of(f"Date,High,Close,AdjClose 2020-01-01,12,{cell},10"), "A.csv", "A", None
        )
    assert "A.csv, column 'Close', asset 'A', date 2020-01-01: the unadjusted" in str(caught.value)


def test_a_file_of_one_asset_needs_a_close():
    with pytest.raises(PriceSourceError, match=r"column 'Close', asset 'A': there is no column"):
        read_one_asset(cells_of("Date,Open 2020-01-01,1"), "A.csv", "A", None)
