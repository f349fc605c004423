"""Small networks with attention, and windows for them, that several tests share."""

from __future__ import annotations

import torch

from regime_nas_pipeline.networks.regime_classifier import RegimeClassifierNetwork
from regime_nas_pipeline.networks.transformer import TransformerNetwork
from regime_nas_pipeline.networks.windows import Batch

LOOKBACK, FEATURES, HEADS, LAYERS = 6, 3, 2, 2


def windows(n: int = 70, n_assets: int = 1, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        asset=torch.randn(n, n_assets, LOOKBACK, FEATURES, generator=generator),
        market=torch.randn(n, LOOKBACK + 1, FEATURES, generator=generator),
        mask=torch.ones(n, n_assets, dtype=torch.bool),
        target=torch.randn(n, n_assets, generator=generator),
    )


def transformer(*, joint: bool = False, n_assets: int = 1) -> TransformerNetwork:
    torch.manual_seed(0)
    return TransformerNetwork(
        n_assets=n_assets,
        n_asset_features=FEATURES,
        n_market_features=FEATURES,
        joint=joint,
        lookback=LOOKBACK,
        width=8,
        layers=LAYERS,
        attention_heads=HEADS,
        feed_forward=2,
        dropout=0.3,
    )


def classifier() -> RegimeClassifierNetwork:
    torch.manual_seed(1)
    return RegimeClassifierNetwork(
        n_features=FEATURES,
        n_classes=2,
        lookback=LOOKBACK,
        width=8,
        layers=LAYERS,
        attention_heads=HEADS,
        feed_forward=16,
    )
