"""How long regimes last, how often they change, and how the time is shared among them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.verdict.labels.states import RegimePath, spells_of

REGIME_COLUMNS = (
    "labeller",
    "regime",
    "share",
    "n_bars",
    "n_spells",
    "mean_spell",
    "median_spell",
    "stay",
    "expected_spell",
)
"""Columns of :func:`regime_persistence`."""

SWITCH_COLUMNS = ("labeller", "n_bars", "years", "n_switches", "switches_per_year", "mean_spell")
"""Columns of :func:`switching`."""


def transition_shares(states: np.ndarray, n_regimes: int) -> np.ndarray:
    """Share of the bars in regime i that are followed by one in regime j, (K, K).

    Args:
        states: (T,) numbers of the regimes, 0 to K - 1.
        n_regimes: K.

    Returns:
        Rows that sum to 1; a row of blanks for a regime from which no step was seen.
    """
    counts = np.zeros((n_regimes, n_regimes))
    np.add.at(counts, (states[:-1], states[1:]), 1.0)
    seen = counts.sum(axis=1, keepdims=True)
    shares: np.ndarray = np.divide(counts, seen, out=np.full_like(counts, np.nan), where=seen > 0)
    return shares


def regime_persistence(paths: Mapping[str, RegimePath]) -> pd.DataFrame:
    """Time and spells of each regime of each labeller.

    The first and the last spell are cut by the sample and count at the length seen.

    Returns:
        One row per labeller and regime: share of the bars; n_bars; n_spells; mean_spell and
        median_spell in bars, blank for a regime that is never said; stay, the diagonal of the
        transition shares (:func:`transition_shares`); expected_spell, 1 / (1 - stay) bars, blank
        where the regime was never left.
    """
    rows = []
    for labeller, path in paths.items():
        spells = spells_of(path.states)
        stays = np.diag(transition_shares(path.states, len(path.names)))
        for state, regime in enumerate(path.names):
            lengths = spells.length[spells.state == state]
            stay = float(stays[state])
            rows.append(
                {
                    "labeller": labeller,
                    "regime": regime,
                    "share": lengths.sum() / len(path.states),
                    "n_bars": int(lengths.sum()),
                    "n_spells": len(lengths),
                    "mean_spell": lengths.mean() if lengths.size else np.nan,
                    "median_spell": np.median(lengths) if lengths.size else np.nan,
                    "stay": stay,
                    "expected_spell": 1.0 / (1.0 - stay) if stay < 1.0 else np.nan,
                }
            )
    return pd.DataFrame(rows, columns=list(REGIME_COLUMNS))


def switching(paths: Mapping[str, RegimePath], bars_per_year: int) -> pd.DataFrame:
    """How often each labeller changes its mind.

    Returns:
        One row per labeller: n_bars; years; n_switches, bars whose regime differs from that of
        the bar before; switches_per_year; mean_spell, bars per spell of any regime.

    Raises:
        ParameterError: There are no bars in a year.
    """
    if bars_per_year < 1:
        raise ParameterError(f"bars_per_year must be at least 1 and is {bars_per_year}.")
    rows = []
    for labeller, path in paths.items():
        n_bars = len(path.states)
        n_switches = len(spells_of(path.states).start) - 1
        rows.append(
            {
                "labeller": labeller,
                "n_bars": n_bars,
                "years": n_bars / bars_per_year,
                "n_switches": n_switches,
                "switches_per_year": n_switches * bars_per_year / n_bars,
                "mean_spell": n_bars / (n_switches + 1),
            }
        )
    return pd.DataFrame(rows, columns=list(SWITCH_COLUMNS))
