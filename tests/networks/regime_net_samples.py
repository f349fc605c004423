"""Small regime networks and architectures that several test files share."""

from __future__ import annotations

from typing import Any

import torch
from network_samples import MARKET_TIMEFRAMES, N_FEATURES

from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS, EVIDENCE
from regime_nas_pipeline.networks.regime_net import (
    RegimeNet,
    cell_edges,
    describe_blocks,
    evidence_nodes,
    operation_edges,
)

WIDTH = 8


def chosen_by(pick: Any, n_nodes: int = 2) -> dict[tuple[str, int, str], str]:
    """Every edge with the operation that ``pick(block, node, source)`` names."""
    return {edge: pick(*edge) for edge in cell_edges(n_nodes)}


def some_blocks(n_nodes: int = 2, n_evidence: int | None = None) -> dict[str, Any]:
    """Cells in which every kind of block uses another operation on each of its edges.

    The evidence has ``n_evidence`` nodes, as many as the others by default.
    """

    def pick(block: str, node: int, source: str) -> str:
        names = BLOCK_OPERATIONS[block]
        return names[(3 * node + 5 * len(source) + len(block)) % len(names)]

    n_evidence = n_evidence or n_nodes
    operations = {
        edge: name
        for edge, name in chosen_by(pick, max(n_nodes, n_evidence)).items()
        if edge[1] <= (n_evidence if edge[0] == EVIDENCE else n_nodes)
    }
    return describe_blocks(operations, n_nodes)


def make(
    blocks: dict[str, Any],
    *,
    head: str = "linear",
    joint: bool = False,
    n_assets: int = 4,
    **settings: Any,
) -> RegimeNet:
    """An untrained network in evaluation mode; the same weights every time."""
    nodes, make_edge = operation_edges(blocks, WIDTH, 2)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return RegimeNet(
            n_assets=n_assets,
            n_asset_features=N_FEATURES,
            market_timeframes=MARKET_TIMEFRAMES,
            joint=joint,
            width=WIDTH,
            nodes=nodes,
            **{"evidence_nodes": evidence_nodes(blocks), **settings},
            head=head,
            attention_heads=2,
            dropout=0.0,
            make_edge=make_edge,
        ).eval()


def with_evidence(**operations: str) -> dict[str, Any]:
    """One node per cell; ``evidence=...`` and so on name the operation of a cell, else linear."""
    return describe_blocks(
        chosen_by(lambda block, *_: operations.get(block, "linear"), n_nodes=1), n_nodes=1
    )
