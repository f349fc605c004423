"""A tiny index with its volatility index, and settings under which its experiment is short."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import yaml
from project_runs import PROJECT, merged

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.market.raw import RawPrices
from regime_nas_pipeline.pipelines.spx_vix.parameters import SpxVix
from regime_nas_pipeline.walkforward.parameters import Compute, Portfolio, Universe, WalkForward

INDEX, VIX = "S&P 500", "VIX"
DATES = pd.bdate_range("2014-01-03", periods=430, name="Date")
FIRST_OOS = DATES[300]
BLANKS = (200, 350)
"""Bars on which the volatility index has no value."""

SETTINGS: dict[str, Any] = {
    "burn_in": 150,
    "refit_every": 130,
    "labellers": {
        name: {"params": {"n_starts": 1}} for name in ("gaussian_mixture", "markov", "jump")
    },
    "classifier": {
        "refit_every": 70,
        "n_seeds": 1,
        "max_samples": 160,
        "switch_within": [5],
        "inspection": {"n_repeats": 1},
    },
    "horizon": 5,
    "resamples": 99,
}
FIT_BARS = tuple(range(300, 430, SETTINGS["classifier"]["refit_every"]))

UNIVERSE = Universe(
    assets=[INDEX],
    benchmark=INDEX,
    benchmark_tradable=True,
    observed=[VIX],
    min_history=252,
    bars_per_year="auto",
)
WALK_FORWARD = WalkForward(
    first_oos=FIRST_OOS.date(), horizon=21, execution_lag=1, refit_every=126, rebalance_every=21
)
PORTFOLIO = Portfolio(
    allocator={"class": "regime_nas_pipeline.portfolio.allocate.MaximumSharpe"},
    max_weight=0.2,
    cost_bps=5.0,
    risk_free=0.01,
)
NO_CACHE = PieceCache(None)
COMPUTE = Compute(n_jobs=1, seed=20240501, device="cpu")


def index_and_vix(seed: int = 4) -> pd.DataFrame:
    """Spells of about 14 calm and 7 stressed bars; date x (index, volatility index)."""
    generator = np.random.default_rng(seed)
    moves = generator.random(len(DATES))
    stressed = np.zeros(len(DATES), dtype=bool)
    for bar in range(1, len(DATES)):
        leave = 0.15 if stressed[bar - 1] else 0.07
        stressed[bar] = stressed[bar - 1] ^ (moves[bar] < leave)
    spread = np.where(stressed, 0.024, 0.006)
    returns = 0.0004 + spread * generator.standard_normal(len(DATES))
    implied = 1600.0 * spread * np.exp(0.1 * generator.standard_normal(len(DATES)))
    level = 1800.0 * np.exp(np.cumsum(returns))
    table = pd.DataFrame({INDEX: level, VIX: implied}, index=DATES)
    table.iloc[list(BLANKS), 1] = np.nan
    return table


def scrambled_after(prices: pd.DataFrame, row: int) -> pd.DataFrame:
    """The same up to ``row``, and another index and volatility index after it."""
    generator = np.random.default_rng(9)
    altered = prices.copy()
    later = len(prices) - row - 1
    noise = np.cumsum(generator.normal(0.0, 0.03, later))
    altered.iloc[row + 1 :, 0] = prices.iloc[row, 0] * np.exp(noise)
    altered.iloc[row + 1 :, 1] = generator.uniform(10.0, 60.0, later)
    return altered


def raw_of(prices: pd.DataFrame) -> RawPrices:
    """The same as a source delivers it."""
    tidy = prices.rename_axis(index="date").reset_index().melt("date", var_name="asset")
    table = tidy.rename(columns={"value": "close"}).dropna().astype({"asset": "str"})
    return RawPrices(table=table, source="simulated index")


def settings(**changes: Any) -> SpxVix:
    """What the parameters files say, made short."""
    stated = yaml.safe_load((PROJECT / "conf/base/parameters_spx_vix.yml").read_text())["spx_vix"]
    return SpxVix.model_validate(merged(merged(stated, SETTINGS), changes))


def parameters(**changes: Any) -> dict[str, Any]:
    """The same for an environment."""
    return {
        "walk_forward": {"first_oos": str(FIRST_OOS.date())},
        "spx_vix": merged(SETTINGS, changes),
        "compute": {"device": "cpu"},
    }
