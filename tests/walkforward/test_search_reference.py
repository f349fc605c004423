from __future__ import annotations

import numpy as np
import pytest

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.walkforward.candidates import ValidationPlan
from regime_nas_pipeline.walkforward.deciding import TradingRules
from regime_nas_pipeline.walkforward.search_reference import equal_weight_in_validation

RULES = TradingRules(horizon=5, execution_lag=1, cost_bps=10.0, risk_free=0.0)


def test_equal_weight_is_bought_at_the_first_decision_and_drifts_to_the_next(
    small_market: Market,
) -> None:
    plan = ValidationPlan(small_market.dates[299], small_market.dates[[300, 320, 340]])
    returns = equal_weight_in_validation(small_market, plan, RULES)
    # Decided on bar 300, bought on 301, so 302 is the first bar earned, as for every candidate.
    assert returns.index.equals(small_market.dates[302:])
    moves = small_market.simple_returns
    assert returns.iloc[0] == pytest.approx(0.999 * (1.0 + moves[302].mean()) - 1.0, rel=1e-12)
    # Until bar 321, the second trade, wealth is the mean of five holdings that were left alone.
    wealth = np.prod(1.0 + moves[302:322], axis=0).mean()
    assert np.prod(1.0 + returns.iloc[:20]) == pytest.approx(0.999 * wealth, rel=1e-12)
