"""The strategies of a finished run, rebuilt, so that something can be changed about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.allocate import Allocator
from regime_nas_pipeline.portfolio.backtest import Backtest
from regime_nas_pipeline.portfolio.exposure.rules import BUY_AND_HOLD
from regime_nas_pipeline.portfolio.metrics import performance
from regime_nas_pipeline.walkforward.deciding import Choices, TradingRules, choices_at
from regime_nas_pipeline.walkforward.evaluation import (
    chosen_volatility,
    decision_dates,
    forecast_arrays,
)
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.trading import Traded, hold_benchmark, strategy_plans, trade

OVERLAY, COVARIANCE, SUPERVISION = "overlay", "covariance", "supervision"
"""The three uses of labels."""


class Used(NamedTuple):
    """What was traded: a strategy, and which labels were used for what in which way."""

    use: str
    labels: str
    way: str
    strategy: str

    @property
    def variant(self) -> str:
        """Its name as a variant of the strategy in the ledger of evaluations."""
        return ".".join((self.use, self.labels, self.way))


@dataclass(frozen=True, eq=False)
class Base:
    """The strategies of a finished run, and what they were decided on.

    Attributes:
        market: Prices, without labels.
        rules: Lag, costs and rates.
        plans: Strategy to its allocator and its forecasts (D, N), if it has any.
        choices: Universe and Ledoit-Wolf covariance of every decision.
        volatility: (D, N) forecasts that rescale every covariance, or None.
        paths: Strategy to its backtest; buy and hold is the last.
        fallbacks: Strategy to the decisions at which its allocator fell back.
    """

    market: Market
    rules: TradingRules
    plans: dict[str, tuple[Allocator, np.ndarray | None]]
    choices: dict[pd.Timestamp, Choices]
    volatility: np.ndarray | None
    paths: dict[str, Backtest]
    fallbacks: dict[str, int]


def rebuild(
    market: Market,
    folds: list[Fold],
    forecasts: Mapping[str, pd.DataFrame],
    *,
    allocator: Allocator,
    minimum_variance: Allocator,
    rules: TradingRules,
    volatility_from: str | None,
) -> Base:
    """Decide and trade again what a run decided and traded; see ``evaluation.run_strategies``.

    Raises:
        ParameterError: ``volatility_from`` names no forecaster with volatility forecasts.
        DataError: Forecasts do not belong to these dates and assets, or the benchmark has no
            price on a bar on which it should be held.
    """
    plain = replace(market, regimes=None, regime_names=(), fields={}, observed={})
    dates = decision_dates(folds)
    arrays = {name: forecast_arrays(table, plain, dates) for name, table in forecasts.items()}
    volatility = chosen_volatility(arrays, volatility_from)
    choices = choices_at(plain, dates, rules.horizon)
    used = choices
    if volatility is not None:
        used = choices_at(plain, dates, rules.horizon, volatility)
    means = {name: values["mean"] for name, values in arrays.items()}
    plans = strategy_plans(means, allocator, minimum_variance)
    traded: dict[str, Traded] = {
        name: trade(plain, used, chooser, rules, mean) for name, (chooser, mean) in plans.items()
    }
    paths = {name: each.backtest for name, each in traded.items()}
    return Base(
        market=plain,
        rules=rules,
        plans=plans,
        choices=choices,
        volatility=volatility,
        paths={**paths, BUY_AND_HOLD: hold_benchmark(plain, dates[0], rules)},
        fallbacks={name: int(each.decisions["fallback"].sum()) for name, each in traded.items()},
    )


def refuse_other_returns(base: Base, net: pd.DataFrame, gross: pd.DataFrame) -> None:
    """Refuse a run whose returns, to the last bit, are not those of the rebuilt strategies.

    Args:
        base: The rebuilt strategies.
        net: Date x strategy, as the run left them.
        gross: The same before costs.

    Raises:
        DataError: Names the first strategy and bar that differ.
    """
    remedy = "run walk_forward_evaluation again with the present parameters, then this."
    for source, table in (("strategy_returns", net), ("gross_returns", gross)):
        if set(table.columns) != set(base.paths):
            raise DataError(
                f"the run traded {', '.join(map(str, table.columns))}, and its forecasts are those "
                f"of {', '.join(base.paths)}",
                source=source,
                remedy=remedy,
            )
        for name, path in base.paths.items():
            own = path.net if source == "strategy_returns" else path.gross
            same_bars = pd.DatetimeIndex(table.index).equals(pd.DatetimeIndex(own.index))
            wrong = own.to_numpy() != table[name].to_numpy() if same_bars else np.array([True])
            if wrong.any():
                raise DataError(
                    "the strategy cannot be rebuilt from the forecasts of the run: returns differ",
                    source=source,
                    column=name,
                    date=pd.Timestamp(own.index[int(np.argmax(wrong))]),
                    remedy=remedy,
                )


def use_figures(path: Backtest, *, bars_per_year: int, risk_free: float) -> dict[str, float | None]:
    """Figures of one path that can be compared however often it trades.

    Returns:
        ``cagr``, ``volatility``, ``sharpe`` and ``max_drawdown`` net of costs, ``held`` (mean
        share of wealth that is not cash), and a year: ``traded`` (notional bought and sold as a
        multiple of wealth, without the first purchase) and ``cost`` (sum of fractions of wealth).
    """
    own = performance(path.net, bars_per_year=bars_per_year, risk_free=risk_free)
    years = len(path.net) / bars_per_year
    return {
        **{name: own[name] for name in ("cagr", "volatility", "sharpe", "max_drawdown")},
        "held": float(path.weights.sum(axis=1).mean()),
        "traded": float(path.rebalances["traded"].iloc[1:].sum()) / years,
        "cost": float(path.rebalances["cost"].sum()) / years,
    }
