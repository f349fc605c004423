"""What refitting a labeller does to its labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.verdict.labels.states import RegimePath

COLUMNS = (
    "labeller",
    "n_refits",
    "n_reordered",
    "n_changed",
    "n_switches_at_refit",
    "share_of_switches",
    "mean_relabelled",
    "max_relabelled",
    "worst_refit",
)
"""Columns of :func:`refit_stability`."""

_NEEDED = ("date", "permutation", "switched_by_refit", "share_relabelled")


def refit_stability(
    paths: Mapping[str, RegimePath], refits: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """How many switches come from new parameters, and how much of the past they would rewrite.

    Only refits after the first bar that is judged count: the first fit has nothing before it.

    Args:
        paths: Labeller to its labels.
        refits: Labeller to one row per refit: date of the refit, whose bar is the first that
            the new fit labels; permutation, the order in which its columns are used to match those
            before, such as ``0,1`` where they stay; switched_by_refit, whether the new fit labels
            this bar otherwise than the old one; share_relabelled, the share of all bars so far
            that the new fit labels otherwise than was said. Of any of the labellers.

    Returns:
        One row per labeller with refits: n_refits; n_reordered, whose columns had to be
        reordered; n_changed, refits that changed the label of
        their bar; n_switches_at_refit, those of them on which the label did switch (a refit may
        also hold back a switch that the old fit would have made); share_of_switches, their part
        of all switches, blank where there are none; mean_relabelled and max_relabelled, and
        worst_refit, the date of the largest; blank without refits.

    Raises:
        DataError: A table lacks a column, belongs to no labeller, or a refit lies on no bar.
    """
    rows = []
    for labeller, table in refits.items():
        if labeller not in paths:
            raise DataError(
                "there are refits and no labels",
                source=labeller,
                remedy=f"name labellers among: {', '.join(paths)}.",
            )
        rows.append({"labeller": labeller, **_of_one(labeller, paths[labeller], table)})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _of_one(labeller: str, path: RegimePath, table: pd.DataFrame) -> dict[str, object]:
    missing = [name for name in _NEEDED if name not in table.columns]
    if missing:
        raise DataError("the table of refits lacks this column", source=labeller, column=missing[0])
    inside = (table["date"] > path.dates[0]) & (table["date"] <= path.dates[-1])
    counted = table[inside]
    bars = path.dates.get_indexer(pd.DatetimeIndex(counted["date"]))
    if (bars < 0).any():
        raise DataError(
            "a refit lies on a date without a label",
            source=labeller,
            date=pd.Timestamp(counted["date"].iloc[int(np.argmax(bars < 0))]),
        )
    unchanged_order = ",".join(map(str, range(len(path.names))))
    changed = counted["switched_by_refit"].to_numpy(dtype=bool)
    switched = path.states[bars] != path.states[bars - 1]
    n_switches = int((path.states[1:] != path.states[:-1]).sum())
    caused = int((changed & switched).sum())
    relabelled = counted["share_relabelled"].to_numpy(dtype=float)
    known = np.isfinite(relabelled).any()
    return {
        "n_refits": len(counted),
        "n_reordered": int((counted["permutation"] != unchanged_order).sum()),
        "n_changed": int(changed.sum()),
        "n_switches_at_refit": caused,
        "share_of_switches": caused / n_switches if n_switches else np.nan,
        "mean_relabelled": float(np.nanmean(relabelled)) if known else np.nan,
        "max_relabelled": float(np.nanmax(relabelled)) if known else np.nan,
        "worst_refit": counted["date"].iloc[int(np.nanargmax(relabelled))] if known else pd.NaT,
    }
