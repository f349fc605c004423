from __future__ import annotations

import pytest

from regime_nas_pipeline.datasets.csv_cells import field_columns, is_wide, read_cells
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


def test_fields_are_found_in_any_spelling(tmp_path):
    cells = read_cells(
        write(tmp_path, "DATE,open,Close*,Adj Close**,adj_volume,VOLUME\n1,2,3,4,5,6")
    )
    assert field_columns(cells, "prices.csv") == {
        "date": "DATE",
        "open": "open",
        "close": "Close*",
        "adjusted": "Adj Close**",
        "volume": "VOLUME",
    }


def test_two_columns_for_one_field_are_refused(tmp_path):
    cells = read_cells(write(tmp_path, "Date,Close,close\n2020-01-01,1,2\n"))
    with pytest.raises(PriceSourceError, match="columns 'Close' and 'close' mean the same"):
        field_columns(cells, "prices.csv")


def test_a_file_that_is_not_separated_by_commas_has_no_date_column(tmp_path):
    cells = read_cells(write(tmp_path, "Date;A;B\n2020-01-01;1;2\n"))
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
def test_a_close_makes_a_file_of_one_asset(tmp_path, header, wide):
    row = ",".join("1" for _ in header.split(","))
    cells = read_cells(write(tmp_path, f"{header}\n{row}\n"))
    assert is_wide(field_columns(cells, "prices.csv"), len(cells.columns)) is wide
