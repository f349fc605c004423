"""Nodes of the reporting pipeline."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.pipelines.common import market_of
from regime_nas_pipeline.report import figures
from regime_nas_pipeline.report.failures import fit_failures
from regime_nas_pipeline.report.openings import opening_words
from regime_nas_pipeline.report.page import render_report
from regime_nas_pipeline.report.searches import search_summary, trials_of_run
from regime_nas_pipeline.verdict.claims import headline
from regime_nas_pipeline.walkforward.parameters import Evaluation, Portfolio, Search, Universe

_SEED_COLUMNS = ("forecaster", "seed", "cagr", "volatility", "sharpe", "max_drawdown", "turnover")


def draw_performance(
    prices: pd.DataFrame,
    strategy_returns: pd.DataFrame,
    weights: pd.DataFrame,
    regimes: pd.DataFrame,
    universe: Universe,
    portfolio: Portfolio,
) -> tuple[go.Figure, go.Figure, go.Figure, go.Figure, go.Figure]:
    """Wealth, drawdowns, rolling Sharpe, regimes and weights."""
    market = market_of(prices, universe)
    level = pd.Series(market.benchmark, index=market.dates, name=market.benchmark_name)
    return (
        figures.equity_curves(strategy_returns),
        figures.drawdowns(strategy_returns),
        figures.rolling_sharpe(
            strategy_returns,
            regimes,
            bars_per_year=market.bars_per_year,
            risk_free=portfolio.risk_free,
            window=market.bars_per_year,
        ),
        figures.regime_history(level.loc[regimes.index[0] :], regimes),
        figures.weights_over_time(weights),
    )


def draw_forecasts(
    summary: dict[str, Any],
    spread_calibration: pd.DataFrame,
    reliability: pd.DataFrame,
    seed_spread: pd.DataFrame,
) -> tuple[go.Figure, go.Figure, go.Figure, go.Figure]:
    """Accuracy, calibration of spread and mean, spread over seeds."""
    return (
        figures.forecast_accuracy(summary["forecasts"]),
        figures.spread_calibration(spread_calibration),
        figures.reliability(reliability),
        figures.seed_spread(seed_spread),
    )


def draw_search(
    architecture: dict[str, Any],
    search_trials: pd.DataFrame,
    pareto_front: pd.DataFrame,
    search: Search,
    **found: dict[str, Any],
) -> tuple[go.Figure, go.Figure, go.Figure, dict[str, Any]]:
    """The architecture found, how the searches went, their front, and what they spent."""
    every_search = [architecture, *found.values()]
    drawn = trials_of_run(search_trials, every_search).rename(columns={"number": "trial"})
    return (
        figures.architecture(architecture["parameters"]),
        figures.search_progress(drawn.assign(state="complete")),
        figures.pareto_front(pareto_front),
        search_summary(search_trials, every_search, budget=search.budget),
    )


def draw_verdict(
    overfitting: dict[str, Any],
    cost_curve: pd.DataFrame,
    break_even_costs: pd.DataFrame,
    attribution: pd.DataFrame,
    portfolio: Portfolio,
) -> tuple[go.Figure, go.Figure, go.Figure]:
    """Overfitting of the searches, Sharpe ratios at other costs, sources of each lead."""
    return (
        figures.overfitting_logits(overfitting),
        figures.sharpe_by_cost(cost_curve, break_even_costs, cost_bps=portfolio.cost_bps),
        figures.attribution_steps(attribution),
    )


def list_fit_failures(**checkpoints: Bundle) -> pd.DataFrame:
    """Fits that failed, of every forecaster that keeps book of them."""
    return fit_failures(checkpoints)


def write_report(
    summary: dict[str, Any],
    significance: pd.DataFrame,
    sub_periods: pd.DataFrame,
    per_regime: pd.DataFrame,
    contributions: pd.DataFrame,
    volatility_coverage: pd.DataFrame,
    seed_figures: pd.DataFrame,
    failed_fits: pd.DataFrame,
    trade_offs: pd.DataFrame,
    data_quality: dict[str, Any],
    data_manifest: dict[str, Any],
    found: dict[str, Any],
    searches: dict[str, Any],
    closures: pd.DataFrame,
    openings: pd.DataFrame,
    evaluation: Evaluation,
    portfolio: Portfolio,
    **others: Any,
) -> str:
    """The report page, with the figures and the results of the verdict among ``others``."""
    drawn = {name: each for name, each in others.items() if isinstance(each, go.Figure)}
    results = {name: each for name, each in others.items() if name not in drawn}
    tables = {
        "significance": significance,
        "sub_periods": sub_periods,
        "per_regime": per_regime,
        # Tables are sorted by contribution, the largest first.
        "contributions": contributions.groupby("strategy", sort=False).head(1),
        "calibration": volatility_coverage,
        "seeds": seed_figures[[*_SEED_COLUMNS]],
        "fit_failures": failed_fits,
        "trade_offs": _by_error(trade_offs),
    }
    return render_report(
        headline=headline(summary, significance, benchmark=data_manifest["benchmark"]),
        summary=summary,
        tables={name: table for name, table in tables.items() if len(table)},
        figures=drawn,
        quality=data_quality,
        manifest=data_manifest,
        architecture=found["parameters"],
        search=searches,
        limits=[
            *evaluation.limits,
            f"Costs are {portfolio.cost_bps:g} basis points of what is traded, one way; market "
            "impact, taxes and borrowing are left out.",
            *opening_words(openings, data_manifest.get("sealed")),
        ],
        verdict=results,
        closures=closures,
    )


def _by_error(front: pd.DataFrame) -> pd.DataFrame:
    """The objectives of every trial, the lowest error first."""
    measured = front.drop(columns=["trial_id", "choices"])
    return measured.rename(columns={"parameters": "network_parameters"}).sort_values(
        "error", kind="stable", ignore_index=True
    )
