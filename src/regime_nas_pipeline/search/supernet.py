"""The supernet: a RegimeNet whose edges hold a weighted mixture of all their operations."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from regime_nas_pipeline.networks.operations import (
    BLOCK_OPERATIONS,
    EVIDENCE,
    OPERATIONS,
    Identity,
    NoOperation,
)
from regime_nas_pipeline.networks.regime_net import RegimeNet, describe_blocks

EdgeKey = tuple[str, int, str]
"""(cell, node, source) of an edge."""

Architecture = Mapping[EdgeKey, str]
"""One operation for every edge."""

NONE = "none"
SKIPS = frozenset({NONE, "identity"})
"""Operations that do no work: a cell full of them is the collapse that DARTS is known for."""


class EdgeMemory:
    """What an edge made of its last inputs, so that equal inputs are not worked on twice.

    Valid while the weights stand still. Inputs are compared by value, since every forward pass
    makes new tensors.

    Args:
        parts: Keep each operation's result, not their mixture: for an edge whose mixture changes.
    """

    def __init__(self, *, parts: bool) -> None:
        self.parts = parts
        # A network may use an edge twice per pass: the detector also looks at the bar before.
        self.entries: deque[tuple[Tensor, Tensor, int | None, dict[int, Tensor]]] = deque(maxlen=2)

    def find(self, x: Tensor, mask: Tensor, only: int | None) -> dict[int, Tensor] | None:
        """What was kept for these inputs, or None."""
        for seen, seen_mask, seen_only, results in self.entries:
            same = seen_only == only and torch.equal(seen, x) and torch.equal(seen_mask, mask)
            if same:
                return results
        return None


class MixedOperation(nn.Module):
    """Sum of all operations that an edge may hold, weighted by a softmax over ``alpha``.

    Liu, Simonyan and Yang 2019 (DARTS, arXiv 1806.09055). Operations of weight zero are not
    computed: value and gradient are the same without them.

    Args:
        key: Cell, node and source.
        names: Operations on the edge.
        width: Channels.
        attention_heads: Heads of operations that attend.

    Attributes:
        temperature: Divides ``alpha``; as it falls, the mixture approaches its heaviest operation.
        skip_dropout: Dropout on the identity while training (P-DARTS, arXiv 1904.12760).
        auxiliary_skip: Weight of the input itself beside the mixture (DARTS-, arXiv 2009.01027).
        only: Position of the one operation that is used, as in a sub-network; None for all.
        without: Position of an operation that is left out, the other weights unchanged.
        memory: What the edge remembers, see :func:`remembering`.
    """

    def __init__(
        self, key: EdgeKey, names: Sequence[str], width: int, attention_heads: int
    ) -> None:
        super().__init__()
        self.key = key
        self.names = tuple(names)
        self.temperature = 1.0
        self.skip_dropout = 0.0
        self.auxiliary_skip = 0.0
        self.only: int | None = None
        self.without: int | None = None
        self.memory: EdgeMemory | None = None
        self.operations = nn.ModuleList(OPERATIONS[name](width, attention_heads) for name in names)
        # A little noise breaks the tie between operations; the trial's seed decides it.
        self.alpha = nn.Parameter(1e-3 * torch.randn(len(names)))

    def weights(self) -> Tensor:
        """Softmax of alpha at the present temperature, one weight per operation."""
        return functional.softmax(self.alpha / self.temperature, dim=0)

    @property
    def pointwise(self) -> bool:
        """Whether a bar's result depends on that bar alone; known for a sub-network."""
        return self.only is not None and bool(self.operations[self.only].pointwise)

    def live(self) -> list[int]:
        """Positions of the operations whose removal would change the mixture."""
        return [
            position
            for position, weight in enumerate(self.weights().tolist())
            if weight and not isinstance(self.operations[position], NoOperation)
        ]

    def fix(self, name: str) -> None:
        """Give one operation all the weight, for good."""
        with torch.no_grad():
            self.alpha.fill_(-torch.inf)
            self.alpha[self.names.index(name)] = 0.0

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """The mixture applied to states (B, M, L, W)."""
        if self.memory is None:
            return self._mix(x, self._results(x, mask))
        found = self.memory.find(x, mask, self.only)
        if found is None:
            found = self._results(x, mask)
            if not self.memory.parts:
                found = {-1: self._mix(x, found)}
            self.memory.entries.append((x, mask, self.only, found))
        return self._mix(x, found) if self.memory.parts else found[-1]

    def _results(self, x: Tensor, mask: Tensor) -> dict[int, Tensor]:
        wanted = self.live() if self.only is None else [self.only]
        results = {}
        for position in wanted:
            operation = self.operations[position]
            result = operation(x, mask)
            if self.skip_dropout and isinstance(operation, Identity):
                result = functional.dropout(result, self.skip_dropout, self.training)
            results[position] = result
        return results

    def _mix(self, x: Tensor, results: dict[int, Tensor]) -> Tensor:
        if self.only is not None:
            return results[self.only]
        weights = self.weights().unbind()
        total = self.auxiliary_skip * x if self.auxiliary_skip else torch.zeros_like(x)
        for position, result in results.items():
            if position != self.without:
                total = total + weights[position] * result
        return total


def build_supernet(
    sizes: Mapping[str, Any], *, width: int, attention_heads: int, **settings: Any
) -> RegimeNet:
    """A RegimeNet with a mixture of every allowed operation on every edge.

    Args:
        sizes: ``n_assets``, ``n_asset_features`` and ``market_timeframes``.
        width: Channels.
        attention_heads: Heads in the detector and in self-attention edges.
        settings: The other arguments of :class:`RegimeNet`.
    """

    def make_edge(block: str, node: int, source: str) -> nn.Module:
        key = (block, node, source)
        return MixedOperation(key, BLOCK_OPERATIONS[block], width, attention_heads)

    return RegimeNet(
        n_assets=sizes["n_assets"],
        n_asset_features=sizes["n_asset_features"],
        market_timeframes=tuple(sizes["market_timeframes"]),
        width=width,
        attention_heads=attention_heads,
        make_edge=make_edge,
        **settings,
    )


def mixed_edges(network: nn.Module) -> Iterator[tuple[EdgeKey, MixedOperation]]:
    """Every edge of a supernet by (cell, node, source), wherever in the network it is."""
    for module in network.modules():
        if isinstance(module, MixedOperation):
            yield module.key, module


def alpha_parameters(network: nn.Module) -> list[nn.Parameter]:
    """Architecture weights."""
    return [edge.alpha for _, edge in mixed_edges(network)]


def weight_parameters(network: nn.Module) -> list[nn.Parameter]:
    """Everything else."""
    alphas = {id(alpha) for alpha in alpha_parameters(network)}
    return [parameter for parameter in network.parameters() if id(parameter) not in alphas]


def set_temperature(network: nn.Module, temperature: float) -> None:
    """Set the softmax temperature of every edge."""
    for _, edge in mixed_edges(network):
        edge.temperature = temperature


def set_skips(network: nn.Module, *, dropout: float, auxiliary: float) -> None:
    """Set dropout on the identity and the weight of the auxiliary skip of every edge."""
    for _, edge in mixed_edges(network):
        edge.skip_dropout, edge.auxiliary_skip = dropout, auxiliary


def set_path(network: nn.Module, architecture: Architecture | None) -> None:
    """Use one operation per edge, as a sub-network; None for the mixtures again."""
    for key, edge in mixed_edges(network):
        edge.only = None if architecture is None else edge.names.index(architecture[key])


@contextmanager
def remembering(network: nn.Module, changing: MixedOperation | None = None) -> Iterator[None]:
    """Let edges reuse what they made of equal inputs; the weights must stand still meanwhile.

    Args:
        network: The supernet, in evaluation mode and without gradients.
        changing: The edge whose mixture changes from pass to pass.
    """
    for _, edge in mixed_edges(network):
        edge.memory = EdgeMemory(parts=edge is changing)
    try:
        yield
    finally:
        for _, edge in mixed_edges(network):
            edge.memory = None


def chosen_operations(network: nn.Module) -> dict[EdgeKey, str]:
    """The heaviest operation of every edge."""
    return {key: edge.names[int(edge.alpha.argmax())] for key, edge in mixed_edges(network)}


def heaviest_operations(network: nn.Module) -> dict[EdgeKey, str]:
    """The heaviest operation of every edge other than ``none``.

    ``none`` adds zeros, so that its weight says only how small the others may be together, not
    that they are of no use; hence it is left out, as in DARTS.
    """
    heaviest = {}
    for key, edge in mixed_edges(network):
        alphas = dict(zip(edge.names, edge.alpha.tolist(), strict=True))
        alphas.pop(NONE, None)
        heaviest[key] = max(alphas, key=lambda name: alphas[name])
    return heaviest


def readable(architecture: Architecture) -> dict[str, Any]:
    """The form that ``networks.regime_net.operation_edges`` reads."""
    n_nodes = max(node for cell, node, _ in architecture if cell != EVIDENCE)
    return describe_blocks(dict(architecture), n_nodes)


def edge_entropy(network: nn.Module) -> Tensor:
    """Mean entropy of the edges' weights over its largest value, a differentiable scalar."""
    shares = []
    for _, edge in mixed_edges(network):
        weight = edge.weights()
        entropy = -(weight * weight.clamp_min(1e-12).log()).sum()
        shares.append(entropy / torch.log(torch.tensor(float(len(weight)))))
    return torch.stack(shares).mean()


def mean_entropy(network: nn.Module) -> float:
    """Mean entropy of the edges' weights over its largest value: 1 undecided, 0 decided."""
    with torch.no_grad():
        return float(edge_entropy(network))


def make_up_for_mixing(supernet: RegimeNet) -> None:
    """Scale the first weights of the output by the root of the number of operations mixed.

    The mean of K unrelated results has 1/√K of their size. With blocks' forecasts that small, the
    gate finds no difference between them and the supernet stays without regimes.
    """
    counts = [len(edge.names) for _, edge in mixed_edges(supernet)]
    with torch.no_grad():
        supernet.output.linear.weight.mul_((sum(counts) / len(counts)) ** 0.5)
