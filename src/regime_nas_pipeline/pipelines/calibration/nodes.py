"""Nodes of the calibration pipeline."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.pipelines.common import (
    allocator_of,
    folds_of,
    market_of,
    records_of,
    rules_of,
    sample_of,
)
from regime_nas_pipeline.report.figures_remedies import remedy_differences
from regime_nas_pipeline.report.remedies_page import render_remedies
from regime_nas_pipeline.verdict.remedies import (
    compare_remedies,
    remedies_headline,
    remedy_sentences,
)
from regime_nas_pipeline.walkforward.building import Shared, build_forecaster
from regime_nas_pipeline.walkforward.calibration import Scene, run_remedies, trained_ways
from regime_nas_pipeline.walkforward.calibration_parameters import PLAIN, CalibrationTrial
from regime_nas_pipeline.walkforward.candidates import Trading
from regime_nas_pipeline.walkforward.evaluation_ledger import (
    hash_of_evaluated_closes,
    hash_of_settings,
    variant_rows,
)
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    Evaluation,
    ForecasterChoice,
    Portfolio,
    Training,
    Universe,
    WalkForward,
)
from regime_nas_pipeline.walkforward.seeded_walks import joined_folds

LABELS = {
    PLAIN: "Plain",
    "ranking_loss": "Ranking loss",
    "spread_scaling": "Spread scaling",
    "garch_covariance": "GARCH volatilities",
    "all_three": "All three",
}
"""Variant to its name in words."""


def walk_remedies(
    prices: pd.DataFrame,
    regimes: pd.DataFrame,
    cache: PieceCache,
    found_regime_nas: dict[str, Any],
    found_gru: dict[str, Any],
    found_transformer: dict[str, Any],
    run_facts: dict[str, Any],
    regime_nas: ForecasterChoice,
    gru: ForecasterChoice,
    transformer: ForecasterChoice,
    garch: ForecasterChoice,
    calibration: CalibrationTrial,
    universe: Universe,
    walk_forward: WalkForward,
    training: Training,
    portfolio: Portfolio,
    compute: Compute,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Walk every variant of every network forward on every seed, trade and score it.

    Returns:
        Rows for the ledger of evaluations, results (forecaster, variant, seed, metric, value),
        learned factors, and what was run.
    """
    market = market_of(prices, universe, regimes)
    folds = joined_folds(folds_of(market, walk_forward), calibration.folds)
    shared = Shared(walk_forward, training, compute)
    fits = {
        name: trained_ways(name, choice, shared, found["parameters"], calibration)
        for name, choice, found in (
            ("regime_nas", regime_nas, found_regime_nas),
            ("gru", gru, found_gru),
            ("transformer", transformer, found_transformer),
        )
    }
    scene = Scene(
        market,
        folds,
        Trading(allocator_of(portfolio), rules_of(walk_forward, portfolio)),
        walk_forward.rebalance_every,
        cache,
        compute.n_jobs,
    )
    results, factors, returns = run_remedies(
        fits, build_forecaster(garch, shared), scene, calibration, seed=compute.seed
    )
    rows = variant_rows(
        returns,
        origin="calibration",
        closes_hash=hash_of_evaluated_closes(market, folds),
        settings_hash=hash_of_settings(universe, walk_forward, portfolio, compute.seed),
        cost_bps=portfolio.cost_bps,
        run_facts=run_facts,
    )
    return rows, results, factors, sample_of(folds)


def compare(
    results: pd.DataFrame,
    facts: dict[str, Any],
    run_facts: dict[str, Any],
    calibration: CalibrationTrial,
    training: Training,
) -> dict[str, Any]:
    """Every variant against the plain forecasters: figures, intervals, tests and sentences."""
    table = compare_remedies(results, reference=PLAIN, level=calibration.level)
    env = str(run_facts["env"])
    return {
        **facts,
        "env": env,
        "level": calibration.level,
        "seeds": calibration.seeds,
        "ranking_weight": calibration.ranking_weight,
        "prior_deviation": calibration.prior_deviation,
        "cap": calibration.cap,
        "max_samples": training.max_samples,
        "headline": remedies_headline(table, env=env),
        "sentences": remedy_sentences(table, LABELS, level=calibration.level),
        "comparison": records_of(table),
    }


def draw_remedies(table: dict[str, Any]) -> go.Figure:
    """Differences to the plain forecasters with their intervals."""
    return remedy_differences(pd.DataFrame(table["comparison"]), LABELS, level=table["level"])


def write_calibration_report(
    table: dict[str, Any],
    results: pd.DataFrame,
    factors: pd.DataFrame,
    figure: go.Figure,
    evaluation: Evaluation,
) -> str:
    """The page on calibration."""
    return render_remedies(table, results, factors, figure, labels=LABELS, limits=evaluation.limits)
