"""Nodes of the experiment on what regime labels are worth: comparison, figure, page."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.pipelines.common import bars_per_year_of, records_of
from regime_nas_pipeline.pipelines.regime_uses.parameters import RegimeUses
from regime_nas_pipeline.report.figures_regime_uses import regime_use_differences
from regime_nas_pipeline.report.regime_uses_page import render_regime_uses
from regime_nas_pipeline.verdict.regime_uses import (
    compare_supervision,
    compare_uses,
    summarise_uses,
)
from regime_nas_pipeline.verdict.regime_uses_words import headline, sentences
from regime_nas_pipeline.walkforward.ablation import STRATEGY
from regime_nas_pipeline.walkforward.parameters import Compute, Evaluation, Portfolio, Universe
from regime_nas_pipeline.walkforward.regime_uses.base import SUPERVISION
from regime_nas_pipeline.walkforward.regime_uses.supervision import IN_THE_LOSS


def compare(
    *,
    prices: pd.DataFrame,
    returns: pd.DataFrame,
    strategy_returns: pd.DataFrame,
    blends: pd.DataFrame,
    supervised: pd.DataFrame,
    facts: dict[str, Any],
    label_facts: dict[str, Any],
    run_facts: dict[str, Any],
    regime_uses: RegimeUses,
    universe: Universe,
    portfolio: Portfolio,
    compute: Compute,
) -> dict[str, Any]:
    """Every use against the plain strategy: figures, intervals, tests and sentences."""
    comparison = compare_uses(
        returns,
        strategy_returns,
        supervised,
        supervision=(SUPERVISION, IN_THE_LOSS, STRATEGY),
        risk_free=portfolio.risk_free,
        bars_per_year=bars_per_year_of(prices, universe),
        level=regime_uses.level,
        n_resamples=regime_uses.resamples,
        seed=compute.seed,
        n_jobs=compute.n_jobs,
    )
    supervision = compare_supervision(supervised, level=regime_uses.level)
    env = str(run_facts["env"])
    blended = blends.groupby("labels", sort=False)[["effective_bars", "share"]].mean()
    return {
        **facts,
        "env": env,
        "level": regime_uses.level,
        "resamples": regime_uses.resamples,
        "seeds": regime_uses.supervision.seeds,
        "label_weight": regime_uses.supervision.label_weight,
        "prior_bars": regime_uses.covariance.prior_bars,
        "overlay": regime_uses.overlay.model_dump(mode="json"),
        "risk_free": portfolio.risk_free,
        "labellers": label_facts,
        "headline": headline(comparison, env=env),
        "sentences": sentences(comparison, supervision),
        "summary": records_of(summarise_uses(comparison)),
        "comparison": records_of(comparison),
        "supervision": records_of(supervision),
        "covariances": records_of(blended.reset_index()),
    }


def draw(table: dict[str, Any]) -> go.Figure:
    """Differences with their intervals, by labeller and use."""
    return regime_use_differences(pd.DataFrame(table["comparison"]), level=table["level"])


def write_report(
    table: dict[str, Any], figures: pd.DataFrame, drawn: go.Figure, evaluation: Evaluation
) -> str:
    """The page on what labels are worth."""
    return render_regime_uses(table, figures, drawn, limits=evaluation.limits)
