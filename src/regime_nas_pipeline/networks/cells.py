"""Cells: nodes that add up their edges, each edge holding one operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.operations import (
    BLOCK_OPERATIONS,
    EVIDENCE,
    GATED_BLOCKS,
    OPERATIONS,
    NoOperation,
    clip,
)

BLOCKS = tuple(BLOCK_OPERATIONS)
"""Every searched cell: the evidence and the gated blocks."""
INPUT = "input"

EdgeMaker = Callable[[str, int, str], nn.Module]
"""(block, node, source) to the module on that edge, called with states and mask."""


def edge_sources(node: int) -> tuple[str, ...]:
    """Sources of a node's edges: the block's input and every earlier node (counted from 1)."""
    return (INPUT, *(str(earlier) for earlier in range(1, node)))


def cell_edges(nodes: int) -> tuple[tuple[str, int, str], ...]:
    """Every edge (cell, node, source) of cells with so many nodes."""
    return tuple(
        (cell, node, source)
        for cell in BLOCKS
        for node in range(1, nodes + 1)
        for source in edge_sources(node)
    )


class Block(nn.Module):
    """A cell: nodes that add up their edges; gated blocks give the mean over nodes.

    The evidence block gives its nodes side by side, since different kinds of evidence must not
    cancel. Sums are clipped, so a block's output is bounded whatever its operations do.
    """

    def __init__(self, name: str, n_nodes: int, make_edge: EdgeMaker) -> None:
        super().__init__()
        self.side_by_side = name == EVIDENCE
        self.nodes = nn.ModuleList(
            nn.ModuleDict({source: make_edge(name, node, source) for source in edge_sources(node)})
            for node in range(1, n_nodes + 1)
        )

    def forward(self, x: Tensor, mask: Tensor, *, last: bool = False) -> Tensor:
        """States (B, M, L, W) to the same shape, or (B, M, L, nodes * W) side by side.

        With ``last`` the result is that of the last bar alone, (B, M, 1, W), and what does not
        reach it is not computed.
        """
        states = {INPUT: x}
        short = self._nodes_of_last_bar() if last else set()
        for number, node in enumerate(self.nodes, start=1):
            assert isinstance(node, nn.ModuleDict)  # noqa: S101 - tells the type checker
            # An edge that holds nothing adds zeros: it need not be looked at unless it is alone.
            live = [item for item in node.items() if not isinstance(item[1], NoOperation)]
            arriving = []
            for source, edge in live or node.items():
                state = states[source]
                if number in short and _is_pointwise(edge):
                    state = state[:, :, -1:]
                result = edge(state, mask)
                arriving.append(result[:, :, -1:] if number in short else result)
            states[str(number)] = clip(_sum(arriving, over=len(node) ** 0.5))
        outputs = [state for source, state in states.items() if source != INPUT]
        if last:
            outputs = [state[:, :, -1:] for state in outputs]
        return torch.cat(outputs, dim=-1) if self.side_by_side else _sum(outputs, over=len(outputs))

    def _nodes_of_last_bar(self) -> set[int]:
        """Nodes of which nothing but the last bar is used: no later edge looks further back."""
        short: set[int] = set()
        for number in range(len(self.nodes), 0, -1):
            readers = [
                (later, node[str(number)])  # type: ignore[index]
                for later, node in enumerate(self.nodes, start=1)
                if later > number
            ]
            if all(later in short and _is_pointwise(edge) for later, edge in readers):
                short.add(number)
        return short


def _sum(states: list[Tensor], *, over: float) -> Tensor:
    """Sum of states over a number.

    A single state over 1 is not worked on, but is laid out in memory as a sum would be, lest what
    follows add up in another order.
    """
    total = states[0].contiguous() if len(states) == 1 else torch.stack(states).sum(dim=0)
    return total if over == 1.0 else total / over


def _is_pointwise(edge: nn.Module) -> bool:
    return bool(getattr(edge, "pointwise", False))


def operation_edges(
    blocks: dict[str, Any], width: int, attention_heads: int
) -> tuple[int, EdgeMaker]:
    """Number of nodes of the gated blocks, and edge maker, of a found architecture.

    The evidence may have another number of nodes; see :func:`evidence_nodes`.

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
    n_nodes = len(blocks[GATED_BLOCKS[0]])
    _check_edges(chosen, n_nodes, evidence_nodes(blocks))

    def make_edge(block: str, node: int, source: str) -> nn.Module:
        return OPERATIONS[chosen[block, node, source]](width, attention_heads)

    return n_nodes, make_edge


def evidence_nodes(blocks: dict[str, Any]) -> int:
    """Number of nodes of a found architecture's evidence."""
    return len(blocks[EVIDENCE])


def _check_edges(
    chosen: dict[tuple[str, int, str], str], n_nodes: int, n_evidence_nodes: int
) -> None:
    expected = {
        (block, node, source)
        for block in BLOCKS
        for node in range(1, (n_evidence_nodes if block == EVIDENCE else n_nodes) + 1)
        for source in edge_sources(node)
    }
    wrong = sorted(set(chosen) ^ expected)
    if wrong or n_nodes < 1 or n_evidence_nodes < 1:
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
    """Readable form of chosen operations; the inverse of what :func:`operation_edges` reads.

    Args:
        operations: Of every edge.
        n_nodes: Of the gated blocks; the evidence has as many as it has edges for.
    """
    counts = dict.fromkeys(BLOCKS, n_nodes)
    counts[EVIDENCE] = max(node for block, node, _ in operations if block == EVIDENCE)

    def edges(block: str, node: int) -> Sequence[dict[str, str]]:
        return [
            {"from": source, "operation": operations[block, node, source]}
            for source in edge_sources(node)
        ]

    return {
        block: [{"node": node, "edges": edges(block, node)} for node in range(1, count + 1)]
        for block, count in counts.items()
    }
