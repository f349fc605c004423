"""Random searched networks with random weights, and batches for them."""

from __future__ import annotations

import torch
from jacobians import normal, spread, uniform, whole
from torch import nn

from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS, OPERATIONS
from regime_nas_pipeline.networks.regime_net import RegimeNet
from regime_nas_pipeline.networks.windows import Batch

MARKET_TIMEFRAMES = (1, 1, 3)
N_FEATURES = 2


def pick(generator: torch.Generator, options: tuple[str, ...]) -> str:
    return options[whole(generator, 0, len(options) - 1)]


def random_network(
    generator: torch.Generator,
    *,
    n_assets: int,
    joint: bool | None = None,
    head: str | None = None,
    gate: str = "learned",
    switch_off: bool = True,
) -> RegimeNet:
    """Random operations on the edges and weights of random sizes, in float64."""
    heads = whole(generator, 1, 2)
    width = heads * whole(generator, 2, 3)

    def make_edge(cell: str, node: int, source: str) -> nn.Module:
        return OPERATIONS[pick(generator, BLOCK_OPERATIONS[cell])](width, heads)

    network = RegimeNet(
        n_assets=n_assets,
        n_asset_features=N_FEATURES,
        market_timeframes=MARKET_TIMEFRAMES,
        timeframes=(1, 3, 5),
        joint=bool(whole(generator, 0, 1)) if joint is None else joint,
        width=width,
        nodes=whole(generator, 1, 3),
        evidence_nodes=whole(generator, 1, 4),
        head=pick(generator, ("linear", "gru", "lstm")) if head is None else head,
        attention_heads=heads,
        dropout=0.1,
        make_edge=make_edge,
        gate=gate,  # type: ignore[arg-type]
        uncertainty=bool(whole(generator, 0, 1)),
    ).double()
    shake(network, generator, switch_off=switch_off)
    return network.eval()


def shake(module: nn.Module, generator: torch.Generator, *, switch_off: bool = True) -> None:
    """Random weights, each parameter of its own size around what a layer of its width has.

    With ``switch_off`` one in six is zero throughout: a path that a bound forgets is then
    sometimes the only one left, and is seen.
    """
    for parameter in module.parameters():
        size = 10.0 ** uniform(generator, -1.0, 0.5) / parameter.shape[-1] ** 0.5
        silent = switch_off and whole(generator, 0, 5) == 0
        drawn = normal(generator, *parameter.shape)
        parameter.data = torch.zeros_like(drawn) if silent else size * drawn


def random_batch(generator: torch.Generator, *, n_assets: int, length: int) -> Batch:
    """Three windows; from calm to far beyond every clip."""
    size = 3
    mask = torch.rand(size, n_assets, generator=generator) < 0.8
    mask[:, 0] = True
    return Batch(
        asset=spread(generator) * normal(generator, size, n_assets, length, N_FEATURES),
        market=spread(generator) * normal(generator, size, length + 1, len(MARKET_TIMEFRAMES)),
        mask=mask,
        target=torch.zeros(size, n_assets, dtype=torch.float64),
    )
