"""The supernet: a RegimeNet whose edges hold a weighted mixture of all their operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS, OPERATIONS
from regime_nas_pipeline.networks.regime_net import RegimeNet, edge_sources

EdgeKey = tuple[str, int, str]


class MixedOperation(nn.Module):
    """Sum of all operations that an edge may hold, weighted by a softmax over ``alpha``.

    Liu, Simonyan and Yang 2019 (DARTS, arXiv 1806.09055). The temperature is annealed by the
    search: as it falls, the mixture approaches its heaviest operation.
    """

    def __init__(self, names: tuple[str, ...], width: int, attention_heads: int) -> None:
        super().__init__()
        self.names = names
        self.temperature = 1.0
        self.operations = nn.ModuleList(OPERATIONS[name](width, attention_heads) for name in names)
        # A little noise breaks the tie between operations; the trial's seed decides it.
        self.alpha = nn.Parameter(1e-3 * torch.randn(len(names)))

    def weights(self) -> Tensor:
        """Softmax of alpha at the present temperature, one weight per operation."""
        return functional.softmax(self.alpha / self.temperature, dim=0)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """The mixture applied to states (B, M, L, W)."""
        results = torch.stack([operation(x, mask) for operation in self.operations])
        return torch.einsum("k,kbmlw->bmlw", self.weights(), results)


def build_supernet(
    sizes: Mapping[str, Any],
    *,
    joint: bool,
    width: int,
    nodes: int,
    head: str,
    attention_heads: int,
    dropout: float,
) -> RegimeNet:
    """A RegimeNet with a mixture of every allowed operation on every edge."""

    def make_edge(block: str, node: int, source: str) -> nn.Module:
        return MixedOperation(BLOCK_OPERATIONS[block], width, attention_heads)

    return RegimeNet(
        n_assets=sizes["n_assets"],
        n_asset_features=sizes["n_asset_features"],
        market_timeframes=tuple(sizes["market_timeframes"]),
        joint=joint,
        width=width,
        nodes=nodes,
        head=head,
        attention_heads=attention_heads,
        dropout=dropout,
        make_edge=make_edge,
    )


def mixed_edges(network: RegimeNet) -> Iterator[tuple[EdgeKey, MixedOperation]]:
    """Every edge of a supernet by (block, node, source)."""
    for block_name, block in network.blocks.items():
        for number, node in enumerate(block.nodes, start=1):  # type: ignore[arg-type]
            for source in edge_sources(number):
                edge = node[source]
                assert isinstance(edge, MixedOperation)  # noqa: S101 - tells the type checker
                yield (block_name, number, source), edge


def alpha_parameters(network: RegimeNet) -> list[nn.Parameter]:
    """Architecture weights."""
    return [edge.alpha for _, edge in mixed_edges(network)]


def weight_parameters(network: RegimeNet) -> list[nn.Parameter]:
    """Everything else."""
    alphas = {id(alpha) for alpha in alpha_parameters(network)}
    return [parameter for parameter in network.parameters() if id(parameter) not in alphas]


def set_temperature(network: RegimeNet, temperature: float) -> None:
    """Set the softmax temperature of every edge."""
    for _, edge in mixed_edges(network):
        edge.temperature = temperature


def chosen_operations(network: RegimeNet) -> dict[EdgeKey, str]:
    """The heaviest operation of every edge."""
    return {key: edge.names[int(edge.alpha.argmax())] for key, edge in mixed_edges(network)}


def mean_entropy(network: RegimeNet) -> float:
    """Mean entropy of the edges' weights over its largest value: 1 undecided, 0 decided."""
    with torch.no_grad():
        shares = []
        for _, edge in mixed_edges(network):
            weight = edge.weights()
            entropy = -(weight * weight.clamp_min(1e-12).log()).sum()
            shares.append(float(entropy / torch.log(torch.tensor(float(len(weight))))))
    return sum(shares) / len(shares)
