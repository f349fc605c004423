"""A market whose next label is a known function of what is seen, and a classifier for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import market_from_log_returns
from regime_nas_pipeline.networks.training import TrainingPlan
from regime_nas_pipeline.regimes.classifier import RegimeClassifier

NAMES = ("calm", "stressed")
BURN_IN = 40
"""Bars without label."""


def planted_market(n_bars: int = 700, *, seed: int = 5) -> tuple[Market, pd.DataFrame]:
    """A volatility index of independent bars, and labels that follow it one bar later.

    The label of a bar is stressed exactly if the index stood above 20 on the bar before, so that
    its own history tells nothing about the next one.
    """
    generator = np.random.default_rng(seed)
    market = market_from_log_returns(0.01 * generator.standard_normal((n_bars - 1, 1)))
    index = 20.0 + 8.0 * generator.standard_normal(n_bars)
    stressed = np.r_[False, index[:-1] > 20.0]
    certainty = np.where(stressed, 0.1, 0.9)
    labels = pd.DataFrame(
        np.column_stack([certainty, 1.0 - certainty]), index=market.dates, columns=list(NAMES)
    )
    return replace(market, observed={"VIX": np.maximum(index, 1.0)}), labels.iloc[BURN_IN:]


def small_classifier(**changes: Any) -> RegimeClassifier:
    """Few weights, short windows and steps that are large enough for a task this easy."""
    arguments: dict[str, Any] = {
        "features": ("return_1", "vix"),
        "lookback": 4,
        "width": 8,
        "layers": 1,
        "attention_heads": 2,
        "feed_forward": 16,
        "dropout": 0.0,
        "learning_rate": 1e-2,
        "training": TrainingPlan(max_samples=3000, batch_dates=16, sample_every=2, patience=5),
        "n_seeds": 2,
        "device": "cpu",
    }
    return RegimeClassifier(**{**arguments, **changes})


def quick_classifier(**changes: Any) -> RegimeClassifier:
    """A classifier that hardly learns: for tests of what it may see."""
    plan = TrainingPlan(max_samples=64, batch_dates=16, sample_every=5, patience=2)
    return small_classifier(**{"training": plan, "n_seeds": 1, "dropout": 0.1, **changes})
