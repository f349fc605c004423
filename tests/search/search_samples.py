"""Small supernets and noise to search on, which the search tests share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from regime_nas_pipeline.networks.regime_net import RegimeNet
from regime_nas_pipeline.networks.training import TrainingPlan, single_threaded
from regime_nas_pipeline.networks.windows import Batch, WindowData
from regime_nas_pipeline.search.supernet import build_supernet

N_ASSETS, LOOKBACK, WIDTH = 3, 6, 8
SIZES = {"n_assets": N_ASSETS, "n_asset_features": 2, "market_timeframes": [1, 5]}
TRAINING = TrainingPlan(batch_dates=8, sample_every=3, validation_fraction=0.4)


def small_supernet(
    seed: int = 0, *, nodes: int = 2, joint: bool = False, head: str = "gru"
) -> RegimeNet:
    with single_threaded(seed):
        return build_supernet(
            SIZES,
            joint=joint,
            width=WIDTH,
            nodes=nodes,
            head=head,
            attention_heads=2,
            dropout=0.0,
        ).eval()


def noise(n_bars: int = 200, seed: int = 0) -> WindowData:
    """Features and targets without any relation; the last target is unknown."""
    generator = torch.Generator().manual_seed(seed)
    usable = torch.ones(n_bars, N_ASSETS, dtype=torch.bool)
    usable[: LOOKBACK - 1] = False
    target = torch.randn(n_bars, N_ASSETS, generator=generator)
    target[-1] = torch.nan
    return WindowData(
        asset=torch.randn(n_bars, N_ASSETS, 2, generator=generator),
        market=torch.randn(n_bars, 2, generator=generator),
        usable=usable,
        target=target,
        lookback=LOOKBACK,
    )


def some_batch() -> Batch:
    batch = noise().batch(np.array([20, 50, 90, 91]), need_target=True)
    mask = batch.mask.clone()
    mask[1, 2] = False
    return replace(batch, mask=mask)
