"""Strategies of the walk-forward market run under one set of trading rules."""

from __future__ import annotations

from typing import Any

import pandas as pd

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.allocate import MaximumSharpe, MinimumVariance
from regime_nas_pipeline.walkforward.deciding import TradingRules
from regime_nas_pipeline.walkforward.evaluation import StrategyResults, run_strategies
from regime_nas_pipeline.walkforward.folds import Fold

RULES = TradingRules(horizon=5, execution_lag=1, cost_bps=20.0, risk_free=0.03)
CAP = 0.4


def run(
    market: Market, folds: list[Fold], forecasts: dict[str, pd.DataFrame], **changes: Any
) -> StrategyResults:
    given: dict[str, Any] = {
        "allocator": MaximumSharpe(CAP),
        "minimum_variance": MinimumVariance(CAP),
        "rules": RULES,
        **changes,
    }
    return run_strategies(market, folds, forecasts, **given)


def prices_of(market: Market) -> pd.DataFrame:
    closes = pd.DataFrame(market.close, index=market.dates, columns=list(market.assets))
    return closes.assign(**{market.benchmark_name: market.benchmark})
