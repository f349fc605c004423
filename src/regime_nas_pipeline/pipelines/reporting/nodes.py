"""Nodes of the reporting pipeline."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.pipelines.common import market_of
from regime_nas_pipeline.report import figures
from regime_nas_pipeline.report.page import render_report
from regime_nas_pipeline.verdict.claims import headline
from regime_nas_pipeline.walkforward.parameters import Evaluation, Portfolio, Universe


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
            bars_per_year=universe.bars_per_year,
            risk_free=portfolio.risk_free,
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
    architecture: dict[str, Any], search_trials: pd.DataFrame, **found: dict[str, Any]
) -> tuple[go.Figure, go.Figure]:
    """The architecture found, and how the searches of this run went."""
    return (
        figures.architecture(architecture["parameters"]),
        figures.search_progress(_trials_of_run(search_trials, [architecture, *found.values()])),
    )


def write_report(
    summary: dict[str, Any],
    significance: pd.DataFrame,
    sub_periods: pd.DataFrame,
    per_regime: pd.DataFrame,
    volatility_coverage: pd.DataFrame,
    data_quality: dict[str, Any],
    data_manifest: dict[str, Any],
    found: dict[str, Any],
    search_trials: pd.DataFrame,
    evaluation: Evaluation,
    portfolio: Portfolio,
    **drawn: go.Figure,
) -> str:
    """The report page."""
    tables = {
        "significance": significance,
        "sub_periods": sub_periods,
        "per_regime": per_regime,
        "calibration": volatility_coverage,
    }
    return render_report(
        headline=headline(summary, significance),
        summary=summary,
        tables={name: table for name, table in tables.items() if len(table)},
        figures=drawn,
        quality=data_quality,
        manifest=data_manifest,
        architecture={**found["parameters"], **found["search"]},
        trials=_as_drawn(search_trials),
        limits=[
            *evaluation.limits,
            f"Costs are {portfolio.cost_bps:g} basis points of what is traded, one way; market "
            "impact, taxes and borrowing are left out.",
        ],
    )


def _trials_of_run(trials: pd.DataFrame, found: list[dict[str, Any]]) -> pd.DataFrame:
    ids = [entry["search"]["search_id"] for entry in found]
    return _as_drawn(trials[trials["search_id"].isin(ids)])


def _as_drawn(trials: pd.DataFrame) -> pd.DataFrame:
    return trials.rename(columns={"number": "trial"}).assign(state="complete")
