"""Nodes of the search comparison."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.pipelines.common import folds_of, market_of
from regime_nas_pipeline.report import figures_comparison as figures
from regime_nas_pipeline.report.comparison_page import render_comparison
from regime_nas_pipeline.search.space import space_size
from regime_nas_pipeline.walkforward.building import Shared
from regime_nas_pipeline.walkforward.comparison import (
    measure_shortcuts,
    shortcut_scores,
    shortcut_table,
)
from regime_nas_pipeline.walkforward.comparison_beds import planted_bed
from regime_nas_pipeline.walkforward.comparison_parameters import SearchComparison
from regime_nas_pipeline.walkforward.comparison_regret import (
    regret_claim,
    regret_table,
    replay,
    score_landscapes,
)
from regime_nas_pipeline.walkforward.comparison_strategies import (
    contest_beds,
    contest_leaders,
    contest_summary,
    run_contest,
)
from regime_nas_pipeline.walkforward.parameters import Compute, Training, Universe, WalkForward


def compare_shortcuts(
    cache: PieceCache, settings: SearchComparison, compute: Compute
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What every cheap evaluation saves and how far it ranks as a full one does; all scores."""
    bed = planted_bed(settings, 0, compute)
    full, others = measure_shortcuts(bed, settings, compute, cache)
    draws = settings.shortcuts.draws
    table = shortcut_table(full, others, draws=draws, seed=compute.seed)
    return table, shortcut_scores(full, others)


def measure_regret(cache: PieceCache, settings: SearchComparison, compute: Compute) -> pd.DataFrame:
    """Regret after every evaluation, on spaces of which every candidate is scored."""
    landscapes = score_landscapes(settings, compute, cache)
    return replay(landscapes, settings.regret, compute, cache)


def compare_strategies(
    prices: pd.DataFrame,
    cache: PieceCache,
    settings: SearchComparison,
    universe: Universe,
    walk_forward: WalkForward,
    training: Training,
    compute: Compute,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What every strategy finds at equal budget, seed by seed, and all of its trials."""
    market = market_of(prices, universe)
    shared = Shared(walk_forward, training, compute)
    beds = contest_beds(market, folds_of(market, walk_forward), settings, shared)
    return run_contest(beds, settings, compute, cache)


def draw_comparison(
    shortcuts: pd.DataFrame,
    scores: pd.DataFrame,
    strategies: pd.DataFrame,
    regret: pd.DataFrame,
) -> tuple[go.Figure, go.Figure, go.Figure]:
    """Cheap against full scores, what strategies found, and regret curves."""
    kendall = dict(zip(shortcuts["shortcut"], shortcuts["kendall"], strict=True))
    return (
        figures.shortcut_scores(scores, kendall),
        figures.strategy_strips(strategies),
        figures.regret_curves(regret),
    )


def write_search_report(
    shortcuts: pd.DataFrame,
    strategies: pd.DataFrame,
    regret: pd.DataFrame,
    settings: SearchComparison,
    **drawn: go.Figure,
) -> tuple[str, dict[str, Any]]:
    """The page, and what it says as JSON values."""
    contest, last = contest_summary(strategies), regret_table(regret)
    summary = {
        "contest": contest_leaders(contest),
        "claim": regret_claim(last),
        "facts": [
            (settings.contest.trials, "candidates a search"),
            (f"{settings.contest.budget:,}", "gradient samples a search"),
            (settings.contest.seeds, "seeds"),
            (f"{space_size(settings.regret.space):.0f}", "candidates in each scored space"),
            (settings.regret.landscapes, "scored spaces"),
            (settings.shortcuts.candidates, "candidates ranked by shortcuts"),
        ],
    }
    page = render_comparison(
        shortcuts=shortcuts, strategies=contest, regret=last, summary=summary, figures=drawn
    )
    return page, summary
