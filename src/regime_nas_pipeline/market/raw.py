"""What a price source hands over, before anything has been checked or repaired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import DataError

PRICE_FIELDS = ("close", "open", "high", "low")
OPTIONAL_FIELDS = ("open", "high", "low", "volume")
DATE_DTYPE: Final = "datetime64[us]"
TABLE_COLUMNS = ("date", "asset", "close", *OPTIONAL_FIELDS)


def make_note(
    kind: str,
    detail: str,
    *,
    asset: str | None = None,
    file: str | None = None,
    count: int | None = None,
    first_date: pd.Timestamp | None = None,
) -> dict[str, Any]:
    """Record one thing that was changed, left out or found odd, ready for JSON.

    Args:
        kind: Stable identifier, such as ``newest_first``.
        detail: What was done and why, as one sentence.
        asset: Asset that it concerns; None for all of a file.
        file: File name, without folders.
        count: Rows, columns or files concerned.
        first_date: First bar concerned.
    """
    return {
        "kind": kind,
        "asset": asset,
        "file": file,
        "count": count,
        "first_date": None if first_date is None else date_text(first_date),
        "detail": detail,
    }


@dataclass(frozen=True, eq=False)
class RawPrices:
    """Prices as a source delivers them.

    Attributes:
        table: Tidy, in any row order: ``date`` (datetime64, tz-naive), ``asset``, ``close``
            (adjusted; what returns are made of) and optional ``open``, ``high``, ``low``,
            ``volume``, all float64. A row with a blank close is a blank cell in the source; a
            date without a row is a gap.
        source: Short name for people ("adj_close.csv"), never an absolute path: it ends up in
            the manifest.
        places: Every asset that the source declares, even without a price, to the file it is in.
        columns: Asset to field ("close") to the column in the file ("Adj Close"), for messages.
        notes: Repairs made while reading, each from :func:`make_note`.

    Raises:
        DataError: The table lacks a column, has one that is unknown, or has a wrong type.
    """

    table: pd.DataFrame
    source: str
    places: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Check the shape of the table, so that later messages can be about its content."""
        present = list(self.table.columns)
        missing = [name for name in TABLE_COLUMNS[:3] if name not in present]
        unknown = [name for name in present if name not in TABLE_COLUMNS]
        if missing or unknown:
            raise DataError(
                f"the price table has the columns {present}",
                source=self.source,
                column=str((missing or unknown)[0]),
                remedy="a price source must deliver date, asset, close and may add open, high, "
                "low, volume, and nothing else.",
            )
        if not pd.api.types.is_datetime64_dtype(self.table["date"]):
            raise DataError(
                f"dates must be datetime64 without a time zone and are {self.table['date'].dtype}",
                source=self.source,
                column="date",
                remedy="convert the dates to UTC and remove the time zone.",
            )
        for name in present:
            if name not in ("date", "asset") and self.table[name].dtype != float:
                raise DataError(
                    f"values must be float64 and are {self.table[name].dtype}",
                    source=self.source,
                    column=str(name),
                    remedy="convert the column to float64.",
                )

    @property
    def assets(self) -> tuple[str, ...]:
        """All assets that the source declares, sorted."""
        return tuple(sorted({*self.places, *self.table["asset"].unique()}))

    def fault(
        self,
        problem: str,
        *,
        remedy: str,
        asset: str | None = None,
        column: str = "close",
        date: pd.Timestamp | None = None,
    ) -> DataError:
        """Make the error for a fault in this source, in the words of the file it came from.

        Args:
            problem: What is wrong.
            remedy: What the user can do about it.
            asset: Asset concerned; None for the whole source.
            column: Column of ``table`` in which the fault lies.
            date: First bar concerned.
        """
        if asset is None:
            return DataError(problem, source=self.source, date=date, remedy=remedy)
        return DataError(
            problem,
            source=self.places.get(asset, self.source),
            column=self.columns.get(asset, {}).get(column, column),
            asset=asset,
            date=date,
            remedy=remedy,
        )
