"""The network that the search looks for: three kinds of blocks, gated by a regime detector.

A declared reconstruction of arXiv 2508.11338: detector, volatility / trend / range blocks that
regime probabilities gate softly, then a recurrent or linear head. The cells' inner form (nodes,
edges, clipped sums) is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.base import ForecastNetwork, GaussianHead, NetworkOutput
from regime_nas_pipeline.networks.detector import RegimeDetector
from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS, CLIP, OPERATIONS
from regime_nas_pipeline.networks.windows import Batch

BLOCKS = tuple(BLOCK_OPERATIONS)
HEADS = ("linear", "gru", "lstm")
INPUT = "input"

EdgeMaker = Callable[[str, int, str], nn.Module]
"""(block, node, source) to the module on that edge, called with states and mask."""


def edge_sources(node: int) -> tuple[str, ...]:
    """Sources of a node's edges: the block's input and every earlier node (counted from 1)."""
    return (INPUT, *(str(earlier) for earlier in range(1, node)))


class Block(nn.Module):
    """A cell: nodes that add up their edges; the output is the mean over nodes.

    Sums are clipped, so a block's output is bounded whatever its operations do.
    """

    def __init__(self, name: str, n_nodes: int, make_edge: EdgeMaker) -> None:
        super().__init__()
        self.nodes = nn.ModuleList(
            nn.ModuleDict({source: make_edge(name, node, source) for source in edge_sources(node)})
            for node in range(1, n_nodes + 1)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """States (B, M, L, W) to states of the same shape."""
        states = {INPUT: x}
        for number, node in enumerate(self.nodes, start=1):
            assert isinstance(node, nn.ModuleDict)  # noqa: S101 - tells the type checker
            arriving = [edge(states[source], mask) for source, edge in node.items()]
            total = torch.stack(arriving).sum(dim=0) / len(arriving) ** 0.5
            states[str(number)] = functional.hardtanh(total, -CLIP, CLIP)
        outputs = [state for source, state in states.items() if source != INPUT]
        return torch.stack(outputs).mean(dim=0)


class Head(nn.Module):
    """What turns the mixed states of a window into one state per asset: last bar, GRU or LSTM."""

    def __init__(self, kind: str, width: int) -> None:
        super().__init__()
        self.kind = kind
        self.recurrent = None
        if kind != "linear":
            self.recurrent = (nn.GRU if kind == "gru" else nn.LSTM)(width, width, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, M, L, W) to (B, M, W)."""
        if self.recurrent is None:
            return x[:, :, -1]
        states, _ = self.recurrent(x.flatten(0, 1))
        last: Tensor = states[:, -1].reshape(x.shape[0], x.shape[1], -1)
        return last


class RegimeNet(ForecastNetwork):
    """Detector, gated blocks, head.

    Args:
        n_assets: N.
        n_asset_features: F.
        market_timeframes: Timeframe of each market feature, length G.
        joint: All assets at once.
        width: Channels in blocks, head and detector.
        nodes: Nodes per cell.
        head: linear, gru or lstm.
        attention_heads: Heads in the detector and in self-attention edges.
        dropout: Dropout on the projected input and before the output.
        make_edge: What is on each edge: one operation, or the search's mixture of all.
    """

    def __init__(
        self,
        *,
        n_assets: int,
        n_asset_features: int,
        market_timeframes: tuple[int, ...],
        joint: bool,
        width: int,
        nodes: int,
        head: str,
        attention_heads: int,
        dropout: float,
        make_edge: EdgeMaker,
    ) -> None:
        super().__init__(n_assets=n_assets, n_asset_features=n_asset_features, joint=joint)
        self.embed = nn.Linear(self.n_inputs + len(market_timeframes), width)
        self.detector = RegimeDetector(
            timeframes=market_timeframes, width=width, attention_heads=attention_heads
        )
        self.blocks = nn.ModuleDict({name: Block(name, nodes, make_edge) for name in BLOCKS})
        self.dropout = nn.Dropout(dropout)
        self.head = Head(head, width)
        self.output = GaussianHead(width, self.n_outputs)

    def forward(self, batch: Batch) -> NetworkOutput:
        """Forecast; the gate weighs the blocks' outputs for every asset alike."""
        _, mask = self.arrange(batch)
        x = self.dropout(self.embed(self.with_market(batch)))
        regime, gate = self.detector(batch.market[:, 1:])
        _, gate_before = self.detector(batch.market[:, :-1])
        outputs = torch.stack([block(x, mask) for block in self.blocks.values()], dim=1)
        mixed = (outputs * gate[:, :, None, None, None]).sum(dim=1)
        state = self.dropout(self.head(mixed))
        mean, log_volatility = self.output(state)
        return NetworkOutput(mean, log_volatility, gate, gate_before, regime)


def operation_edges(
    blocks: dict[str, Any], width: int, attention_heads: int
) -> tuple[int, EdgeMaker]:
    """Number of nodes and edge maker of a found architecture.

    Args:
        blocks: {block: [{"node": 1, "edges": [{"from": "input", "operation": name}, ...]}, ...]}.
        width: Channels.
        attention_heads: Heads for self-attention edges.

    Raises:
        ParameterError: A block, edge or operation is missing, unknown or listed twice.
    """
    if set(blocks) != set(BLOCKS):
        raise ParameterError(
            f"architecture needs the blocks {', '.join(BLOCKS)} and has "
            f"{', '.join(sorted(map(str, blocks))) or 'none'}."
        )
    try:
        listed = [
            ((block, int(node["node"]), str(edge["from"])), str(edge["operation"]))
            for block in BLOCKS
            for node in blocks[block]
            for edge in node["edges"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ParameterError(
            "architecture: every node needs 'node' (its number) and 'edges', every edge 'from' "
            f"and 'operation'; reading it failed with {error!r}."
        ) from error
    chosen = dict(listed)
    if len(chosen) < len(listed):
        raise ParameterError("architecture: an edge is listed twice.")
    n_nodes = len(blocks[BLOCKS[0]])
    _check_edges(chosen, n_nodes)

    def make_edge(block: str, node: int, source: str) -> nn.Module:
        return OPERATIONS[chosen[block, node, source]](width, attention_heads)

    return n_nodes, make_edge


def _check_edges(chosen: dict[tuple[str, int, str], str], n_nodes: int) -> None:
    expected = {
        (block, node, source)
        for block in BLOCKS
        for node in range(1, n_nodes + 1)
        for source in edge_sources(node)
    }
    wrong = sorted(set(chosen) ^ expected)
    if wrong or n_nodes < 1:
        raise ParameterError(
            f"architecture: edges missing or unexpected (block, node, source): {wrong[:3]}."
        )
    for (block, node, source), operation in sorted(chosen.items()):
        if operation not in BLOCK_OPERATIONS[block]:
            raise ParameterError(
                f"architecture: block '{block}', node {node}, edge from '{source}' has operation "
                f"'{operation}'; it can be one of {', '.join(BLOCK_OPERATIONS[block])}."
            )


def describe_blocks(
    operations: dict[tuple[str, int, str], str], n_nodes: int
) -> dict[str, list[dict[str, Any]]]:
    """Readable form of chosen operations; the inverse of what :func:`operation_edges` reads."""

    def edges(block: str, node: int) -> Sequence[dict[str, str]]:
        return [
            {"from": source, "operation": operations[block, node, source]}
            for source in edge_sources(node)
        ]

    return {
        block: [{"node": node, "edges": edges(block, node)} for node in range(1, n_nodes + 1)]
        for block in BLOCKS
    }
