from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.datasets.number_parsing import parse_numbers
from regime_nas_pipeline.datasets.source_error import PriceSourceError


def parse(cells: pd.Series, asset="A") -> pd.Series:
    dates = pd.Series(pd.date_range("2020-01-01", periods=len(cells)), index=cells.index)
    return parse_numbers(cells, dates, source="p.csv", column="Close", asset=asset)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(allow_nan=False), min_size=1))  # blanks have many bit patterns
def test_texts_and_numbers_give_the_same_bits(values):
    text = pd.Series([repr(value) for value in values], dtype="str")
    assert parse(text).to_numpy().tobytes() == np.array(values).tobytes()
    assert parse(pd.Series(values)).to_numpy().tobytes() == np.array(values).tobytes()


@pytest.mark.parametrize("cell", ["", " ", "NA", "n/a", "#N/A", "nan", "NULL", "None"])
def test_blanks(cell):
    assert parse(pd.Series([cell, "1"], dtype="str")).isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("cell", "value"),
    [(" 1.5 ", 1.5), ("+.5", 0.5), ("5.", 5.0), ("1E3", 1000.0), ("-Inf", -np.inf)],
)
def test_numbers_as_people_write_them(cell, value):
    assert parse(pd.Series([cell], dtype="str")).tolist() == [value]


def test_whole_numbers_are_numbers_and_truth_values_are_not():
    assert parse(pd.Series([1, 2])).tolist() == [1.0, 2.0]
    with pytest.raises(PriceSourceError, match="'True' is not a number"):
        parse(pd.Series([True], dtype="boolean"))


def test_the_asset_of_the_faulty_row_is_named():
    with pytest.raises(PriceSourceError) as caught:
        parse(pd.Series(["1", "x"], dtype="str"), asset=pd.Series(["A", "B"]))
    assert (caught.value.asset, str(caught.value.date)[:10]) == ("B", "2020-01-02")
