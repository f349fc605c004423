from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tuning_tasks import RULES

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.allocate import MaximumSharpe
from regime_nas_pipeline.portfolio.metrics import performance
from regime_nas_pipeline.walkforward.calibration_scores import Judged, score_remedy
from regime_nas_pipeline.walkforward.candidates import Trading
from regime_nas_pipeline.walkforward.deciding import choices_at
from regime_nas_pipeline.walkforward.trading import trade

TRADING = Trading(MaximumSharpe(0.5), RULES)


def test_forecasts_of_half_of_what_comes_have_slope_two(small_market: Market) -> None:
    dates = small_market.dates[200:400:10]
    target = small_market.target(5, 1)[small_market.dates.get_indexer(dates)]
    mean = 0.5 * target
    choices = choices_at(small_market, dates, 5)
    # Errors are half of the targets, so intervals of that size hold where |z| <= their edge.
    found, traded = score_remedy(
        small_market, Judged(mean, np.full(target.shape, 0.02), target), choices, TRADING, lags=0
    )
    assert found["cross_slope"] == pytest.approx(2.0)
    assert found["slope"] == pytest.approx(2.0)
    assert found["cross_slope_error"] == pytest.approx(0.0, abs=1e-12)
    assert found["spread_ratio"] == pytest.approx(0.5)
    assert found["theil_u"] == pytest.approx(0.5)
    assert found["rank_ic"] == pytest.approx(1.0)
    for name, edge in (("coverage_50", 0.6745), ("coverage_80", 1.2816), ("coverage_95", 1.96)):
        assert found[name] == pytest.approx((np.abs(0.5 * target) <= edge * 0.02).mean())
    net = trade(small_market, choices, TRADING.allocator, RULES, mean).backtest.net
    pd.testing.assert_series_equal(traded, net)
    figures = performance(net, bars_per_year=252, risk_free=0.01)
    assert found["sharpe"] == pytest.approx(figures["sharpe"])


def test_overlapping_targets_widen_the_errors_and_move_nothing_else(small_market: Market) -> None:
    dates = small_market.dates[200:400]
    target = small_market.target(5, 1)[small_market.dates.get_indexer(dates)]
    rng = np.random.default_rng(0)
    slow = np.repeat(rng.normal(0, 0.02, (40, target.shape[1])), 5, axis=0)
    judged = Judged(0.2 * target + slow, np.full(target.shape, 0.02), target)
    choices = choices_at(small_market, dates, 5)
    alone, widened = (
        score_remedy(small_market, judged, choices, TRADING, lags=lags)[0] for lags in (0, 4)
    )
    errors = {"slope_error", "cross_slope_error"}
    assert {name for name in alone if alone[name] != widened[name]} == errors
    assert all(widened[name] > alone[name] for name in errors)
