"""Who is compared, and the datasets of the economics nodes by their names."""

from __future__ import annotations

from typing import Any

import pandas as pd

from regime_nas_pipeline.pipelines.verdict.economics import explain_returns, reckon_costs
from regime_nas_pipeline.pipelines.walk_forward_evaluation.nodes import record_evaluations

FORECASTERS = ("regime_nas", "gru", "momentum")
SEARCHED = ("regime_nas", "gru")
COSTS = [
    "cost_curve",
    "break_even_costs",
    "trading_figures",
    "participation",
    "participation_by_asset",
]
SOURCES = [
    "crises",
    "group_exposures",
    "benchmark_regressions",
    "attribution",
    "attribution_by_asset",
    "attribution_by_year",
]


def recorded_of(prices, strategy_returns, settings, forecasts, **changes: Any) -> dict[str, Any]:
    """The datasets of ``record_evaluations`` that trials are counted from."""
    blocks = settings.of("universe", "walk_forward", "portfolio", "compute") | changes
    facts = {"env": "tiny", "run_id": "first"}
    seeds, _, rows = record_evaluations(prices, strategy_returns, facts, **blocks, **forecasts)
    return {"seed_returns": seeds, "evaluations": rows}


def costs_of(prices, settings, traded, **changes: Any) -> dict[str, pd.DataFrame]:
    tables = {name: traded[name] for name in ("weights", "decisions", "gross_returns")}
    blocks = settings.of("universe", "portfolio", "verdict") | changes
    return dict(zip(COSTS, reckon_costs(prices=prices, **tables, **blocks), strict=True))


def sources_of(prices, settings, traded, **changes: Any) -> dict[str, pd.DataFrame]:
    used = ("weights", "decisions", "contributions", "strategy_returns", "gross_returns")
    tables = {name: traded[name] for name in used} | changes
    blocks = settings.of("universe", "portfolio", "verdict")
    return dict(zip(SOURCES, explain_returns(prices=prices, **tables, **blocks), strict=True))
