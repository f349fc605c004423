"""The machine-readable verdict of the planted experiment, from the table of its cells."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import pandas as pd

from regime_nas_pipeline.verdict.efficiency import efficiency_table
from regime_nas_pipeline.walkforward.planted.cells import MEASURES
from regime_nas_pipeline.walkforward.planted.parameters import (
    LINEAR,
    NO_CHANGE,
    ORACLE,
    SUBJECT,
    Planted,
)
from regime_nas_pipeline.walkforward.planted.results import BAND_LEVEL

COSTS = ("epochs", "gradient_samples", "search_samples", "seconds", "parameters")


def planted_verdict(cells: pd.DataFrame, planted: Planted) -> dict[str, Any]:
    """``sample`` and every result of the experiment; see docs/summary.md for the keys.

    Args:
        cells: One row per cell; see ``PlantedResults.cells``.
        planted: The experiment.
    """
    efficiency = {track: track_efficiency(cells, planted, track) for track in planted.tracks}
    return {
        "sample": _sample(planted),
        "forecasts": {track: _forecasts(cells, planted, track) for track in planted.tracks},
        "oracle_efficiency": efficiency,
        "paired_margins": {track: paired_margins(table) for track, table in efficiency.items()},
        "regime_recovery": {track: _recovery(cells, track) for track in planted.tracks},
        "no_regime": _control(cells, planted, "no_regime"),
        "martingale": _control(cells, planted, "martingale"),
    }


def track_efficiency(cells: pd.DataFrame, planted: Planted, track: str) -> dict[str, Any]:
    """Oracle efficiency of every forecaster: ``median`` and ``seeds``, one per market."""
    r2 = {
        name: values_by_seed(cells, "planted", track, name, "r2")
        for name in (*planted.forecasters, ORACLE)
    }
    return efficiency_table(r2, r2[ORACLE])  # type: ignore[arg-type]


def paired_margins(efficiency: dict[str, Any]) -> dict[str, Any]:
    """Oracle efficiency of the subject minus that of each other forecaster, market by market.

    Args:
        efficiency: Forecaster to ``seeds``, one value per market.

    Returns:
        Forecaster to ``median``, ``range`` (lowest and highest), ``seeds`` and ``n_better``, the
        number of markets on which the subject reached more.
    """
    own = efficiency[SUBJECT]["seeds"]
    margins = {}
    for name, table in efficiency.items():
        if name in {SUBJECT, ORACLE}:
            continue
        differences = [
            None if a is None or b is None else a - b
            for a, b in zip(own, table["seeds"], strict=True)
        ]
        known = [value for value in differences if value is not None]
        margins[name] = {
            **with_median(differences),
            "range": [min(known), max(known)] if known else None,
            "n_better": sum(value > 0 for value in known),
        }
    return margins


def _sample(planted: Planted) -> dict[str, Any]:
    markets = planted.markets.model_dump(mode="json")
    return {
        **markets,
        "scored_bars": planted.markets.n_bars - planted.markets.fit_bars,
        "tracks": list(planted.tracks),
        "networks": planted.training.n_seeds,
        "budget": planted.search.budget,
        "trials": planted.search.trials,
        "controls": planted.controls.model_dump(mode="json"),
    }


def _forecasts(cells: pd.DataFrame, planted: Planted, track: str) -> dict[str, Any]:
    """The usual figures, medians over markets; what is None of every market is None."""
    table: dict[str, Any] = {}
    for name in (*planted.forecasters, ORACLE, NO_CHANGE):
        columns = MEASURES if name == NO_CHANGE else (*MEASURES, *COSTS)
        table[name] = {
            column: with_median(values_by_seed(cells, "planted", track, name, column))["median"]
            for column in columns
        }
    return table


def _recovery(cells: pd.DataFrame, track: str) -> dict[str, Any]:
    """How often the largest gate, and the oracle's likeliest state, stand at the true state."""
    return {
        SUBJECT: with_median(values_by_seed(cells, "planted", track, SUBJECT, "agreement")),
        ORACLE: with_median(values_by_seed(cells, "planted", track, ORACLE, "agreement")),
        "commonest_state": with_median(
            values_by_seed(cells, "planted", track, ORACLE, "commonest_state")
        ),
    }


def _control(cells: pd.DataFrame, planted: Planted, market: str) -> dict[str, Any]:
    """R², difference to linear and chance band of every forecaster of every track."""
    result: dict[str, Any] = {}
    for track in planted.controls.tracks:
        result[track] = {}
        for name in planted.controls.forecasters:
            figures = {
                column: values_by_seed(cells, market, track, name, column)
                for column in ("r2", "difference", "band_r2", "band_low", "band_high", "p_value")
            }
            entry: dict[str, Any] = {"r2": with_median(figures["r2"])}
            if name != LINEAR:
                entry["minus_linear"] = with_median(figures["difference"])
            if figures["band_low"][0] is not None:
                low, high = figures["band_low"], figures["band_high"]
                entry["chance_band"] = {
                    "level": BAND_LEVEL,
                    "r2": figures["band_r2"],
                    "low": low,
                    "high": high,
                    "p_value": figures["p_value"],
                }
            result[track][name] = entry
    return result


def values_by_seed(
    cells: pd.DataFrame, market: str, track: str, forecaster: str, column: str
) -> list[float | None]:
    """A figure of one forecaster on every market of a kind, in the order of the rows."""
    here = (cells["market"] == market) & (cells["track"] == track)
    values = cells.loc[here & (cells["forecaster"] == forecaster), column]
    return [None if pd.isna(value) else float(value) for value in values]


def with_median(values: Sequence[float | None]) -> dict[str, Any]:
    """``median`` of the known values, and all of them as ``seeds``."""
    known = [value for value in values if value is not None]
    return {"median": median(known) if known else None, "seeds": list(values)}
