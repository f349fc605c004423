"""One CSV file, compressed or not, as named text cells."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from regime_nas_pipeline.datasets.price_cells import check_header
from regime_nas_pipeline.datasets.source_error import PriceSourceError

CSV_SUFFIXES = (".csv", ".csv.gz")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What a file of another kind begins with, and what to do about it.
_OTHER_KINDS = {
    b"PAR1": "read Parquet files with datasets.parquet_prices.ParquetPricesDataset.",
    b"\x1f\x8b": "give a compressed file a name that ends in '.csv.gz'.",
}


def read_cells(path: Path) -> pd.DataFrame:
    """Read a CSV file as text, indexed by line number.

    A name that ends in ``.gz`` says that the file is compressed with gzip.

    Raises:
        PriceSourceError: The file cannot be opened or decompressed, is empty, not UTF-8 text, has
            a nameless or repeated column, or a row with too many or too few cells.
    """
    content = _content(path).removeprefix(_BYTE_ORDER_MARK)
    try:
        text = content.decode()
        plain = _plain_cells(content)
        lines = [] if plain is not None else _lines(text)
    except (UnicodeDecodeError, csv.Error) as error:
        remedies = [remedy for magic, remedy in _OTHER_KINDS.items() if content.startswith(magic)]
        raise PriceSourceError(
            f"the file is not readable as CSV ({error})",
            source=path.name,
            remedy=remedies[0] if remedies else "save it as comma-separated text in UTF-8.",
        ) from error
    if plain is not None:
        check_header(list(plain.columns), path.name)
        return plain
    return _checked(lines, path.name)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PriceSourceError(
            f"the file cannot be opened ({error.strerror})",
            source=path.name,
            remedy="check what it is and who may read it.",
        ) from error
    if path.suffix.lower() != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise PriceSourceError(
            f"the file cannot be decompressed ({error})",
            source=path.name,
            remedy="fetch or compress it again, or take '.gz' from its name if it is plain text.",
        ) from error


def _plain_cells(content: bytes) -> pd.DataFrame | None:
    """Read a file without quotes, blank lines or other oddities; None for all others.

    Arrow splits millions of rows in a second but does not say in which line a fault is, so
    whatever is not plainly right goes the slow way.
    """
    header, _, body = content.replace(b"\r\n", b"\n").partition(b"\n")
    if not header.strip() or not body or any(odd in content for odd in (b'"', b"\0")):
        return None
    if b"\r" in header + body or body.startswith(b"\n") or b"\n\n" in body:
        return None
    names = [name.strip() for name in header.decode().split(",")]
    keys = [str(position) for position in range(len(names))]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(body),
            read_options=arrow_csv.ReadOptions(column_names=keys, use_threads=False),
            parse_options=arrow_csv.ParseOptions(quote_char=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(keys, pa.large_string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    if len(table) != body.count(b"\n") + (not body.endswith(b"\n")):
        return None
    cells: pd.DataFrame = table.to_pandas()
    cells.columns = pd.Index(names)
    cells.index = pd.RangeIndex(2, len(cells) + 2, name="line")
    return cells


def _lines(text: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""))
    return [(reader.line_num, row) for row in reader if row]


def _checked(lines: list[tuple[int, list[str]]], source: str) -> pd.DataFrame:
    """Make a table of the lines of a file, the header first."""
    if len(lines) < 2:
        raise PriceSourceError(
            "the file has a header and no rows" if lines else "the file is empty",
            source=source,
            remedy="fill the file, or remove it.",
        )
    header = [name.strip() for name in lines[0][1]]
    check_header(header, source)
    folded = [name.lower() for name in header]
    for line, row in lines[1:]:
        if len(row) != len(header):
            raise PriceSourceError(
                f"line {line} has {len(row)} cells and the header has {len(header)}",
                source=source,
                date=row[folded.index("date")] if "date" in folded[: len(row)] else None,
                remedy="complete the row, or quote cells that contain a comma.",
            )
    return pd.DataFrame(
        [row for _, row in lines[1:]],
        index=pd.Index([line for line, _ in lines[1:]], name="line"),
        columns=header,
        dtype="str",
    )
