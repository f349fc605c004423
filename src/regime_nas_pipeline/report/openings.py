"""What is said of the sealed part of the sample: how often it was opened, when and with what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from regime_nas_pipeline.report.columns import Column, count
from regime_nas_pipeline.report.tables import Table, make_table

_COMPARED = {
    "parameters_sha256": "parameters",
    "data_sha256": "prices before the seal",
    "sealed_sha256": "sealed prices",
    "git_sha": "code",
}
_COLUMNS = {
    "number": count("Opening", "number"),
    "opened_at": Column("When", "text", unit="UTC"),
    "sealed_from": Column("Sealed from", "text"),
    "last_date": Column("To", "text"),
    "n_bars": count("Bars", "opened"),
    "changed": Column("Other than before", "text"),
    "parameters_sha256": Column("Parameters", "text", unit="SHA-256"),
    "sealed_sha256": Column("Sealed prices", "text", unit="SHA-256"),
    "git_sha": Column("Git commit", "text"),
}
_NUMBERS = ("number", "n_bars")
_SHOWN_DIGITS = 12


def openings_of(openings: pd.DataFrame, sealed_from: str) -> list[dict[str, Any]]:
    """Openings that saw a bar on or after a day, each with what was other than before.

    Args:
        openings: The ledger in order: number, opened_at, sealed_from, last_date, n_bars,
            data_sha256, sealed_sha256, parameters_sha256, git_sha.
        sealed_from: The day, as ISO text. An opening of another seal counts where it reached so
            far: it saw the same bars.

    Returns:
        The ledger's rows, JSON-ready, with ``changed``: what differs from the opening before;
        empty for the first and for one that repeats it.
    """
    seen = openings[openings["last_date"] >= sealed_from]
    # JSON knows the whole numbers of Python and not those of numpy.
    rows: list[dict[str, Any]] = [
        {str(key): int(value) if key in _NUMBERS else value for key, value in row.items()}
        for row in seen.to_dict("records")
    ]
    for place, row in enumerate(rows):
        before = rows[place - 1] if place else row
        row["changed"] = [name for key, name in _COMPARED.items() if row[key] != before[key]]
    return rows


def opening_words(openings: pd.DataFrame, sealed: Mapping[str, Any] | None) -> list[str]:
    """Sentences about the sealed part, for a page that has not read it.

    Args:
        openings: The ledger; empty where nothing was ever opened.
        sealed: Entry ``sealed`` of the data manifest (from, n_dates); None without a seal.

    Returns:
        Nothing where there is no seal and never was one.
    """
    if sealed is None:
        if openings.empty:
            return []
        last = openings.iloc[-1]
        return [
            f"Bars from {last['sealed_from']} on were sealed before and opened "
            f"{_times(len(openings))}; without universe.sealed_from this page reads them as well."
        ]
    found = openings_of(openings, str(sealed["from"]))
    bars = (
        f"The last {sealed['n_dates']:,} bars, from {sealed['from']} on, are sealed and nothing on "
        "this page has read them"
    )
    if not found:
        return [f"{bars}; they have not been opened yet."]
    return [f"{bars}; {history(found, 'they')}"]


def history(found: Sequence[Mapping[str, Any]], subject: str = "The sealed bars") -> str:
    """How often the sealed bars were opened, and what the later openings mean.

    Args:
        found: From :func:`openings_of`, one at least.
        subject: Begins the sentence.
    """
    first = f"{subject} were opened {_times(len(found))}"
    if len(found) == 1:
        return f"{first}, on {_day(found[0])}."
    later = [f"opening {row['number']} on {_day(row)} with {_change(row)}" for row in found[1:]]
    return (
        f"{first}, first on {_day(found[0])}: {'; '.join(later)}. Only the first opening looked at "
        "bars that nobody had seen; whatever was chosen after it may have been chosen for them."
    )


def openings_table(found: Sequence[Mapping[str, Any]]) -> Table:
    """One row per opening.

    Args:
        found: From :func:`openings_of`.
    """
    rows = [
        {
            **row,
            "changed": ", ".join(row["changed"]),
            **{key: str(row[key] or "")[:_SHOWN_DIGITS] for key in _COMPARED},
        }
        for row in found
    ]
    frame = pd.DataFrame(rows)[list(_COLUMNS)]
    return make_table("openings", "Openings of the sealed part", frame, columns=_COLUMNS)


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def _day(row: Mapping[str, Any]) -> str:
    return str(row["opened_at"])[:10]


def _change(row: Mapping[str, Any]) -> str:
    names = row["changed"]
    if not names:
        return "nothing changed"
    return "other " + " and other ".join(names)
