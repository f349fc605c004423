"""Calibration, accuracy and Sharpe ratio of one walk's forecasts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.metrics import performance
from regime_nas_pipeline.verdict.accuracy import forecast_accuracy
from regime_nas_pipeline.verdict.calibration import (
    cross_sectional_slope,
    reliability,
    volatility_coverage,
)
from regime_nas_pipeline.walkforward.candidates import Trading
from regime_nas_pipeline.walkforward.deciding import Choices
from regime_nas_pipeline.walkforward.trading import trade

LEVELS = (0.5, 0.8, 0.95)
"""Probabilities of the central intervals whose coverage is counted."""


@dataclass(frozen=True)
class Judged:
    """Forecasts and what happened, each (D, N), in decimals.

    Attributes:
        mean: Forecast log returns, blank where there is none.
        volatility: Standard deviations of the intervals around them.
        target: What happened, blank where not known.
    """

    mean: np.ndarray
    volatility: np.ndarray
    target: np.ndarray


def score_remedy(
    market: Market,
    judged: Judged,
    choices: Mapping[pd.Timestamp, Choices],
    trading: Trading,
    lags: int,
) -> tuple[dict[str, float | int | None], pd.Series]:
    """Calibration and accuracy of one walk's forecasts, and the Sharpe ratio of trading them.

    Args:
        market: Prices.
        judged: Forecasts and what happened.
        choices: Universe and covariance per decision date.
        trading: Allocator and rules.
        lags: Decisions before one whose targets overlap with its own.

    Returns:
        ``cross_slope`` (within dates) and ``slope`` (over all values) with their errors,
        ``spread_ratio``, ``rank_ic``, ``theil_u``, ``coverage_50`` and its like, and ``sharpe``
        (yearly, net of costs); None where undefined. And the net returns that were traded.
    """
    mean, target = judged.mean, judged.target
    accuracy = forecast_accuracy(mean, target, np.zeros(target.shape))
    line = reliability(mean, target, lags=lags)
    across = cross_sectional_slope(mean, target, lags=lags)
    covered = volatility_coverage(mean, judged.volatility, target, LEVELS, lags=lags)
    net = trade(market, choices, trading.allocator, trading.rules, mean).backtest.net
    figures = performance(
        net, bars_per_year=market.bars_per_year, risk_free=trading.rules.risk_free
    )
    scores = {
        "cross_slope": None if across is None else across.value,
        "cross_slope_error": None if across is None else across.error,
        "slope": line.slope,
        "slope_error": line.slope_error,
        **{name: accuracy[name] for name in ("spread_ratio", "rank_ic", "theil_u")},
        **{
            f"coverage_{100 * level:g}": float(share)
            for level, share in zip(covered["level"], covered["coverage"], strict=True)
        },
        "sharpe": figures["sharpe"],
    }
    return scores, net
