"""Nodes of the planted experiment."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.report.figures_planted import control_strips, efficiency_strips
from regime_nas_pipeline.report.figures_planted_paths import (
    architecture_of_track,
    regimes_over_time,
    search_by_track,
)
from regime_nas_pipeline.report.planted_page import render_planted_report
from regime_nas_pipeline.walkforward.parameters import Compute
from regime_nas_pipeline.walkforward.planted.markets import simulation_hash
from regime_nas_pipeline.walkforward.planted.parameters import Planted
from regime_nas_pipeline.walkforward.planted.results import collect, run_cells
from regime_nas_pipeline.walkforward.planted.summary import planted_verdict


def run_planted(
    cache: PieceCache, planted: Planted, compute: Compute
) -> tuple[pd.DataFrame, dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """Every cell of the experiment: figures, what was found, regimes over time, trials."""
    pieces = run_cells(planted, compute, cache, name="planted markets")
    results = collect(pieces, planted, seed=compute.seed)
    return results.cells, results.found, results.regimes, results.trials


def summarise_planted(
    cells: pd.DataFrame, run_facts: dict[str, Any], planted: Planted, compute: Compute
) -> dict[str, Any]:
    """The machine-readable verdict; its keys are public API, see docs/summary.md."""
    told = ("env", "git_sha", "started", "seconds", "versions")
    return {
        "run": {
            **{key: run_facts[key] for key in told},
            "data_sha256": simulation_hash(planted.markets),
            "seed": compute.seed,
        },
        **planted_verdict(cells, planted),
    }


def draw_planted(
    summary: dict[str, Any],
    cells: pd.DataFrame,
    found: dict[str, Any],
    regimes: pd.DataFrame,
    search_trials: pd.DataFrame,
) -> tuple[go.Figure, go.Figure, go.Figure, go.Figure, go.Figure, go.Figure]:
    """Efficiency, regimes over time, an architecture per track, searches, controls."""
    planted = cells[cells["market"] == "planted"]
    trials = search_trials.merge(
        planted[["search_id", "seed", "track"]], on="search_id", suffixes=("", "_of_market")
    )
    return (
        efficiency_strips(summary["oracle_efficiency"]),
        regimes_over_time(regimes),
        architecture_of_track(found, "engineered"),
        architecture_of_track(found, "raw"),
        search_by_track(trials),
        control_strips(summary["no_regime"], summary["martingale"]),
    )


def write_planted_report(summary: dict[str, Any], found: dict[str, Any], **drawn: go.Figure) -> str:
    """The report page."""
    return render_planted_report(summary, found, drawn)
