"""A tiny market, and what a run without networks must be told all the same."""

from __future__ import annotations

import numpy as np
import pandas as pd

from regime_nas_pipeline.market.raw import RawPrices
from regime_nas_pipeline.walkforward.parameters import Compute, Training

TRAINING = Training(
    n_seeds=1,
    max_samples=10,
    batch_dates=1,
    sample_every=1,
    validation_fraction=0.2,
    patience=1,
    plateau_patience=1,
    gradient_clip=1.0,
)
COMPUTE = Compute(n_jobs=1, seed=1)

BARS = pd.bdate_range("2020-01-01", periods=260)
FIRST_OOS = BARS[150]
FORECASTERS = ("regime_nas", "momentum")
SEARCHED = {"regime_nas": "architecture"}
"""Momentum under the name of a searched forecaster, with a found lookback."""

MOMENTUM = "regime_nas_pipeline.forecasters.momentum.MomentumForecaster"
KMEANS = "regime_nas_pipeline.regimes.kmeans.KMeansLabeller"
WINDOWS = ("volatility_window", "efficiency_window", "autocorrelation_window")


def raw_prices(seed: int = 5) -> RawPrices:
    generator = np.random.default_rng(seed)
    shocks = 0.01 * generator.standard_normal((len(BARS), 5)) * [1.0, 0.5, 2.0, 1.5, 0.7]
    close = 100.0 * np.exp(np.cumsum(shocks, axis=0))
    wide = pd.DataFrame(close, index=BARS, columns=["AAA", "BBB", "CCC", "DDD", "IND"])
    tidy = wide.rename_axis(index="date").reset_index().melt("date", var_name="asset")
    table = tidy.rename(columns={"value": "close"}).astype({"asset": "str"})
    return RawPrices(table=table, source="simulated")
