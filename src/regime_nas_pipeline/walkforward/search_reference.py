"""What equal weight earned on the bars that score the candidates of a search."""

from __future__ import annotations

import pandas as pd

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.allocate import EqualWeight
from regime_nas_pipeline.walkforward.candidates import ValidationPlan
from regime_nas_pipeline.walkforward.deciding import TradingRules, choices_at
from regime_nas_pipeline.walkforward.trading import trade


def equal_weight_in_validation(
    market: Market, validation: ValidationPlan, rules: TradingRules
) -> pd.Series:
    """Net returns of equal weight, traded by the rules and on the dates of the candidates.

    Args:
        market: Everything that the search saw.
        validation: Which bars score a candidate.
        rules: Horizon, lag, costs, risk-free rate.

    Returns:
        Simple returns per bar, indexed by the dates of every trial's validation returns.
    """
    choices = choices_at(market, validation.decisions, rules.horizon)
    returns: pd.Series = trade(market, choices, EqualWeight(), rules).backtest.net
    return returns
