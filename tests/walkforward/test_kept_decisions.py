"""Decisions are made once for the moments that they stand on, and found again afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.allocate import Allocation, Allocator, MaximumSharpe
from regime_nas_pipeline.walkforward.deciding import Choices, TradingRules, choices_at
from regime_nas_pipeline.walkforward.trading import trade

RULES = TradingRules(horizon=5, execution_lag=1, cost_bps=5.0, risk_free=0.02)
DRIFT = np.array([0.02, 0.015, 0.01, 0.005, 0.001])

Decisions = dict[pd.Timestamp, Choices]


class CountingAllocator(Allocator):
    """Equal weights of the assets that it is asked about, and a count of the questions."""

    asked = 0

    def __init__(self, shade: float = 0.0) -> None:
        self.shade = shade

    def allocate(
        self, mean: np.ndarray | None, covariance: np.ndarray, risk_free: float
    ) -> Allocation:
        type(self).asked += 1
        n = len(covariance)
        return Allocation(np.full(n, 1.0 / n), fallback=n < 5, reason="few" if n < 5 else "")


@pytest.fixture
def choices(small_market: Market) -> Decisions:
    return choices_at(small_market, small_market.dates[[100, 120, 140]], 5)


@pytest.fixture
def mean() -> np.ndarray:
    return np.tile(DRIFT, (3, 1))


def test_what_is_kept_is_what_was_decided(
    small_market: Market, choices: Decisions, mean: np.ndarray, tmp_path: Path
) -> None:
    mean[1, 2] = np.nan
    allocator, cache = MaximumSharpe(0.4), PieceCache(str(tmp_path))
    plain = trade(small_market, choices, allocator, RULES, mean)
    for _ in ("made", "found"):
        kept = trade(small_market, choices, allocator, RULES, mean, cache)
        pd.testing.assert_frame_equal(kept.decisions, plain.decisions)
        pd.testing.assert_frame_equal(kept.backtest.weights, plain.backtest.weights)
        pd.testing.assert_series_equal(kept.backtest.net, plain.backtest.net)


def test_other_costs_ask_nobody_and_other_moments_do(
    small_market: Market, choices: Decisions, mean: np.ndarray, tmp_path: Path
) -> None:
    cache, CountingAllocator.asked = PieceCache(str(tmp_path)), 0

    def asked(market: Market, rules: TradingRules, mean: np.ndarray, shade: float) -> int:
        before = CountingAllocator.asked
        trade(market, choices, CountingAllocator(shade), rules, mean, cache)
        return CountingAllocator.asked - before

    assert asked(small_market, RULES, mean, 0.0) == 3
    assert asked(small_market, replace(RULES, cost_bps=50.0, execution_lag=3), mean, 0.0) == 0
    assert asked(small_market, RULES, mean + 1e-12, 0.0) == 3
    assert asked(small_market, replace(RULES, risk_free=0.03), mean, 0.0) == 3
    assert asked(small_market, replace(RULES, horizon=6), mean, 0.0) == 3
    assert asked(small_market, RULES, mean, 0.5) == 3
    assert asked(replace(small_market, bars_per_year=365), RULES, mean, 0.0) == 3
    other = {date: Choices(c.assets, c.covariance * 2) for date, c in choices.items()}
    before = CountingAllocator.asked
    trade(small_market, other, CountingAllocator(), RULES, mean, cache)
    assert CountingAllocator.asked == before + 3
