"""Faults in raw prices that stop a run, and the one repair that does not: carrying forward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.raw import PRICE_FIELDS, RawPrices

_REPAIR = "correct it in the source, or leave the asset out."
ROUNDING = 1e-6  # relative; vendors round the close and the range separately


@dataclass(frozen=True)
class CarryForward:
    """How much of one asset was filled.

    Attributes:
        gaps: Runs of missing bars between two closes.
        longest: Bars in the longest of them.
        bars: Bars filled between two closes.
        after_last: Bars filled after the last close.
    """

    gaps: int
    longest: int
    bars: int
    after_last: int


def check_prices(raw: RawPrices, table: pd.DataFrame, assets: Sequence[str]) -> None:
    """Raise the first fault that makes prices unusable; change nothing.

    Args:
        raw: Where the prices come from, for messages.
        table: The rows of ``raw.table`` in question.
        assets: Assets that must have a price.

    Raises:
        DataError: No row at all; an asset without a price; a date twice; a price that is blank,
            infinite, zero or negative; negative volume; a high below the low.
    """
    if table.empty:
        raise raw.fault("there are no prices", remedy="point the catalog entry at price data.")
    _check_every_asset_priced(raw, table, assets)
    _check_dates(raw, table)
    for column in table.columns.intersection([*PRICE_FIELDS, "volume"]):
        _check_values(raw, table, str(column))
    if {"high", "low"} <= set(table.columns):
        first = _first(table, table["high"] < table["low"])
        if first is not None:
            raise raw.fault(
                f"the high {first['high']:g} is below the low {first['low']:g}",
                asset=first["asset"],
                column="high",
                date=first["date"],
                remedy=_REPAIR,
            )


def _first(table: pd.DataFrame, faulty: pd.Series[bool]) -> pd.Series | None:
    """Return the earliest faulty row, or None."""
    rows = table[faulty]
    if rows.empty:
        return None
    return rows.sort_values(["date", "asset"], kind="stable").iloc[0]


def _check_every_asset_priced(raw: RawPrices, table: pd.DataFrame, assets: Sequence[str]) -> None:
    priced = set(table.loc[table["close"].notna(), "asset"])
    for asset in assets:
        if asset not in priced:
            raise raw.fault(
                "there is no price at all",
                asset=asset,
                remedy="add its prices to the source, or leave the asset out.",
            )


def _check_dates(raw: RawPrices, table: pd.DataFrame) -> None:
    undated = table[table["date"].isna()]
    if not undated.empty:
        raise raw.fault(
            f"{len(undated)} rows have no date",
            asset=undated["asset"].iloc[0],
            column="date",
            remedy=_REPAIR,
        )
    first = _first(table, table.duplicated(["date", "asset"], keep=False))
    if first is not None:
        raise raw.fault(
            "the date occurs more than once for this asset",
            asset=first["asset"],
            column="date",
            date=first["date"],
            remedy="keep one row for each date in the source.",
        )


def _check_values(raw: RawPrices, table: pd.DataFrame, column: str) -> None:
    values = table[column]
    tests = [(np.isinf(values), "the value is infinite")]
    if column == "close":
        tests.append((values.isna(), "the price is blank"))
    if column == "volume":
        tests.append((values < 0, "the volume is negative"))
    else:
        tests.append((values <= 0, "the price is not positive"))
    for faulty, problem in tests:
        first = _first(table, faulty)
        if first is not None:
            shown = "" if pd.isna(first[column]) else f": {first[column]:g}"
            raise raw.fault(
                problem + shown,
                asset=first["asset"],
                column=column,
                date=first["date"],
                remedy=_REPAIR,
            )


def carry_forward(
    raw: RawPrices, table: pd.DataFrame, max_gap: int
) -> tuple[pd.DataFrame, dict[str, CarryForward]]:
    """Carry the last close over missing bars, at most ``max_gap`` in a row.

    The calendar is the union of all dates. Whether an asset pauses or has ended cannot be known
    while it is missing, so the bars after its last close are filled by the same rule as those
    between two closes; otherwise prices dated t would depend on whether the asset came back.
    A filled bar has no range (open, high and low are the close carried forward, or blank where
    the source has none) and no volume.

    Args:
        raw: Where the prices come from, for messages.
        table: Checked rows, in any order.
        max_gap: Longest run of bars that may be filled.

    Returns:
        The filled table, sorted by date and asset, and the account of each asset.

    Raises:
        DataError: An asset misses more than ``max_gap`` bars and then comes back.
    """
    ordered = table.sort_values(["asset", "date"], ignore_index=True)
    calendar = pd.DatetimeIndex(np.sort(ordered["date"].unique()))
    parts = [ordered]
    accounts = {}
    for asset, rows in ordered.groupby("asset", sort=True):
        positions = calendar.get_indexer(pd.DatetimeIndex(rows["date"]))
        missing = np.diff(positions) - 1
        if (missing > max_gap).any():
            raise _gap_too_long(raw, str(asset), calendar, positions, missing, max_gap)
        after_last = min(max_gap, len(calendar) - 1 - int(positions[-1]))
        repeats: np.ndarray = np.append(missing, after_last)
        parts.append(_filled_rows(rows, calendar, positions, repeats))
        accounts[str(asset)] = CarryForward(
            gaps=int((missing > 0).sum()),
            longest=int(missing.max(initial=0)),
            bars=int(missing.sum()),
            after_last=after_last,
        )
    filled = pd.concat(parts, ignore_index=True)
    return filled.sort_values(["date", "asset"], ignore_index=True), accounts


def _filled_rows(
    rows: pd.DataFrame, calendar: pd.DatetimeIndex, positions: np.ndarray, repeats: np.ndarray
) -> pd.DataFrame:
    """Repeat row i ``repeats[i]`` times, dated on the bars that follow it."""
    origin: np.ndarray = np.repeat(np.arange(len(rows)), repeats)
    first_of_run: np.ndarray = np.repeat(np.cumsum(repeats) - repeats, repeats)
    step = np.arange(len(origin)) - first_of_run + 1
    filled = rows.iloc[origin].assign(date=calendar[positions[origin] + step])
    for column in filled.columns.intersection(["open", "high", "low"]):
        filled[column] = filled["close"].where(filled[column].notna())
    if "volume" in filled:
        filled["volume"] = filled["volume"].where(filled["volume"].isna(), 0.0)
    return filled


def _gap_too_long(
    raw: RawPrices,
    asset: str,
    calendar: pd.DatetimeIndex,
    positions: np.ndarray,
    missing: np.ndarray,
    max_gap: int,
) -> DataError:
    before = int(np.argmax(missing > max_gap))
    return raw.fault(
        f"{missing[before]} bars in a row are missing, and at most max_gap = {max_gap} may be "
        "filled",
        asset=asset,
        date=calendar[int(positions[before]) + 1],
        remedy="add the missing prices to the source, raise max_gap, or leave the asset out.",
    )
