from __future__ import annotations

import gzip

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.datasets.csv_cells import read_cells
from regime_nas_pipeline.datasets.source_error import PriceSourceError


def write(tmp_path, content: str | bytes):
    path = tmp_path / "prices.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_cells_are_text_by_line_of_the_file(tmp_path):
    cells = read_cells(write(tmp_path, "\ufeff Date ,A\r\n2020-01-01,007\r\n\r\n2020-01-02,NA\r\n"))
    assert list(cells.columns) == ["Date", "A"]
    assert cells["A"].to_dict() == {2: "007", 4: "NA"}


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("Date,A\n", "a header and no rows"),
        ("Date,A,A\n2020-01-01,1,2\n", "column 'A': two columns have the same name"),
        ("Date,A,\n2020-01-01,1,2\n", "a column has no name"),
        ("date,A,B\n2020-01-01,1,2\n2020-01-02,1\n", "date 2020-01-02: line 3 has 2 cells"),
        ("Date,A\n2020-01-01,1,2\n", "date 2020-01-01: line 2 has 3 cells"),
        (b"Date,A\n2020-01-01,\xff\xfe\n", "not readable as CSV"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path, content, shown):
    with pytest.raises(PriceSourceError) as caught:
        read_cells(write(tmp_path, content))
    assert shown in str(caught.value)
    assert str(caught.value).startswith("prices.csv")
    assert "Remedy: " in str(caught.value)


def test_a_compressed_file_has_the_cells_of_the_plain_one(tmp_path):
    plain = write(tmp_path, "Date,A\n2020-01-01,1\n2020-01-02,2\n")
    for name in ("prices.csv.gz", "PRICES.CSV.GZ"):
        packed = tmp_path / name
        packed.write_bytes(gzip.compress(plain.read_bytes()))
        pd.testing.assert_frame_equal(read_cells(packed), read_cells(plain))


@settings(max_examples=200, deadline=None)
@given(st.text("aA1 ,.\n\r\t-é'", max_size=40))
def test_the_fast_way_reads_what_the_slow_way_reads(tmp_path_factory, text):
    """A quoted column name changes nothing but the way in which the file is read."""
    path = tmp_path_factory.getbasetemp() / "prices.csv"
    ways = []
    for header in ("Date,x", '"Date",x'):
        path.write_bytes(f"{header}\n{text}".encode())
        try:
            cells = read_cells(path)
            ways.append((list(cells.columns), list(cells.index), cells.to_numpy().tolist()))
        except PriceSourceError as error:
            ways.append(str(error))
    assert ways[0] == ways[1]
