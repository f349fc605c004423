"""A market of one asset and a tiny guide to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import market_from_log_returns
from regime_nas_pipeline.walkforward.folds import Fold, make_folds
from regime_nas_pipeline.walkforward.guide_parameters import AttentionGuide
from regime_nas_pipeline.walkforward.parameters import Compute, WalkForward

LAG, FIRST, FOLD = 1, 110, 30
TRANSFORMER: dict[str, Any] = {
    "class": "regime_nas_pipeline.forecasters.transformer.TransformerForecaster",
    "params": {
        "features": "technical",
        "lookback": 8,
        "width": 4,
        "layers": 1,
        "attention_heads": 2,
    },
}
RIDGE: dict[str, Any] = {
    "class": "regime_nas_pipeline.forecasters.sklearn.ScikitLearnForecaster",
    "params": {
        "regressor": "sklearn.linear_model.Ridge",
        "arguments": {"alpha": 10.0, "random_state": 0},
        "features": "technical",
        "lookback": 8,
        "market_features": False,
    },
}
TRAINING: dict[str, Any] = {
    "n_seeds": 1,
    "max_samples": 200,
    "batch_dates": 20,
    "sample_every": 2,
    "validation_fraction": 0.2,
    "patience": 2,
    "plateau_patience": 1,
    "gradient_clip": 1.0,
}
WALK = WalkForward(
    first_oos="2015-01-01", horizon=21, execution_lag=LAG, refit_every=126, rebalance_every=21
)
COMPUTE = Compute(n_jobs=1, seed=0, device="cpu")


def guide(**others: Any) -> AttentionGuide:
    settings: dict[str, Any] = {
        "forecasters": {"transformer": TRANSFORMER, "ridge": RIDGE},
        "training": TRAINING,
        "first_training_bars": FIRST,
        "refit_every": FOLD,
        "thresholds": (-0.01, 0.0, 0.001, 0.01),
        "block": 4,
        "n_repeats": 1,
    }
    return AttentionGuide(**{**settings, **others})


def one_asset(n_bars: int = 222, seed: int = 0, drift: float = 0.0005) -> Market:
    moves = np.random.default_rng(seed).normal(drift, 0.01, size=(n_bars - 1, 1))
    return market_from_log_returns(moves)


def folds_of(market: Market) -> list[Fold]:
    return make_folds(
        market,
        first_oos=market.dates[FIRST],
        refit_every=FOLD,
        rebalance_every=1,
        execution_lag=LAG,
    )


def decisions(market: Market) -> pd.DatetimeIndex:
    """Every decision date of the folds."""
    return market.dates[FIRST : len(market.dates) - LAG - 1]
