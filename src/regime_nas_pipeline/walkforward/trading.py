"""From forecasts to weights to returns: the same steps for every strategy and every trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.allocate import Allocator, EqualWeight
from regime_nas_pipeline.portfolio.backtest import Backtest, buy_and_hold, run_backtest
from regime_nas_pipeline.portfolio.covariance import horizon_covariance
from regime_nas_pipeline.portfolio.metrics import cost_drag, performance, turnover


@dataclass(frozen=True)
class TradingRules:
    """What every strategy has to live with.

    Attributes:
        horizon: Bars over which risk and return are weighed.
        execution_lag: Bars between decision and trade.
        cost_bps: One-way cost per traded notional, in basis points.
        risk_free: Simple yearly rate.
    """

    horizon: int
    execution_lag: int
    cost_bps: float
    risk_free: float


@dataclass(frozen=True)
class Choices:
    """What may be chosen from at one decision: assets (positions) and their covariance."""

    assets: np.ndarray
    covariance: np.ndarray


@dataclass(frozen=True)
class Decided:
    """What is wanted at every decision date, before anything is traded.

    Attributes:
        targets: Decision date x asset: fraction of wealth wanted.
        decisions: One row per decision date: fallback (bool), reason, n_assets.
    """

    targets: pd.DataFrame
    decisions: pd.DataFrame


@dataclass(frozen=True)
class Traded:
    """A strategy's backtest, and why it held what it held.

    Attributes:
        backtest: Weights, returns and costs.
        decisions: One row per decision date: fallback (bool), reason, n_assets.
    """

    backtest: Backtest
    decisions: pd.DataFrame


def choices_at(
    market: Market,
    dates: pd.DatetimeIndex,
    horizon: int,
    volatility: np.ndarray | None = None,
) -> dict[pd.Timestamp, Choices]:
    """The universe and its covariance at every decision date, from data up to that date.

    Args:
        market: Prices.
        dates: Decision dates, length D.
        horizon: Bars of the covariance.
        volatility: (D, N) h-bar volatility forecasts that rescale the covariance; None for
            Ledoit-Wolf alone. An asset without one keeps its Ledoit-Wolf volatility.

    Raises:
        DataError: No asset is in the universe at a date.
    """
    found = {}
    for i, date in enumerate(dates):
        known = market.until(date)
        assets = np.flatnonzero(known.eligible[-1])
        if not len(assets):
            raise DataError(
                "no asset is in the universe on this decision date",
                source="prices",
                date=date,
                remedy="set walk_forward.first_oos later or universe.min_history lower, or check "
                "universe.membership.",
            )
        returns = known.log_returns[1:, assets]
        names = [market.assets[column] for column in assets]
        covariance = horizon_covariance(returns, horizon, assets=names)
        if volatility is not None:
            own = np.sqrt(np.diag(covariance))
            wanted = np.where(np.isfinite(volatility[i, assets]), volatility[i, assets], own)
            covariance = horizon_covariance(returns, horizon, volatility=wanted, assets=names)
        found[date] = Choices(assets, covariance)
    return found


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


def decide(
    market: Market,
    choices: Mapping[pd.Timestamp, Choices],
    allocator: Allocator,
    rules: TradingRules,
    mean: np.ndarray | None = None,
) -> Decided:
    """Allocate at every decision date.

    Args:
        market: Gives the assets and the bars of a year.
        choices: Universe and covariance per decision date.
        allocator: Turns moments into weights.
        rules: Horizon and risk-free rate.
        mean: (D, N) forecast log returns over the horizon; None for allocators that need none.
            An asset without a forecast cannot be chosen.

    Raises:
        DataError: At some date there is a forecast for no asset of the universe.
    """
    years = rules.horizon / market.bars_per_year
    risk_free = (1.0 + rules.risk_free) ** years - 1.0
    targets = np.zeros((len(choices), len(market.assets)))
    rows = []
    for i, (date, choice) in enumerate(choices.items()):
        keep = np.ones(len(choice.assets), dtype=bool)
        expected = None
        if mean is not None:
            keep = np.isfinite(mean[i, choice.assets])
            expected = mean[i, choice.assets[keep]]
        if not keep.any():
            raise DataError(
                "there is a forecast for no asset of the universe",
                source="forecasts",
                date=date,
                remedy="make the forecasts anew for these decision dates, or raise "
                "universe.min_history to what the forecaster needs.",
            )
        result = allocator.allocate(expected, choice.covariance[np.ix_(keep, keep)], risk_free)
        targets[i, choice.assets[keep]] = result.weights
        rows.append((result.fallback, result.reason, int(keep.sum())))
    dates = pd.DatetimeIndex(list(choices), name="date")
    return Decided(
        pd.DataFrame(targets, index=dates, columns=list(market.assets)),
        pd.DataFrame(rows, columns=["fallback", "reason", "n_assets"], index=dates),
    )


def trade(
    market: Market,
    choices: Mapping[pd.Timestamp, Choices],
    allocator: Allocator,
    rules: TradingRules,
    mean: np.ndarray | None = None,
) -> Traded:
    """Allocate at every decision date and trade the result.

    Args:
        market: Prices to the end of the sample; weights of a date use ``choices`` and ``mean``
            of that date alone.
        choices: See :func:`decide`, as for the next three.
        allocator: Turns moments into weights.
        rules: Horizon, lag, costs, risk-free rate.
        mean: (D, N) forecast log returns; or None.

    Raises:
        DataError: At some date there is a forecast for no asset of the universe.
    """
    decided = decide(market, choices, allocator, rules, mean)
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
