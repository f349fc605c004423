"""Whether a source has changed history that is stored already."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

TOLERANCE = 1e-8
"""Relative difference of two closes of the same bar from which it counts as revised."""


@dataclass(frozen=True)
class Revision:
    """How a history differs from the one that is stored.

    Attributes:
        count: Bars whose close differs, or that only one of both has.
        first_date: First of them.
        old: Stored close of the first; None where there was no bar.
        new: Close of the first now; None where there is no bar any more.
        largest: Largest relative change of a close; None where bars only came or went.
    """

    count: int
    first_date: pd.Timestamp
    old: float | None
    new: float | None
    largest: float | None


def find_revision(
    stored: pd.DataFrame, fetched: pd.DataFrame, *, tolerance: float = TOLERANCE
) -> Revision | None:
    """Compare the closes of one asset, from the first to the last stored bar.

    Args:
        stored: Columns date and close; not empty.
        fetched: The same, later; bars outside the range of ``stored`` are left alone.
        tolerance: Relative difference of two closes up to which they are the same.

    Returns:
        How they differ by more than the tolerance; None where they do not.
    """
    within = fetched["date"].between(stored["date"].min(), stored["date"].max())
    both = pd.DataFrame(
        {
            "old": stored.set_index("date")["close"],
            "new": fetched[within].set_index("date")["close"],
        }
    ).sort_index()
    difference = (both["new"] - both["old"]).abs()
    changed = ~((difference <= tolerance * both["old"].abs()) | both.isna().all(axis=1))
    if not changed.any():
        return None
    first = both[changed].iloc[0]
    relative = (difference / both["old"].abs()).to_numpy()[changed.to_numpy()]
    known = relative[~np.isnan(relative)]
    return Revision(
        count=int(changed.sum()),
        first_date=pd.Timestamp(both.index[int(changed.to_numpy().argmax())]),
        old=None if pd.isna(first["old"]) else float(first["old"]),
        new=None if pd.isna(first["new"]) else float(first["new"]),
        largest=float(known.max()) if len(known) else None,
    )
