"""Who belonged to the universe when: point-in-time membership, against survivorship bias."""

from __future__ import annotations

import difflib
import hashlib
import itertools
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.raw import DATE_DTYPE

MEMBER = "member"
"""Column of the price table: whether the asset is a member at the close of that bar."""

_REPAIR = "correct the row in the membership file."


@dataclass(frozen=True, eq=False)
class Membership:
    """Intervals in which assets belong to the universe.

    Attributes:
        intervals: ``asset`` (str), ``first`` and ``last`` (datetime64, blank where open; a last
            day without a time of day counts to its end) and ``place`` ("line 3", for messages).
        source: File name, without folders.

    Raises:
        DataError: An interval ends before it begins, or two of one asset overlap.
    """

    intervals: pd.DataFrame
    source: str

    def __post_init__(self) -> None:
        """Refuse intervals that contradict themselves or each other."""
        for asset, rows in self.intervals.groupby("asset", sort=True):
            self._check_asset(str(asset), rows)

    def _check_asset(self, asset: str, rows: pd.DataFrame) -> None:
        first, stop = _bounds(rows)
        order = np.lexsort((stop, first))
        turned = np.flatnonzero(first >= stop)
        if len(turned):
            row = rows.iloc[int(turned[0])]
            raise self._fault(
                f"{row['place']} begins on {date_text(row['first'])} and ends before, on "
                f"{date_text(row['last'])}",
                asset,
                row["first"],
            )
        for before, after in itertools.pairwise(order):
            if first[after] < stop[before]:
                rows_named = f"{rows['place'].iloc[before]} and {rows['place'].iloc[after]}"
                start = rows["first"].iloc[after]
                raise self._fault(
                    f"{rows_named} overlap; both ends belong to an interval",
                    asset,
                    None if pd.isna(start) else start,
                )

    def _fault(self, problem: str, asset: str, date: pd.Timestamp | None = None) -> DataError:
        return DataError(problem, source=self.source, asset=asset, date=date, remedy=_REPAIR)

    def refuse_strangers(self, known: Collection[str], tradable: Collection[str]) -> None:
        """Make sure that the file and the universe speak of the same assets.

        Args:
            known: Every asset of the price source.
            tradable: Assets to choose from, each of which must have an interval.

        Raises:
            DataError: An interval is of an asset without prices, or an asset has no interval.
        """
        for asset, place in zip(self.intervals["asset"], self.intervals["place"], strict=True):
            if asset not in known:
                near = difflib.get_close_matches(asset, known, n=1)
                hint = f"did you mean '{near[0]}'? " if near else ""
                raise DataError(
                    f"{place} names an asset for which the source has no prices",
                    source=self.source,
                    column="asset",
                    asset=asset,
                    remedy=f"{hint}Add its prices, or take the row out and know that the results "
                    "leave this member out.",
                )
        never = sorted(set(tradable) - set(self.intervals["asset"]))
        if never:
            raise DataError(
                "the asset is in the universe and never a member",
                source=self.source,
                asset=never[0],
                remedy="add its intervals to the file, or leave it out of universe.assets.",
            )

    def mask(self, prices: pd.DataFrame) -> np.ndarray:
        """Whether the asset of each row is a member on its date, (rows,) bool.

        A row depends on the intervals around its own date alone: that one begins or ends is
        known on the day on which it does.

        Args:
            prices: Tidy table with ``date`` and ``asset``.
        """
        found = np.zeros(len(prices), dtype=bool)
        dates = prices["date"].to_numpy()
        places = prices.groupby("asset").indices
        for asset, rows in self.intervals.groupby("asset"):
            own = places.get(asset, np.array([], dtype=int))
            for first, stop in zip(*_bounds(rows), strict=True):
                found[own] |= (dates[own] >= first) & (dates[own] < stop)
        return found

    def facts(self) -> dict[str, Any]:
        """File, number of intervals and a sha256 that no order of rows changes, for JSON."""
        ordered = self.intervals.sort_values(["asset", "first"])
        lines = [f"{row.asset}\t{row.first}\t{row.last}" for row in ordered.itertuples(index=False)]
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return {"file": self.source, "intervals": len(lines), "sha256": digest}

    def report(self, prices: pd.DataFrame) -> dict[str, dict[str, Any]]:
        """Per asset of the prepared ``prices``: intervals, member bars, first and last of them."""
        counts = self.intervals["asset"].value_counts()
        members = prices[prices[MEMBER]].groupby("asset")["date"].agg(["count", "min", "max"])
        found = {}
        for asset in sorted(prices["asset"].unique()):
            bars = members.loc[asset] if asset in members.index else None
            found[asset] = {
                "intervals": int(counts.get(asset, 0)),
                "bars": 0 if bars is None else int(bars["count"]),
                "first": None if bars is None else date_text(bars["min"]),
                "last": None if bars is None else date_text(bars["max"]),
            }
        return found


def _bounds(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """First date in, and first date out, of every interval."""
    whole_day = rows["last"] == rows["last"].dt.normalize()
    step = np.where(whole_day, np.timedelta64(1, "D"), np.timedelta64(1, "us"))
    first = rows["first"].fillna(pd.Timestamp.min.ceil("D")).astype(DATE_DTYPE)
    stop = (rows["last"] + pd.Series(step, index=rows.index)).fillna(pd.Timestamp.max.floor("D"))
    return first.to_numpy(), stop.astype(DATE_DTYPE).to_numpy()
