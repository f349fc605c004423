"""How late a label said on the day is, beside the label that hindsight gives the same day."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.verdict.labels.states import (
    RegimePath,
    spells_of,
    without_short_spells,
)

FOUND, MISSED, OPEN = "found", "missed", "open"

SWITCH_COLUMNS = ("labeller", "min_spell", "date", "regime", "outcome", "delay", "already")
"""Columns of :func:`switch_delays`."""

SUMMARY_COLUMNS = (
    "labeller",
    "min_spell",
    "n_switches",
    "n_found",
    "median_delay",
    "mean_delay",
    "median_delay_all",
    "share_missed",
    "share_already",
    "n_false_alarms",
    "false_alarms_per_year",
    "same_as_hindsight",
)
"""Columns of :func:`delay_summary`."""


def switch_delays(
    online: Mapping[str, RegimePath],
    hindsight: Mapping[str, RegimePath],
    *,
    min_spell: int = 1,
) -> pd.DataFrame:
    """For each switch that hindsight sees: bars until the label said on the day agrees.

    Hindsight is the same labeller's answer after it has seen all bars. It may be wrong, too; what
    is measured is how long the labeller takes to know what it will say in the end.

    Args:
        online: Labeller to the labels said on the day.
        hindsight: Labeller to its labels with hindsight, on the same bars; of any of them.
        min_spell: Bars that a regime must last in hindsight for its beginning to count as a
            switch; a shorter spell counts as part of what was there before it.

    Returns:
        One row per switch: labeller; min_spell; date and regime of the switch in hindsight;
        outcome, ``found`` (the label on the day agrees before hindsight's next switch),
        ``missed`` (it never does) or ``open`` (it had not yet when the sample ended); delay in
        bars, 0 where it agrees on the day of the switch, blank unless found; already, whether it
        agreed on the bar before, too.

    Raises:
        DataError: A labeller has hindsight and no labels of the day, or the two differ in bars or
            regimes.
        ParameterError: ``min_spell`` is below 1.
    """
    rows = []
    for labeller, late in hindsight.items():
        early = _checked(labeller, online, late)
        spells = spells_of(without_short_spells(late.states, min_spell))
        for number in range(1, len(spells.start)):
            start, stop = int(spells.start[number]), int(spells.stop[number])
            state = int(spells.state[number])
            agrees = early.states[start:stop] == state
            found = bool(agrees.any())
            last = number == len(spells.start) - 1
            rows.append(
                {
                    "labeller": labeller,
                    "min_spell": min_spell,
                    "date": late.dates[start],
                    "regime": late.names[state],
                    "outcome": FOUND if found else OPEN if last else MISSED,
                    "delay": float(np.argmax(agrees)) if found else np.nan,
                    "already": bool(early.states[start - 1] == state and agrees[0]),
                }
            )
    return pd.DataFrame(rows, columns=list(SWITCH_COLUMNS))


def false_alarms(online: np.ndarray, hindsight: np.ndarray) -> np.ndarray:
    """Rows at which the label switches to a regime that hindsight never confirms.

    A spell of the label is a false alarm if hindsight is in that regime on none of its bars. The
    first spell begins with no switch, and of the last one, if unconfirmed, the end is not known:
    neither counts.

    Args:
        online: (T,) regimes said on the day.
        hindsight: (T,) regimes with hindsight.

    Returns:
        (F,) rows of the switches.
    """
    spells = spells_of(online)
    confirmed = np.add.reduceat((online == hindsight).astype(int), spells.start) > 0
    candidate = ~confirmed
    candidate[[0, -1]] = False
    return spells.start[candidate]


def delay_summary(
    online: Mapping[str, RegimePath],
    hindsight: Mapping[str, RegimePath],
    *,
    bars_per_year: int,
    min_spell: int = 1,
) -> pd.DataFrame:
    """Delays of each labeller in one row, with what they leave out.

    Args:
        online: Labeller to the labels said on the day.
        hindsight: Labeller to its labels with hindsight.
        bars_per_year: Bars in a year.
        min_spell: As in :func:`switch_delays`; false alarms and same_as_hindsight are held
            against hindsight without its shorter spells, too.

    Returns:
        One row per labeller with hindsight: min_spell; n_switches that hindsight sees, without
        open ones; n_found of them; median_delay and mean_delay of those found, in bars;
        median_delay_all, where a missed switch counts as later than any, blank where half or
        more are missed;
        share_missed; share_already, which the label agreed with before the switch;
        n_false_alarms (:func:`false_alarms`) and per year; same_as_hindsight, the share of bars
        on which both say the same. Blank is what has no switch to be measured on.

    Raises:
        DataError, ParameterError: As :func:`switch_delays`.
    """
    delays = switch_delays(online, hindsight, min_spell=min_spell)
    rows = []
    for labeller, late in hindsight.items():
        own = delays[(delays["labeller"] == labeller) & (delays["outcome"] != OPEN)]
        found = own.loc[own["outcome"] == FOUND, "delay"]
        early, settled = online[labeller].states, without_short_spells(late.states, min_spell)
        alarms = len(false_alarms(early, settled))
        rows.append(
            {
                "labeller": labeller,
                "min_spell": min_spell,
                "n_switches": len(own),
                "n_found": len(found),
                "median_delay": found.median(),
                "mean_delay": found.mean(),
                "median_delay_all": _median_with_missed(own["delay"]),
                "share_missed": (own["outcome"] == MISSED).mean(),
                "share_already": own["already"].astype(float).mean(),
                "n_false_alarms": alarms,
                "false_alarms_per_year": alarms * bars_per_year / len(early),
                "same_as_hindsight": float((early == settled).mean()),
            }
        )
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))


def _median_with_missed(delays: pd.Series) -> float:
    """Median where blanks are later than any delay; blank where it falls on one of them."""
    if delays.empty:
        return np.nan
    ordered = np.sort(delays.fillna(np.inf).to_numpy())
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return float((low + high) / 2.0) if np.isfinite(high) else np.nan


def _checked(labeller: str, online: Mapping[str, RegimePath], late: RegimePath) -> RegimePath:
    if labeller not in online:
        raise DataError(
            "there are labels with hindsight and none said on the day",
            source=labeller,
            remedy=f"name labellers among: {', '.join(online)}.",
        )
    early = online[labeller]
    if early.names != late.names:
        raise DataError(
            f"the regimes with hindsight are {list(late.names)} and those said on the day are "
            f"{list(early.names)}",
            source=labeller,
        )
    if not early.dates.equals(late.dates):
        raise DataError(
            "the labels with hindsight are not of the bars of those said on the day",
            source=labeller,
        )
    return early
