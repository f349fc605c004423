"""From finished cells to tables, and from tables to the summary of the experiment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.parallel import parallel_stream
from regime_nas_pipeline.market.synthetic import PLANTED_REGIMES
from regime_nas_pipeline.networks.operations import GATED_BLOCKS
from regime_nas_pipeline.search.ledger import LEDGER_COLUMNS
from regime_nas_pipeline.verdict.efficiency import ChanceBand, chance_band
from regime_nas_pipeline.walkforward.parameters import Compute
from regime_nas_pipeline.walkforward.planted.cells import Cell, accuracy, all_cells, cell_piece
from regime_nas_pipeline.walkforward.planted.markets import SimulatedMarket, simulate
from regime_nas_pipeline.walkforward.planted.parameters import (
    LINEAR,
    NO_CHANGE,
    ORACLE,
    SUBJECT,
    Planted,
)

BAND_LEVEL = 0.95
_KEYS = ["market", "seed", "track", "forecaster"]

Pieces = Mapping[Cell, Bundle]


@dataclass(frozen=True)
class PlantedResults:
    """What came of all cells.

    Attributes:
        cells: One row per cell (and one for expecting no change on each planted market): market,
            seed, track, forecaster, the figures of its forecasts, what its search spent; on the
            controls also ``difference`` (R² minus that of ``linear``), and of the chance band
            ``band_r2`` (the R² that lies in it or not), ``band_low``, ``band_high``, ``p_value``.
        found: Track to forecaster to market seed (as text) to ``parameters`` and ``search``.
        regimes: True states, the oracle's and the subject's view of them on the first planted
            market: track, bar, state, ``oracle.*`` and ``gate.*``.
        trials: Ledger rows of every search.
    """

    cells: pd.DataFrame
    found: dict[str, Any]
    regimes: pd.DataFrame
    trials: pd.DataFrame


def run_cells(
    planted: Planted, compute: Compute, cache: PieceCache, *, name: str = ""
) -> dict[Cell, Bundle]:
    """Every cell's outcome, made by several processes; finished ones come from the cache.

    Args:
        planted: The experiment.
        compute: Processes and seed; the outcomes do not depend on the number of processes.
        cache: Where finished cells and trials are kept.
        name: What the progress bar says; no bar where empty.
    """
    cells = all_cells(planted)
    tasks = [(cell, planted, compute, cache) for cell in cells]
    done: dict[Cell, Bundle] = {}
    with tqdm(total=len(cells), desc=name, unit="cell", disable=not name, miniters=1) as bar:
        stream = parallel_stream(cell_piece, tasks, n_jobs=compute.n_jobs)
        for cell, piece in zip(cells, stream, strict=True):
            done[cell] = piece
            bar.set_postfix_str(f"{cell}: R² {100.0 * (piece.facts['figures']['r2'] or 0):.2f} %")
            bar.update()
    return done


def collect(pieces: Pieces, planted: Planted, *, seed: int) -> PlantedResults:
    """Tables of all cells.

    Args:
        pieces: Every cell's outcome.
        planted: The experiment.
        seed: Of the chance bands' draws.
    """
    rows = [_row(cell, piece) for cell, piece in pieces.items()]
    rows += _no_change_rows(planted)
    table = pd.DataFrame(rows).merge(_control_table(pieces, planted, seed), how="left", on=_KEYS)
    found: dict[str, Any] = {track: {} for track in planted.tracks}
    trials: list[dict[str, Any]] = []
    for cell, piece in pieces.items():
        if "search" not in piece.facts:
            continue
        place = {"market": cell.market, "market_seed": cell.seed, "track": cell.track}
        trials += [_placed(row, place) for row in piece.facts["trials"]]
        if cell.market == "planted":
            entry = {key: piece.facts[key] for key in ("parameters", "search")}
            found[cell.track].setdefault(cell.forecaster, {})[str(cell.seed)] = entry
    ledger = pd.DataFrame(trials).astype(LEDGER_COLUMNS)
    return PlantedResults(table, found, _regime_table(pieces, planted), ledger)


def _row(cell: Cell, piece: Bundle) -> dict[str, Any]:
    search = piece.facts.get("search", {})
    return {
        **{key: getattr(cell, key) for key in _KEYS},
        **piece.facts["figures"],
        "search_id": search.get("search_id"),
        "search_score": search.get("score"),
        "search_samples": search.get("gradient_samples", 0),
    }


def _no_change_rows(planted: Planted) -> Iterator[dict[str, Any]]:
    for seed in planted.markets.seeds:
        target = simulate(planted.markets, "planted", seed).target
        for track in planted.tracks:
            place = {"market": "planted", "seed": seed, "track": track, "forecaster": NO_CHANGE}
            yield {**place, **accuracy(np.zeros_like(target), target)}


def _placed(row: dict[str, Any], place: dict[str, Any]) -> dict[str, Any]:
    """A ledger row that says on which market and inputs its trial was made."""
    facts = {**json.loads(row["facts"]), **place}
    return {**row, "facts": json.dumps(facts, sort_keys=True)}


def _control_table(pieces: Pieces, planted: Planted, seed: int) -> pd.DataFrame:
    """Difference to the linear forecast and chance band of every control cell."""
    rows = []
    simulated: dict[tuple[str, int], SimulatedMarket] = {}
    for cell, piece in pieces.items():
        if cell.market == "planted":
            continue
        place = (cell.market, cell.seed)
        if place not in simulated:
            simulated[place] = simulate(planted.markets, cell.market, cell.seed)
        linear = pieces[Cell(cell.market, cell.seed, cell.track, LINEAR)]
        row = {key: getattr(cell, key) for key in _KEYS}
        row["difference"] = piece.facts["figures"]["r2"] - linear.facts["figures"]["r2"]
        band = _band(cell, piece, linear, simulated[place].target, seed)
        if band is not None:
            row |= {
                "band_r2": band.r2,
                "band_low": band.low,
                "band_high": band.high,
                "p_value": band.p_value,
            }
        rows.append(row)
    return pd.DataFrame(rows)


def _band(
    cell: Cell, piece: Bundle, linear: Bundle, target: np.ndarray, seed: int
) -> ChanceBand | None:
    """On a martingale, of R²; without regimes, of the R² of what the linear forecast leaves."""
    mean = piece.arrays["mean"]
    if cell.market == "no_regime":
        if cell.forecaster == LINEAR:
            return None
        known = linear.arrays["mean"]
        mean, target = mean - known, target - known
    return chance_band(mean, target, level=BAND_LEVEL, seed=seed)


def _regime_table(pieces: Pieces, planted: Planted) -> pd.DataFrame:
    seed = planted.markets.seeds[0]
    simulated = simulate(planted.markets, "planted", seed)
    rows = simulated.rows
    assert simulated.states is not None  # noqa: S101 - planted markets have states
    tables = []
    for track in planted.tracks:
        views = {
            "oracle": (ORACLE, PLANTED_REGIMES),
            "gate": (SUBJECT, GATED_BLOCKS),
        }
        table = pd.DataFrame({"track": track, "bar": rows, "state": simulated.states[rows]})
        for view, (name, columns) in views.items():
            weights = pieces[Cell("planted", seed, track, name)].arrays.get("weights")
            for place, column in enumerate(columns):
                table[f"{view}.{column}"] = np.nan if weights is None else weights[:, place]
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
