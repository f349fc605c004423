"""Small supernets and noise to search on, which the search tests share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from regime_nas_pipeline.networks.regime_net import RegimeNet, operation_edges
from regime_nas_pipeline.networks.training import (
    Split,
    TrainingPlan,
    make_split,
    single_threaded,
)
from regime_nas_pipeline.networks.windows import Batch, WindowData
from regime_nas_pipeline.search.supernet import (
    Architecture,
    MixedOperation,
    build_supernet,
    readable,
)

N_ASSETS, LOOKBACK, WIDTH = 3, 6, 8
SIZES = {"n_assets": N_ASSETS, "n_asset_features": 2, "market_timeframes": [1, 5]}
TRAINING = TrainingPlan(batch_dates=8, sample_every=3, validation_fraction=0.4)


def small_supernet(
    seed: int = 0, *, nodes: int = 2, joint: bool = False, head: str = "gru", **settings: Any
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
            **settings,
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


def discrete_twin(network: RegimeNet, chosen: Architecture, **settings: Any) -> RegimeNet:
    """A RegimeNet of the chosen operations, built anew, that has the supernet's weights."""
    n_nodes, make_edge = operation_edges(readable(chosen), WIDTH, 2)
    twin = RegimeNet(
        n_assets=N_ASSETS,
        n_asset_features=SIZES["n_asset_features"],  # type: ignore[arg-type]
        market_timeframes=tuple(SIZES["market_timeframes"]),  # type: ignore[arg-type]
        width=WIDTH,
        nodes=n_nodes,
        attention_heads=2,
        dropout=0.0,
        make_edge=make_edge,
        **settings,
    ).eval()
    edges = {
        path: module
        for path, module in network.named_modules()
        if isinstance(module, MixedOperation)
    }
    state = {
        name: value
        for name, value in network.state_dict().items()
        if not any(name.startswith(f"{path}.") for path in edges)
    }
    for path, edge in edges.items():
        kept = edge.operations[edge.names.index(chosen[edge.key])]
        state |= {f"{path}.{name}": value for name, value in kept.state_dict().items()}
    twin.load_state_dict(state, strict=True)
    return twin


def split_of(data: WindowData) -> Split:
    return make_split(data, replace(TRAINING, sample_every=1), execution_lag=0, horizon=1)


def planted(operation: str) -> WindowData:
    """A target that one operation makes of the first feature at the last bar, and noise."""
    data = noise(n_bars=800, seed=3)
    x = data.asset[..., 0]
    if operation == "squared":
        signal = x**2
    else:
        products = torch.zeros_like(x)
        products[1:] = x[1:] * x[:-1]
        signal = sum(products.roll(back, dims=0) for back in range(5))  # type: ignore[assignment]
    signal = (signal - signal.mean()) / signal.std()
    return replace(data, target=0.95 * signal + 0.3 * data.target)
