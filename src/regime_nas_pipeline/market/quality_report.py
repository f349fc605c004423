"""What is odd about the prices without being wrong: counted, dated, and left as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.market.quality import ROUNDING, CarryForward
from regime_nas_pipeline.market.raw import OPTIONAL_FIELDS, RawPrices, make_note

STALE_BARS = 5
JUMP = 0.5
_DATES_SHOWN = 10


def quality_report(
    raw: RawPrices,
    table: pd.DataFrame,
    accounts: Mapping[str, CarryForward],
    notes: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Describe the prices as they were before ``start`` was applied and any bar was filled.

    Args:
        raw: Where the prices come from.
        table: Checked rows as read, in any order.
        accounts: What was carried forward, by asset.
        notes: Further notes, after those of the source.

    Returns:
        JSON-ready: ``source``; ``assets`` (per asset: rows, first, last, filled_gaps, stale_runs,
        jumps, zero_volume_bars, close_outside_range); ``totals``; ``notes``.
    """
    assets: dict[str, dict[str, Any]] = {}
    all_notes = [*raw.notes, *notes]
    for name, rows in table.sort_values("date").groupby("asset", sort=True):
        asset = str(name)
        assets[asset] = _describe_asset(rows, accounts[asset])
        all_notes += _blank_field_notes(raw, asset, rows)
        outside = assets[asset]["close_outside_range"]
        if outside["count"]:
            all_notes.append(
                make_note(
                    "close_outside_range",
                    "The close lies above the high or below the low; left as it is.",
                    asset=asset,
                    file=raw.places.get(asset),
                    count=outside["count"],
                    first_date=pd.Timestamp(outside["first_date"]),
                )
            )
    return {
        "source": raw.source,
        "thresholds": {"stale_bars": STALE_BARS, "jump": JUMP},
        "assets": assets,
        "totals": _totals(table, assets),
        "notes": all_notes,
    }


def _describe_asset(rows: pd.DataFrame, account: CarryForward) -> dict[str, Any]:
    dates = pd.DatetimeIndex(rows["date"])
    close = rows["close"].to_numpy(dtype=float)
    outside = _outside_range(rows)
    volume = rows.get("volume")
    has_volume = volume is not None and bool(volume.notna().any())
    return {
        "rows": len(rows),
        "first": date_text(dates[0], dates),
        "last": date_text(dates[-1], dates),
        "filled_gaps": {
            "count": account.gaps,
            "longest": account.longest,
            "bars": account.bars,
            "bars_after_last_close": account.after_last,
        },
        "stale_runs": _stale_runs(dates, close),
        "jumps": _jumps(dates, close),
        "zero_volume_bars": int((volume == 0).sum()) if volume is not None and has_volume else None,
        "close_outside_range": {
            "count": int(outside.sum()),
            "first_date": date_text(dates[int(outside.argmax())], dates) if outside.any() else None,
        },
    }


def _stale_runs(dates: pd.DatetimeIndex, close: np.ndarray) -> dict[str, Any]:
    """Find runs of at least ``STALE_BARS`` equal closes."""
    starts = np.flatnonzero(np.append(True, close[1:] != close[:-1]))
    lengths = np.diff(np.append(starts, len(close)))
    stale = lengths >= STALE_BARS
    return {
        "count": int(stale.sum()),
        "longest": int(lengths[stale].max(initial=0)),
        "first_date": date_text(dates[int(starts[stale][0])], dates) if stale.any() else None,
    }


def _jumps(dates: pd.DatetimeIndex, close: np.ndarray) -> dict[str, Any]:
    """Find one-bar moves of more than ``JUMP`` in either direction."""
    jumped = dates[1:][np.abs(close[1:] / close[:-1] - 1.0) > JUMP]
    return {"count": len(jumped), "dates": [date_text(day, dates) for day in jumped[:_DATES_SHOWN]]}


def _outside_range(rows: pd.DataFrame) -> np.ndarray:
    outside: np.ndarray = np.zeros(len(rows), dtype=bool)
    close = rows["close"].to_numpy(dtype=float)
    if "high" in rows:
        outside |= rows["high"].to_numpy(dtype=float) < close * (1 - ROUNDING)
    if "low" in rows:
        outside |= rows["low"].to_numpy(dtype=float) > close * (1 + ROUNDING)
    return outside


def _blank_field_notes(raw: RawPrices, asset: str, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Note the blanks in optional columns that the asset does have."""
    notes = []
    for column in rows.columns.intersection([*OPTIONAL_FIELDS]):
        blank = rows[column].isna()
        if blank.any() and not blank.all():
            notes.append(
                make_note(
                    "blank_field",
                    f"Blank cells in column '{raw.columns.get(asset, {}).get(column, column)}'; "
                    "left blank.",
                    asset=asset,
                    file=raw.places.get(asset),
                    count=int(blank.sum()),
                    first_date=rows.loc[blank, "date"].iloc[0],
                )
            )
    return notes


def _totals(table: pd.DataFrame, assets: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    described = list(assets.values())
    return {
        "assets": len(described),
        "rows": len(table),
        "dates": int(table["date"].nunique()),
        "first": date_text(table["date"].min(), table["date"]),
        "last": date_text(table["date"].max(), table["date"]),
        "filled_gaps": sum(each["filled_gaps"]["count"] for each in described),
        "filled_bars": sum(each["filled_gaps"]["bars"] for each in described),
        "filled_bars_after_last_close": sum(
            each["filled_gaps"]["bars_after_last_close"] for each in described
        ),
        "stale_runs": sum(each["stale_runs"]["count"] for each in described),
        "jumps": sum(each["jumps"]["count"] for each in described),
        "zero_volume_bars": sum(each["zero_volume_bars"] or 0 for each in described),
        "close_outside_range": sum(each["close_outside_range"]["count"] for each in described),
    }
