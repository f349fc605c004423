"""Every seed of an averaged network traded by itself, as its average is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.forecasters.base import seed_columns
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.allocate import Allocator
from regime_nas_pipeline.walkforward.deciding import (
    NOT_KEPT,
    Choices,
    TradingRules,
    choices_at,
    decisions_key,
)
from regime_nas_pipeline.walkforward.evaluation import (
    chosen_volatility,
    decision_dates,
    forecast_arrays,
)
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.trading import market_returns, strategy_figures, trade

RETURN_TYPES = {"date": "datetime64[us]", "forecaster": "str", "seed": "int64", "net": "float64"}
"""Columns of the returns of seeds."""

FIGURES = (
    "cagr",
    "volatility",
    "sharpe",
    "sortino",
    "max_drawdown",
    "calmar",
    "turnover",
    "cost_drag",
    "n_fallbacks",
)
"""Figures of a seed's strategy: those of the summary."""


@dataclass(frozen=True, eq=False)
class SeedResults:
    """What each seed alone would have earned.

    Attributes:
        returns: Tidy: date, forecaster, seed (from 1), net (simple return per bar after costs).
        figures: One row a seed: forecaster, seed, and :data:`FIGURES`.
    """

    returns: pd.DataFrame
    figures: pd.DataFrame


def trade_seeds(
    market: Market,
    folds: list[Fold],
    forecasts: Mapping[str, pd.DataFrame],
    *,
    allocator: Allocator,
    rules: TradingRules,
    volatility_from: str | None = None,
    n_jobs: int = 1,
    cache: PieceCache = NOT_KEPT,
) -> SeedResults:
    """Trade each seed's mean forecast by the rules by which the average over seeds is traded.

    A forecaster without seeds has no rows.

    Args:
        market: Prices to the end of the sample.
        folds: Their decision dates are traded on.
        forecasts: Forecaster to its tidy table; see :class:`~.forecasts.WalkForwardForecasts`.
        allocator: Turns moments into weights.
        rules: Horizon, lag, costs, risk-free rate.
        volatility_from: Forecaster whose volatility rescales every covariance: that of its
            average, for the seeds as well.
        n_jobs: Processes.
        cache: Where the decisions of every seed are kept.

    Raises:
        ParameterError: ``volatility_from`` names no forecaster with volatility forecasts.
        DataError: Forecasts do not belong to these dates and assets.
    """
    dates = decision_dates(folds)
    alone = [
        (name, number, mean)
        for name, table in forecasts.items()
        for number, mean in enumerate(
            forecast_arrays(table, market, dates, seed_columns(table)).values(), start=1
        )
    ]
    arrays = {name: forecast_arrays(table, market, dates) for name, table in forecasts.items()}
    volatility = chosen_volatility(arrays, volatility_from)
    choices = choices_at(market, dates, rules.horizon, volatility) if alone else {}
    # Starting processes takes seconds, which reading what is finished does not.
    finished = all(
        cache.holds(decisions_key(market, choices, allocator, rules, mean)) for *_, mean in alone
    )
    traded = parallel_map(
        _trade_seed,
        [(market, choices, allocator, rules, mean, cache) for *_, mean in alone],
        n_jobs=1 if finished else n_jobs,
        description="trade seeds" if alone else "",
        unit="seed",
    )
    seeds = [(name, number) for name, number, _ in alone]
    return SeedResults(
        returns=_tidy_returns(seeds, [net for net, _ in traded]),
        figures=_tidy_figures(seeds, [figures for _, figures in traded]),
    )


def _tidy_returns(seeds: list[tuple[str, int]], paths: list[pd.Series]) -> pd.DataFrame:
    tables = [
        pd.DataFrame({"date": net.index, "forecaster": name, "seed": number, "net": net.to_numpy()})
        for (name, number), net in zip(seeds, paths, strict=True)
    ]
    none = pd.DataFrame(columns=list(RETURN_TYPES))
    return (pd.concat(tables, ignore_index=True) if tables else none).astype(RETURN_TYPES)


def _tidy_figures(seeds: list[tuple[str, int]], figures: list[dict[str, Any]]) -> pd.DataFrame:
    rows = [
        {"forecaster": name, "seed": number, **own}
        for (name, number), own in zip(seeds, figures, strict=True)
    ]
    types = {**dict.fromkeys(FIGURES, "float64"), "seed": "int64", "n_fallbacks": "int64"}
    return pd.DataFrame(rows, columns=["forecaster", "seed", *FIGURES]).astype(types)


def _trade_seed(
    market: Market,
    choices: Mapping[pd.Timestamp, Choices],
    allocator: Allocator,
    rules: TradingRules,
    mean: np.ndarray,
    cache: PieceCache,
) -> tuple[pd.Series, dict[str, Any]]:
    traded = trade(market, choices, allocator, rules, mean, cache)
    figures = strategy_figures(
        traded.backtest,
        market_returns(market),
        bars_per_year=market.bars_per_year,
        risk_free=rules.risk_free,
        n_fallbacks=int(traded.decisions["fallback"].sum()),
    )
    return traded.backtest.net, figures
