"""What the nodes of several pipelines need: a market from datasets, folds from parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.params import build
from regime_nas_pipeline.core.statistics import finite_or_none
from regime_nas_pipeline.market.bar_year import bar_year
from regime_nas_pipeline.market.market import Market, market_from_prices
from regime_nas_pipeline.market.seal import refuse_sealed_bars
from regime_nas_pipeline.portfolio.allocate import Allocator
from regime_nas_pipeline.walkforward.deciding import TradingRules
from regime_nas_pipeline.walkforward.folds import Fold, make_folds
from regime_nas_pipeline.walkforward.parameters import (
    Portfolio,
    Universe,
    WalkForward,
)


def market_of(
    prices: pd.DataFrame, universe: Universe, regimes: pd.DataFrame | None = None
) -> Market:
    """The market of the validated price table, with causal regimes if given.

    Raises:
        DataError: The prices reach past the seal, or the benchmark is not among them.
    """
    refuse_sealed_bars(prices, universe.sealed_from)
    market = market_from_prices(
        prices,
        benchmark=universe.benchmark,
        benchmark_tradable=universe.benchmark_tradable,
        bars_per_year=bars_per_year_of(prices, universe),
        min_history=universe.min_history,
        observed=universe.observed,
    )
    return market if regimes is None else market.with_regimes(regimes)


def bars_per_year_of(prices: pd.DataFrame, universe: Universe) -> int:
    """Bars in a year: the stated number, or that of the calendar of the prices.

    Raises:
        DataError: It is to be counted and the prices span too little.
    """
    if universe.bars_per_year != "auto":
        return universe.bars_per_year
    dates = pd.DatetimeIndex(prices["date"].unique()).sort_values()
    return bar_year("auto", dates).value


def folds_of(market: Market, walk_forward: WalkForward) -> list[Fold]:
    """The folds that the parameters ask for."""
    return make_folds(
        market,
        first_oos=walk_forward.first_oos_stamp,
        refit_every=walk_forward.refit_every,
        rebalance_every=walk_forward.rebalance_every,
        execution_lag=walk_forward.execution_lag,
        window=walk_forward.window_bars,
    )


def sample_of(folds: list[Fold]) -> dict[str, Any]:
    """How many fits and decisions there are, and the first and last bar of a decision."""
    first, last = folds[0].decisions[0], folds[-1].decisions[-1]
    bars = [folds[0].train_end, first, last]
    return {
        "fits": len(folds),
        "decisions": sum(len(fold.decisions) for fold in folds),
        "first_decision": date_text(first, bars),
        "last_decision": date_text(last, bars),
    }


def bars_of_a_period(walk_forward: WalkForward) -> int:
    """Bars that one decision needs in order to be traded and earn until the next one."""
    return walk_forward.rebalance_every + walk_forward.execution_lag + 1


def rules_of(walk_forward: WalkForward, portfolio: Portfolio) -> TradingRules:
    """What every strategy has to live with."""
    return TradingRules(
        horizon=walk_forward.horizon,
        execution_lag=walk_forward.execution_lag,
        cost_bps=portfolio.cost_bps,
        risk_free=portfolio.risk_free,
    )


def allocator_of(portfolio: Portfolio) -> Allocator:
    """The chosen allocator."""
    allocator: Allocator = build(
        portfolio.allocator, Allocator, max_weight=portfolio.max_weight, solver=portfolio.solver
    )
    return allocator


def records_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table's rows as JSON can hold them: None for a float that is blank or infinite."""
    return [
        {
            str(key): finite_or_none(value) if isinstance(value, float) else value
            for key, value in row.items()
        }
        for row in table.to_dict("records")
    ]


def table_of(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows of :func:`records_of` as a table; a column of None alone is blank numbers again."""
    table = pd.DataFrame(list(records))
    return table.where(table.notna(), float("nan")).infer_objects()
