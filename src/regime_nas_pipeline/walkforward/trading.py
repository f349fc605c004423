"""From forecasts to weights to returns: the same steps for every strategy and every trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.allocate import Allocator, EqualWeight
from regime_nas_pipeline.portfolio.backtest import Backtest, buy_and_hold, run_backtest
from regime_nas_pipeline.portfolio.metrics import cost_drag, performance, turnover
from regime_nas_pipeline.walkforward.deciding import NOT_KEPT, Choices, TradingRules, decide_once


@dataclass(frozen=True)
class Traded:
    """A strategy's backtest, and why it held what it held.

    Attributes:
        backtest: Weights, returns and costs.
        decisions: One row per decision date: fallback (bool), reason, n_assets.
    """

    backtest: Backtest
    decisions: pd.DataFrame


def strategy_plans(
    means: Mapping[str, np.ndarray], allocator: Allocator, minimum_variance: Allocator
) -> dict[str, tuple[Allocator, np.ndarray | None]]:
    """Every strategy that decides anew at each date: its allocator, and forecasts if it has any.

    Args:
        means: Forecaster to its mean forecasts, (D, N).
        allocator: Turns them into weights.
        minimum_variance: Allocator of ``mvo_flat``.
    """
    plans: dict[str, tuple[Allocator, np.ndarray | None]] = {
        name: (allocator, mean) for name, mean in means.items()
    }
    return plans | {"equal_weight": (EqualWeight(), None), "mvo_flat": (minimum_variance, None)}


def trade(
    market: Market,
    choices: Mapping[pd.Timestamp, Choices],
    allocator: Allocator,
    rules: TradingRules,
    mean: np.ndarray | None = None,
    cache: PieceCache = NOT_KEPT,
) -> Traded:
    """Allocate at every decision date and trade the result.

    Args:
        market: Prices to the end of the sample; weights of a date use ``choices`` and ``mean``
            of that date alone.
        choices: See :func:`decide`, as for the next three.
        allocator: Turns moments into weights.
        rules: Horizon, lag, costs, risk-free rate.
        mean: (D, N) forecast log returns; or None.
        cache: Where decisions are kept: of many assets they take far longer than trading them.

    Raises:
        DataError: At some date there is a forecast for no asset of the universe.
    """
    decided = decide_once(market, choices, allocator, rules, mean, cache)
    returns = pd.DataFrame(
        market.simple_returns, index=market.dates, columns=list(market.assets)
    ).rename_axis(index="date")
    backtest = run_backtest(
        returns,
        decided.targets,
        execution_lag=rules.execution_lag,
        cost_bps=rules.cost_bps,
    )
    return Traded(backtest, decided.decisions)


def market_returns(market: Market) -> pd.DataFrame:
    """Simple returns of every asset and of the benchmark, date x name."""
    table = pd.DataFrame(market.simple_returns, index=market.dates, columns=list(market.assets))
    level = pd.Series(market.benchmark, index=market.dates)
    held = {market.benchmark_name: level.pct_change(fill_method=None)}
    return table.assign(**held).rename_axis(index="date")


def hold_benchmark(market: Market, first: pd.Timestamp, rules: TradingRules) -> Backtest:
    """Buy the benchmark at the first decision and never trade again.

    Args:
        market: Prices to the end of the sample.
        first: Decision date.
        rules: Lag and costs.

    Raises:
        DataError: It has no price on a bar on which it should be held.
    """
    traded = market.position(first) + rules.execution_lag
    blank = market.dates[traded:][~np.isfinite(market.benchmark[traded:])]
    if len(blank):
        raise DataError(
            f"the benchmark has no price on {len(blank)} bars on which it should be held",
            source="prices",
            asset=market.benchmark_name,
            date=blank[0],
            remedy="choose another benchmark, or move walk_forward.first_oos or universe.end.",
        )
    return buy_and_hold(
        market_returns(market)[[market.benchmark_name]],
        market.benchmark_name,
        decided_on=first,
        execution_lag=rules.execution_lag,
        cost_bps=rules.cost_bps,
    )


def strategy_figures(
    path: Backtest,
    returns: pd.DataFrame,
    *,
    bars_per_year: int,
    risk_free: float,
    n_fallbacks: int,
) -> dict[str, Any]:
    """The summary's figures of one strategy; see docs/summary.md.

    Args:
        path: Its backtest.
        returns: Simple returns of what it could hold, see :func:`market_returns`.
        bars_per_year: Bars in a year.
        risk_free: Simple yearly rate.
        n_fallbacks: Decisions at which its allocator fell back.
    """
    return {
        **performance(path.net, bars_per_year=bars_per_year, risk_free=risk_free),
        "turnover": turnover(path.weights, returns, path.rebalances),
        "cost_drag": cost_drag(path, bars_per_year=bars_per_year),
        "n_fallbacks": n_fallbacks,
    }
