"""Tiny neural forecasters and the plants that their tests share."""

from __future__ import annotations

from typing import Any

import numpy as np

from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.forecasters.mlp import MLPForecaster
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.forecasters.transformer import TransformerForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import market_from_log_returns, random_walk_market
from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS
from regime_nas_pipeline.networks.regime_net import BLOCKS, describe_blocks
from regime_nas_pipeline.networks.training import TrainingPlan

SHORT = TrainingPlan(max_samples=300, batch_dates=8, sample_every=5)
LONG = TrainingPlan(max_samples=3000, batch_dates=8, sample_every=2, patience=6)

ONE_NODE: dict[str, Any] = describe_blocks(
    {(block, 1, "input"): "linear" for block in BLOCKS}, n_nodes=1
)
OWN_OPERATIONS: dict[str, Any] = describe_blocks(
    {(block, 1, "input"): BLOCK_OPERATIONS[block][-1] for block in BLOCKS}, n_nodes=1
)

OWN_ARGUMENTS: dict[type[NeuralForecaster], dict[str, Any]] = {
    GRUForecaster: {},
    MLPForecaster: {},
    TransformerForecaster: {"layers": 1, "attention_heads": 2},
    RegimeNasForecaster: {"blocks": ONE_NODE},
}
NEURAL = tuple(OWN_ARGUMENTS)


def tiny(cls: type[NeuralForecaster], **arguments: Any) -> Any:
    """A forecaster of ``cls`` with eight channels and two seeds."""
    defaults: dict[str, Any] = {
        "horizon": 5,
        "execution_lag": 1,
        "lookback": 12,
        "timeframes": (1, 5),
        "width": 8,
        "n_seeds": 2,
        "training": SHORT,
        "device": "cpu",
    }
    return cls(**{**defaults, **OWN_ARGUMENTS[cls], **arguments})


def autoregressive_market(seed: int, phi: float = 0.7) -> Market:
    """Five assets of 700 bars whose return is ``phi`` times the one before, and a shock."""
    shocks = 0.01 * np.random.default_rng(seed).standard_normal((699, 5))
    returns = shocks.copy()
    for bar in range(1, len(returns)):
        returns[bar] += phi * returns[bar - 1]
    return market_from_log_returns(returns)


def r2_against_zero(cls: type[NeuralForecaster], market: Market, **arguments: Any) -> float:
    """Out-of-sample R² of the next bar's return after training on the first 500 bars."""
    settings: dict[str, Any] = {
        "horizon": 1,
        "execution_lag": 0,
        "lookback": 6,
        "n_seeds": 1,
        "dropout": 0.0,
        "learning_rate": 2e-2,
        "training": LONG,
    }
    forecaster = tiny(cls, **{**settings, **arguments}).fit(market.until(market.dates[500]))
    rows = np.arange(500, len(market.dates) - 1, 2)
    mean = forecaster.predict(market, market.dates[rows]).mean
    target = market.target(1, 0)[rows]
    return float(1 - ((target - mean) ** 2).sum() / (target**2).sum())


def check_planted_edge(cls: type[NeuralForecaster], seed: int, **arguments: Any) -> None:
    """A forecaster finds the edge that is there, and none where there is none."""
    planted = r2_against_zero(cls, autoregressive_market(seed), **arguments)
    # Nothing can explain more than 0.7² = 0.49, up to the luck of the sample.
    assert 0.25 < planted < 0.6
    walk = random_walk_market(n_assets=5, n_bars=700, seed=seed)
    assert -0.15 < r2_against_zero(cls, walk, **arguments) < 0.03
