"""Nodes of the verdict pipeline: what the result is worth, and where it comes from."""

from __future__ import annotations

from typing import Any

import pandas as pd

from regime_nas_pipeline.market.seal import refuse_sealed_bars
from regime_nas_pipeline.pipelines.common import bars_per_year_of
from regime_nas_pipeline.portfolio.economics.attribution import attribute_differences
from regime_nas_pipeline.portfolio.economics.capacity import (
    participation,
    traded_value,
    trading_figures,
)
from regime_nas_pipeline.portfolio.economics.costs import break_even_costs, sharpe_by_cost
from regime_nas_pipeline.portfolio.economics.exposures import (
    REGRESSION_COLUMNS,
    benchmark_regressions,
    group_exposures,
)
from regime_nas_pipeline.portfolio.economics.periods import figures_by_crisis
from regime_nas_pipeline.portfolio.economics.trades import (
    asset_returns,
    asset_trades,
    traded_notional,
)
from regime_nas_pipeline.verdict.comparison.dependence import MIN_BARS
from regime_nas_pipeline.walkforward.evaluation import REFERENCES
from regime_nas_pipeline.walkforward.parameters import Portfolio, Universe
from regime_nas_pipeline.walkforward.verdict_parameters import Verdict


def reckon_costs(
    *,
    prices: pd.DataFrame,
    weights: pd.DataFrame,
    decisions: pd.DataFrame,
    gross_returns: pd.DataFrame,
    universe: Universe,
    portfolio: Portfolio,
    verdict: Verdict,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """What trading costs, how much of it there is, and how much money it could carry.

    Returns:
        Sharpe ratio by cost, break-even costs, trading figures, participation in the market's
        trading by strategy, and by asset.
    """
    refuse_sealed_bars(prices, universe.sealed_from)
    dates = pd.DatetimeIndex(gross_returns.index)
    trades = asset_trades(weights, decisions, asset_returns(prices), dates)
    notional = traded_notional(trades, dates, list(gross_returns.columns))
    rates: dict[str, Any] = {
        "bars_per_year": bars_per_year_of(prices, universe),
        "risk_free": portfolio.risk_free,
    }
    costs = sorted({*verdict.costs_bps, portfolio.cost_bps})
    capacity = verdict.capacity
    parts = participation(
        trades,
        traded_value(prices, volume_in=capacity.volume_in),
        portfolio_value=capacity.portfolio_value,
        limit=capacity.limit,
        window=capacity.window,
    )
    return (
        sharpe_by_cost(gross_returns, notional, costs, **rates),
        break_even_costs(gross_returns, notional, **rates),
        trading_figures(trades, len(dates), bars_per_year=rates["bars_per_year"]),
        parts.by_strategy,
        parts.by_asset,
    )


def explain_returns(
    *,
    prices: pd.DataFrame,
    weights: pd.DataFrame,
    decisions: pd.DataFrame,
    contributions: pd.DataFrame,
    strategy_returns: pd.DataFrame,
    gross_returns: pd.DataFrame,
    universe: Universe,
    portfolio: Portfolio,
    verdict: Verdict,
) -> tuple[pd.DataFrame, ...]:
    """Where the returns came from: crises, groups of assets, benchmarks, and selection.

    Returns:
        Crises, exposures by group, regressions on benchmarks, and attribution in total, by asset
        and by year.
    """
    refuse_sealed_bars(prices, universe.sealed_from)
    rates: dict[str, Any] = {
        "bars_per_year": bars_per_year_of(prices, universe),
        "risk_free": portfolio.risk_free,
    }
    long_enough = len(strategy_returns) >= MIN_BARS
    forecasters = [name for name in strategy_returns.columns if name not in REFERENCES]
    sources = attribute_differences(
        weights,
        decisions,
        asset_returns(prices),
        gross_returns,
        strategy_returns,
        strategies=forecasters,
        bars_per_year=rates["bars_per_year"],
    )
    return (
        figures_by_crisis(strategy_returns, **rates),
        group_exposures(contributions, verdict.groups),
        benchmark_regressions(strategy_returns, **rates)
        if long_enough
        else pd.DataFrame({name: [] for name in REGRESSION_COLUMNS}),
        sources.total,
        sources.by_asset,
        sources.by_year,
    )
