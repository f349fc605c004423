"""One Parquet file as named cells, each column of one of few kinds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import compute, types

from regime_nas_pipeline.datasets.price_cells import check_header
from regime_nas_pipeline.datasets.source_error import PriceSourceError

PARQUET_SUFFIXES = (".parquet", ".pq")
# What pandas calls the index of a table in a Parquet file where it has no name.
_NAMELESS_INDEX = "__index_level_0__"


def read_parquet_cells(path: Path) -> pd.DataFrame:
    """Read a Parquet file, indexed by row number from 1.

    Texts come as ``str`` (blanks empty), whole numbers without blanks as int64, other numbers as
    float64 (blanks NaN), dates and time stamps as datetime64[us] with their time zone. Columns of
    other types are kept as they are; whoever reads one as a number or a date refuses it.

    A nameless index written by pandas is the date where there is no column ``Date``, and is
    passed over otherwise.

    Raises:
        PriceSourceError: The file cannot be opened, is not Parquet or damaged, has no rows, or
            a nameless or repeated column.
    """
    table = _read(path)
    names = [name.strip() for name in table.column_names]
    check_header(names, path.name)
    if not names or not len(table):
        raise PriceSourceError(
            "the file has a header and no rows" if names else "the file is empty",
            source=path.name,
            remedy="fill the file, or remove it.",
        )
    columns = dict(zip(names, table.columns, strict=True))
    if _NAMELESS_INDEX in columns:
        index = columns.pop(_NAMELESS_INDEX)
        if not any(name.lower() == "date" for name in columns):
            columns = {"Date": index, **columns}
    rows = pd.RangeIndex(1, len(table) + 1, name="row")
    cells = {}
    for name, values in columns.items():
        try:
            cells[name] = _series(values)
        except pa.ArrowException as error:
            raise PriceSourceError(
                f"values of type {values.type} cannot be read ({error})",
                source=path.name,
                column=name,
                remedy="write dates as time stamps and prices as floating-point numbers.",
            ) from error
    return pd.DataFrame(cells).set_axis(rows, axis="index")


def _read(path: Path) -> pa.Table:
    """Read a whole file; a single file, so that folder names do not become columns."""
    try:
        with (
            path.open("rb") as stream,
            pq.ParquetFile(stream, page_checksum_verification=True) as file,
        ):
            table = file.read(use_threads=False)
        # Arrow takes texts on trust, and pandas would stumble over what is not UTF-8.
        table.validate(full=True)
        table.column_names  # noqa: B018 (decodes the names)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise _unreadable(path, str(error)) from error
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    return table


def _unreadable(path: Path, reason: str) -> PriceSourceError:
    return PriceSourceError(
        f"the file is not readable as Parquet ({reason.splitlines()[0].rstrip('.')})",
        source=path.name,
        remedy="write it again, or read text files with datasets.csv_prices.CsvPricesDataset.",
    )


def _series(values: pa.ChunkedArray) -> pd.Series:
    kind = values.type
    if types.is_dictionary(kind):
        return _series(values.cast(kind.value_type))
    if types.is_date(kind) or types.is_timestamp(kind):
        unit = pa.timestamp("us", tz=getattr(kind, "tz", None))
        options = compute.CastOptions(unit, allow_time_truncate=True)
        return pd.Series(values.cast(options=options).to_pandas())
    if types.is_integer(kind) and not values.null_count and kind != pa.uint64():
        return pd.Series(values.to_numpy().astype(np.int64))
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return pd.Series(values.cast(pa.float64(), safe=False).to_numpy())
    if any(test(kind) for test in _TEXTS):
        text = values.cast(pa.large_string())
        return pd.Series(compute.fill_null(text, "").to_pandas(), dtype="str")
    return pd.Series(pd.arrays.ArrowExtensionArray(values))


_TEXTS = (
    types.is_string,
    types.is_large_string,
    types.is_string_view,
    types.is_binary,
    types.is_large_binary,
    types.is_null,
)
