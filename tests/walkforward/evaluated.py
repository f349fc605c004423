"""Small evaluations as the ledger holds them, without any trading."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.allocate import MaximumSharpe, MinimumVariance
from regime_nas_pipeline.portfolio.metrics import performance
from regime_nas_pipeline.walkforward.deciding import TradingRules
from regime_nas_pipeline.walkforward.evaluation import run_strategies
from regime_nas_pipeline.walkforward.evaluation_ledger import (
    VariantReturns,
    Whose,
    evaluation_rows,
    variant_rows,
)
from regime_nas_pipeline.walkforward.folds import Fold

CLOSES, SETTINGS = "c" * 64, "s" * 64
FACTS = {"env": "base", "run_id": "first", "git_sha": None}


def strategies(
    seed: int, names: tuple[str, ...] = ("gru", "momentum"), n_bars: int = 40
) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    columns = [*names, "equal_weight"]
    values = generator.normal(0.0005, 0.01, (n_bars, len(columns)))
    dates = pd.bdate_range("2015-01-01", periods=n_bars)
    return pd.DataFrame(values, index=dates.rename("date"), columns=columns)


def seeds_of(returns: pd.DataFrame, seed: int, n_seeds: int = 2) -> pd.DataFrame:
    generator = np.random.default_rng(1000 + seed)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "date": returns.index,
                    "forecaster": "gru",
                    "seed": number,
                    "net": returns["gru"] + generator.normal(0.0, 0.001, len(returns)),
                }
            )
            for number in range(1, n_seeds + 1)
        ],
        ignore_index=True,
    )


def rows_of(returns: pd.DataFrame, seeds: pd.DataFrame, **changes: Any) -> pd.DataFrame:
    given: dict[str, Any] = {
        "closes_hash": CLOSES,
        "settings_hash": SETTINGS,
        "cost_bps": 5.0,
        "run_facts": FACTS,
        **changes,
    }
    return evaluation_rows(returns, seeds, **given)


def variants_of(returns: pd.DataFrame, seed: int, n_variants: int = 2) -> VariantReturns:
    """Variants of the GRU, one seed each, beside the equal weight of those strategies."""
    generator = np.random.default_rng(2000 + seed)
    return VariantReturns(
        {
            Whose("gru", 1, f"without_{number}"): returns["gru"]
            + generator.normal(0.0, 0.001, len(returns))
            for number in range(n_variants)
        },
        returns["equal_weight"],
    )


def variant_rows_of(variants: VariantReturns, **changes: Any) -> pd.DataFrame:
    given: dict[str, Any] = {
        "origin": "ablation",
        "closes_hash": CLOSES,
        "settings_hash": SETTINGS,
        "cost_bps": 5.0,
        "run_facts": {**FACTS, "run_id": "tried"},
        **changes,
    }
    return variant_rows(variants, **given)


def assert_made_of(
    returns: VariantReturns,
    sharpes: dict[Whose, float],
    market: Market,
    folds: list[Fold],
    rules: TradingRules,
) -> None:
    """Every variant's Sharpe ratio is that of its returns, on the dates that strategies trade."""
    facts = {"bars_per_year": market.bars_per_year, "risk_free": rules.risk_free}
    found = {whose: performance(net, **facts)["sharpe"] for whose, net in returns.net.items()}
    assert found == sharpes
    whole = run_strategies(
        market,
        folds,
        {},
        allocator=MaximumSharpe(0.5),
        minimum_variance=MinimumVariance(0.5),
        rules=rules,
    )
    pd.testing.assert_series_equal(
        returns.equal_weight, whole.returns["equal_weight"], check_names=False, check_exact=True
    )
    for net in returns.net.values():
        pd.testing.assert_index_equal(net.index, whole.returns.index)
