"""Malformed price files: bytes or a maker, how they are read, and what the user is told."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa
from price_files import DAYS, asset_text, wide_text
from price_layouts import bars, parquet, wide_parquet


@dataclass(frozen=True)
class Malformed:
    """One faulty source.

    Attributes:
        files: File name to content; a name with a slash lies in a folder, which is then read.
        error: Parts of the one error, or nothing.
        note: Kind of the note of the repair, or nothing.
        options: Further arguments of the dataset.
    """

    files: dict[str, bytes]
    error: tuple[str, ...] = ()
    note: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


def wide(text: str, name: str = "p.csv") -> dict[str, bytes]:
    return {name: text.encode()}


def tidy(change: Callable[[str], str] = str) -> dict[str, bytes]:
    return {"p.csv": change(bars().to_csv(index=False)).encode()}


def folder(**texts: str) -> dict[str, bytes]:
    files = {"A": asset_text(), "B": asset_text(2.0), "M": asset_text(3.0), **texts}
    return {f"bars/{name}.csv": text.encode() for name, text in files.items()}


GOOD = wide_text()
ZIPPED = gzip.compress(GOOD.encode())
STAMPS = pa.array([f"{day}T05:00:00" for day in DAYS]).cast(pa.timestamp("us"))
PARQUET = wide_parquet()
BROKEN_TEXT = pa.Array.from_buffers(
    pa.string(),
    20,
    [None, pa.array(range(21), pa.int32()).buffers()[1], pa.py_buffer(b"\xff" * 20)],
)

FILES = {
    "empty": Malformed({"p.csv": b""}, ("p.csv: ", "the file is empty")),
    "blank lines only": Malformed({"p.csv": b"\n\r\n\n"}, ("p.csv: ", "the file is empty")),
    "only a byte order mark": Malformed({"p.csv": b"\xef\xbb\xbf"}, ("the file is empty",)),
    "header only": Malformed({"p.csv": b"Date,A,B"}, ("a header and no rows",)),
    "binary": Malformed({"p.csv": bytes(range(256))}, ("not readable as CSV",)),
    "latin-1": Malformed({"p.csv": GOOD.replace("A", "é").encode("latin-1")}, ("UTF-8",)),
    "utf-16": Malformed({"p.csv": GOOD.encode("utf-16")}, ("not readable as CSV", "UTF-8")),
    "nul bytes": Malformed(wide(GOOD.replace("25", "2\0")), ("'2\0' is not a number (line 17)",)),
    "Parquet called CSV": Malformed({"p.csv": PARQUET}, ("CSV", "ParquetPricesDataset")),
    "gzip called CSV": Malformed({"p.csv": ZIPPED}, ("not readable as CSV", "'.csv.gz'")),
    "CSV called gzip": Malformed({"p.csv.gz": GOOD.encode()}, ("cannot be decompressed", "'.gz'")),
    "empty gzip": Malformed({"p.csv.gz": b""}, ("p.csv.gz: the file is empty",)),
    "truncated gzip": Malformed({"p.csv.gz": ZIPPED[:60]}, ("p.csv.gz: ", "cannot be decompre")),
    "damaged gzip": Malformed(
        {"p.csv.gz": ZIPPED[:40] + b"\0\0\0" + ZIPPED[43:]}, ("cannot be decompressed",)
    ),
    "wrong checksum": Malformed({"p.csv.gz": ZIPPED[:-8] + b"12345678"}, ("cannot be decompr",)),
    "gzip of latin-1": Malformed({"p.csv.gz": gzip.compress(b"Date,\xe9\n1,2")}, ("as CSV",)),
    "empty Parquet": Malformed({"p.parquet": b""}, ("p.parquet: ", "not readable as Parquet")),
    "CSV called Parquet": Malformed({"p.parquet": GOOD.encode()}, ("CsvPricesDataset",)),
    "truncated Parquet": Malformed({"p.parquet": PARQUET[:-100]}, ("not readable as Parquet",)),
    "Parquet without an end": Malformed({"p.parquet": PARQUET[:-4]}, ("not readable as Parquet",)),
    "Parquet without pages": Malformed(
        {"p.parquet": PARQUET[:4] + b"\xff" * 900 + PARQUET[904:]}, ("not readable as Parquet",)
    ),
    "Parquet without columns": Malformed({"p.parquet": parquet({})}, ("the file is empty",)),
    "Parquet without rows": Malformed(
        {"p.parquet": parquet({"Date": pa.array([], pa.string())})}, ("a header and no rows",)
    ),
    "Parquet of broken text": Malformed(
        {"p.parquet": wide_parquet(A=BROKEN_TEXT)}, ("not readable as Parquet",)
    ),
    "a folder for a file": Malformed({"bars/A.csv/x": b""}, ("A.csv: ", "cannot be opened")),
    "a folder of other formats": Malformed({"bars/A.txt": b"x"}, ("no CSV file in the folder",)),
    "an empty file in a folder": Malformed(folder(B=""), ("B.csv: the file is empty",)),
}

HEADERS = {
    "nameless column": Malformed(wide("Date,A,\n2020-01-01,1,2"), ("a column has no name",)),
    "column twice": Malformed(wide("Date,A,A\n2020-01-01,1,2"), ("column 'A': two columns",)),
    "nameless Parquet column": Malformed(
        {"p.parquet": parquet({"Date": ["2020-01-01"], " ": [1.0]})}, ("a column has no name",)
    ),
    "Parquet column twice": Malformed(
        {"p.parquet": parquet(pa.table([pa.array([1.0])] * 2, names=["A", "A"]))},
        ("column 'A': two columns have the same name",),
    ),
    "two closes": Malformed(wide("Date,Close,CLOSE\n2020-01-01,1,2"), ("mean the same",)),
    "two assets": Malformed(
        wide("Date,Asset,ASSET,Close\n2020-01-01,A,A,2"), ("column 'ASSET'", "mean the same")
    ),
    "no date": Malformed(wide(GOOD.replace("Date", "When")), ("no column 'Date'", "When, A, B")),
    "no date in Parquet": Malformed(
        {"p.parquet": parquet({"A": [1.0], "B": [2.0]})}, ("no column 'Date' (there are: A, B)",)
    ),
    "semicolons": Malformed(wide("Date;A;B\n2020-01-01;1;2"), ("'Date'", "with commas")),
    "tabs": Malformed(wide("Date\tA\tB\n2020-01-01\t1\t2"), ("'Date'", "with commas")),
    "date alone": Malformed(wide("Date\n2020-01-01"), ("'Close'", "no column 'Close'")),
    "stated asset column": Malformed(
        tidy(), ("column 'Ticker'", "asset_column"), options={"asset_column": "Ticker"}
    ),
    "tidy without close": Malformed(
        tidy(lambda text: text.replace("Close", "Last")), ("'Close'", "no column 'Close'")
    ),
    "ragged row": Malformed(wide(wide_text(d05="10,2")), ("line 6", "2020-01-05", "3 cells")),
    "long row": Malformed(wide(wide_text(d05="1,2,3,4")), ("line 6", "5 cells")),
    "open quote": Malformed(wide(wide_text(d05='"1,2,3')), ("line 21 has 2 cells",)),
}

CELLS = {
    "decimal comma": Malformed(wide(wide_text(d05='"2,5",2,3')), ("asset 'A'", "'2,5' is not")),
    "thousands": Malformed(wide(wide_text(d05='"1,000",2,3')), ("'1,000' is not a number",)),
    "currency": Malformed(wide(wide_text(d05="$1,2,3")), ("'$1'", "without separators or units")),
    "percent": Malformed(wide(wide_text(d05="1%,2,3")), ("'1%' is not a number",)),
    "underscore": Malformed(wide(wide_text(d05="1_0,2,3")), ("'1_0' is not a number",)),
    "hexadecimal": Malformed(wide(wide_text(d05="0x1F,2,3")), ("'0x1F' is not a number",)),
    "formula": Malformed(wide(wide_text(d05="=A1,2,3")), ("'=A1' is not a number",)),
    "other digits": Malformed(wide(wide_text(d05="١٢,2,3")), ("'١٢' is not a number",)),
    "huge": Malformed(wide(wide_text(d05="9" * 400 + ",2,3")), ("asset 'A'", "is infinite")),
    "minus infinity": Malformed(wide(wide_text(d05="-inf,2,3")), ("asset 'A'", "infinite")),
    "tiny": Malformed(wide(wide_text(d05="1e-400,2,3")), ("asset 'A'", "not positive: 0")),
    "half a surrogate": Malformed(
        {"p.csv": GOOD.encode().replace(b"25", b"\xed\xa0\x80")}, ("not readable as CSV",)
    ),
    "a cell without an end": Malformed(
        wide(wide_text(d05="1" * 200_000 + ",2,3")), ("asset 'A'", "infinite")
    ),
    "negative unadjusted close": Malformed(
        folder(B="Date,High,Close,Adj Close\n2020-01-01,2,-1,1"), ("B.csv", "'Close'", "is -1")
    ),
    "blank asset": Malformed(
        tidy(lambda text: text.replace("01-05,B", "01-05, ")), ("'Asset'", "blank (line 26)")
    ),
    "nested prices": Malformed(
        {"p.parquet": wide_parquet(B=[[1.0]] * 20)}, ("asset 'B'", "2020-01-01", "not a number")
    ),
    "structured prices": Malformed(
        {"p.parquet": wide_parquet(B=[{"bid": 1.0}] * 20)}, ("asset 'B'", "'{'bid': 1.0}' is not")
    ),
    "truth values": Malformed(
        {"p.parquet": wide_parquet(B=[True] * 20)}, ("'True' is not a number (row 1)",)
    ),
    "time stamps for prices": Malformed(
        {"p.parquet": wide_parquet(B=STAMPS)}, ("asset 'B'", "'2020-01-01 05:00:00' is not a nu")
    ),
    "bytes": Malformed({"p.parquet": wide_parquet(B=[b"\xff"] * 20)}, ("column 'B'", "binary")),
    "infinite in Parquet": Malformed(
        {"p.parquet": wide_parquet(B=[float("inf")] * 20)}, ("asset 'B'", "infinite")
    ),
    "a column of nothing": Malformed(
        {"p.parquet": wide_parquet(B=pa.nulls(20))}, ("asset 'B'", "no price at all")
    ),
    "fractions for assets": Malformed(
        {"p.parquet": parquet({"Date": DAYS, "Asset": [0.5] * 20, "Close": [1.0] * 20})},
        ("column 'Asset'", "texts or whole numbers and are float64"),
    ),
    "no name for an asset": Malformed(
        {"p.parquet": parquet({"Date": DAYS, "Asset": ["A", None] * 10, "Close": [1.0] * 20})},
        ("column 'Asset'", "blank (row 2)"),
    ),
    "huge decimal": Malformed(
        {"p.parquet": wide_parquet(B=[Decimal(-(10**30))] * 20)}, ("asset 'B'", "-1e+30")
    ),
}

DATES = {
    "blank": Malformed(wide(GOOD.replace("2020-01-05", "")), ("'Date'", "the date is blank")),
    "word": Malformed(wide(GOOD.replace("2020-01-05", "soon")), ("date 'soon' (line 6)",)),
    "no such day": Malformed(wide(GOOD.replace("2020-01-05", "2020-02-30")), ("2020-02-30",)),
    "no such hour": Malformed(wide("Date,A\n2020-01-05 25:00,1"), ("'2020-01-05 25:00'",)),
    "no such offset": Malformed(wide("Date,A\n2020-01-05 12:00+99:00,1"), ("+99:00'",)),
    "number of a spreadsheet": Malformed(wide("Date,A\n43835,1"), ("read the date '43835'",)),
    "two digits for the year": Malformed(wide("Date,A\n05/01/20,1"), ("'05/01/20'", "date_form")),
    "day or month": Malformed(
        wide("Date,A\n01/02/2020,1\n02/02/2020,2"), ("date 01/02/2020: ", "ambiguous")
    ),
    "two ways of writing": Malformed(
        wide(GOOD.replace("2020-01-05", "05.01.2020")), ("the date '05.01.2020' (line 6)",)
    ),
    "before all markets": Malformed(
        wide(GOOD.replace("2020-01-01", "0001-01-01")), ("0001-01-01", "before 1678")
    ),
    "after all markets": Malformed(
        wide(GOOD.replace("2020-01-20", "9999-12-31")), ("9999-12-31", "after 2261")
    ),
    "end of time": Malformed(
        wide("Date,A\n9999-12-31 23:59:59-12:00,1"), ("9999-12-31 23:59:59-12:00", "after 2261")
    ),
    "twice": Malformed(
        wide(GOOD.replace("2020-01-06", "2020-01-05")), ("2020-01-05", "again in line 7")
    ),
    "twice for an asset": Malformed(
        tidy(lambda text: text.replace("2020-01-06,B", "2020-01-05,B")),
        ("column 'Date', asset 'B', date 2020-01-05", "again in line 27"),
    ),
    "several assets in a file of one": Malformed(
        tidy(lambda text: text.replace("Asset", "Ticker")), ("2020-01-01", "asset_column")
    ),
    "back and forth": Malformed(
        wide(GOOD.replace("2020-01-06", "2019-01-06")), ("2019-01-06", "back and forth (line 7)")
    ),
    "some with a time zone": Malformed(
        wide("Date,A\n2020-01-05 12:00Z,1\n2020-01-06 12:00,2"), ("2020-01-06 12:00", "none")
    ),
    "other format than stated": Malformed(
        wide(GOOD), ("the date '2020-01-01' (line 2)",), options={"date_format": "%d/%m/%Y"}
    ),
    "left out by the clock": Malformed(
        wide("Date,A\n2020-03-08 02:30,1"),
        ("date 2020-03-08 02:30: there is no such time in America/New_York", "offset to UTC"),
        options={"timezone": "America/New_York"},
    ),
    "twice by the clock": Malformed(
        wide("Date,A\n2020-11-01 01:30,1"),
        ("date 2020-11-01 01:30: the time comes twice in America/New_York", "offset to UTC"),
        options={"timezone": "America/New_York"},
    ),
    "put back between two bars": Malformed(
        wide("Date,A\n2020-11-01 01:30-04:00,1\n2020-11-01 01:30-05:00,2"),
        ("date 2020-11-01 01:30-05:00: the clock in America/New_York is put back", "timezone"),
        options={"timezone": "America/New_York"},
    ),
    "left out by the clock in Parquet": Malformed(
        {"p.parquet": parquet({"Date": [dt.datetime(2020, 3, 8, 2, 30)], "A": [1.0]})},
        ("date 2020-03-08 02:30:00: there is no such time in", "(row 1)"),
        options={"timezone": "America/New_York"},
    ),
    "blank in Parquet": Malformed(
        {"p.parquet": parquet({"Date": pa.array([None, 0], pa.date32()), "A": [1.0, 2.0]})},
        ("'Date'", "the date is blank (row 1)"),
    ),
    "seconds since 1970": Malformed(
        {"p.parquet": parquet({"Date": [1577836800, 1577923200], "A": [1.0, 2.0]})},
        ("cannot read the date '1577836800' (row 1)",),
    ),
    "out of range": Malformed(
        {"p.parquet": parquet({"Date": pa.array([2**62], pa.timestamp("ms")), "A": [1.0]})},
        ("column 'Date'", "timestamp[ms]"),
    ),
    "nested dates": Malformed(
        {"p.parquet": parquet({"Date": [["2020-01-01"]], "A": [1.0]})},
        ("column 'Date'", "cannot read the date"),
    ),
}

REPAIRED = {
    "newest first": Malformed(
        wide("\n".join([GOOD.split("\n")[0], *GOOD.split()[:0:-1]])), note="newest_first"
    ),
    "blank row": Malformed(wide(wide_text(d05=",,")), note="blank_row"),
    "row of NA": Malformed(wide(wide_text(d05="NA,null,#N/A")), note="blank_row"),
    "other columns": Malformed(
        {f"bars/{name}.csv": asset_text().replace(",Open", ",First").encode() for name in "ABM"},
        note="columns_ignored",
    ),
    "nested column beside the prices": Malformed(
        {
            f"bars/{name}.parquet": parquet(
                {"Date": DAYS, "Close": [1.0] * 20, "Tags": [["x"]] * 20}
            )
            for name in "ABM"
        },
        note="columns_ignored",
    ),
}

CORPUS = {
    f"{group}: {name}": case
    for group, cases in {
        "file": FILES,
        "header": HEADERS,
        "cell": CELLS,
        "date": DATES,
        "repaired": REPAIRED,
    }.items()
    for name, case in cases.items()
}
