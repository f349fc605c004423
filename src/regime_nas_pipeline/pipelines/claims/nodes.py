"""Nodes of the claims pipeline."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.pipelines.common import folds_of, market_of
from regime_nas_pipeline.report.claims_page import render_claims
from regime_nas_pipeline.report.figures_claims import claims_by_asset
from regime_nas_pipeline.verdict.claim_rows import SUBJECT, claim_rows, claims_headline
from regime_nas_pipeline.verdict.paper_claims import PAPER, PUBLISHED, figures_by_asset
from regime_nas_pipeline.walkforward.building import Shared, build_forecaster
from regime_nas_pipeline.walkforward.claims_check import (
    Claims,
    forecast_claims,
    score_claims,
    training_costs,
)
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    Evaluation,
    ForecasterChoice,
    Training,
    Universe,
    WalkForward,
)
from regime_nas_pipeline.walkforward.seeded_walks import joined_folds

BASELINE = "gru"
"""The recurrent baseline that the paper's error is set against."""


def _at_the_claims_lag(walk_forward: WalkForward, claims: Claims) -> WalkForward:
    return walk_forward.model_copy(update={"execution_lag": claims.execution_lag})


def _folds(market: Market, walk_forward: WalkForward, claims: Claims) -> list[Fold]:
    return joined_folds(folds_of(market, walk_forward), claims.folds)


def walk_claims(
    prices: pd.DataFrame,
    regimes: pd.DataFrame,
    cache: PieceCache,
    found: dict[str, Any],
    found_baseline: dict[str, Any],
    forecaster: ForecasterChoice,
    baseline: ForecasterChoice,
    claims: Claims,
    universe: Universe,
    walk_forward: WalkForward,
    training: Training,
    compute: Compute,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Walk both networks forward, one network per seed and fold.

    Returns:
        Forecasts, and what each fit took.
    """
    asked = _at_the_claims_lag(walk_forward, claims)
    market = market_of(prices, universe, regimes)
    shared = Shared(asked, training, compute)
    prototypes = {}
    for name, choice, result in (
        (SUBJECT, forecaster, found),
        (BASELINE, baseline, found_baseline),
    ):
        prototype = build_forecaster(choice, shared, result["parameters"])
        if not isinstance(prototype, NeuralForecaster):
            raise ParameterError(
                f"claims compares networks; {name}.forecaster.class is '{choice.class_path}'."
            )
        prototypes[name] = prototype
    return forecast_claims(
        prototypes,
        market,
        _folds(market, asked, claims),
        n_seeds=claims.seeds,
        seed=compute.seed,
        cache=cache,
        n_jobs=compute.n_jobs,
    )


def score(
    forecasts: pd.DataFrame,
    prices: pd.DataFrame,
    regimes: pd.DataFrame,
    claims: Claims,
    universe: Universe,
    walk_forward: WalkForward,
) -> pd.DataFrame:
    """Accuracy on returns and price levels: pooled, per asset, per regime; per seed."""
    asked = _at_the_claims_lag(walk_forward, claims)
    market = market_of(prices, universe, regimes)
    return score_claims(
        forecasts,
        market,
        _folds(market, asked, claims),
        horizon=asked.horizon,
        execution_lag=asked.execution_lag,
    )


def tabulate(
    scores: pd.DataFrame,
    fits: pd.DataFrame,
    forecasts: pd.DataFrame,
    found: dict[str, Any],
    found_baseline: dict[str, Any],
    run_facts: dict[str, Any],
    claims: Claims,
    walk_forward: WalkForward,
    training: Training,
) -> dict[str, Any]:
    """The paper's figures beside ours and beside those of forecasting no change."""
    longest = run_facts["longest_seconds"]
    names = (SUBJECT, BASELINE)
    hours = {
        name: longest[f"{name}.search"] / 3600.0 for name in names if f"{name}.search" in longest
    }
    searches = {SUBJECT: found["search"], BASELINE: found_baseline["search"]}
    costs = training_costs(fits, searches, hours)
    rows = claim_rows(scores, costs, baseline=BASELINE)
    return {
        "env": run_facts["env"],
        "source": PAPER,
        "horizon": walk_forward.horizon,
        "execution_lag": claims.execution_lag,
        "seeds": claims.seeds,
        "fits": int(fits["fold"].nunique()),
        "max_samples": training.max_samples,
        "first_decision": date_text(forecasts["date"].min(), forecasts["date"]),
        "last_decision": date_text(forecasts["date"].max(), forecasts["date"]),
        "costs": costs,
        "claims": rows,
        "headline": claims_headline(rows, env=str(run_facts["env"]), baseline=BASELINE),
    }


def draw_claims(scores: pd.DataFrame) -> go.Figure:
    """Errors and R² of every asset beside the published figures."""
    published = {
        "over_baseline": PUBLISHED["mae_ratio"].value,
        "unexplained": 1.0 - PUBLISHED["r2"].value,
    }
    figures = figures_by_asset(scores, subject=SUBJECT, baseline=BASELINE)
    return claims_by_asset(figures, published, baseline=BASELINE)


def write_claims_report(
    table: dict[str, Any], scores: pd.DataFrame, figure: go.Figure, evaluation: Evaluation
) -> str:
    """The page of the claims."""
    return render_claims(
        table, scores, {"claims": figure}, baseline=BASELINE, limits=evaluation.limits
    )
