"""Which operations the evidence keeps: all of them side by side, then the least missed removed.

On an edge that mixes its operations, one kind of evidence drowns in the sum of all: products of
neighbouring bars and squares tell regimes apart only while they have channels of their own. So
the supernet may hold every operation of the evidence in channels of its own and remove one
after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from regime_nas_pipeline.networks.operations import (
    BLOCK_OPERATIONS,
    EVIDENCE,
    OPERATIONS,
    clip,
)
from regime_nas_pipeline.search.subnetworks import side_by_side_edges
from regime_nas_pipeline.search.supernet import NONE, EdgeKey


class SideBySideEvidence(nn.Module):
    """Every operation that evidence may use, each in channels of its own.

    Args:
        width: Channels of each operation.
        attention_heads: Heads of operations that attend.

    Attributes:
        names: The operations, ``none`` left out.
        kept: Positions of those still in use; the others give zeros.
    """

    def __init__(self, width: int, attention_heads: int) -> None:
        super().__init__()
        self.names = tuple(name for name in BLOCK_OPERATIONS[EVIDENCE] if name != NONE)
        self.operations = nn.ModuleList(
            OPERATIONS[name](width, attention_heads) for name in self.names
        )
        self.kept = set(range(len(self.names)))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """States (B, M, L, W) to (B, M, L, operations * W)."""
        results = [
            clip(operation(x, mask)) if position in self.kept else torch.zeros_like(x)
            for position, operation in enumerate(self.operations)
        ]
        return torch.cat(results, dim=-1)


ErrorsOf = Callable[[Sequence[Callable[[], None]]], Iterable[float]]
"""Validation errors in several states, each of which one of the callables brings about."""


def errors_without(evidence: SideBySideEvidence, errors_of: ErrorsOf) -> dict[int, float]:
    """Validation error without each operation that is still kept."""
    kept = set(evidence.kept)

    def without(position: int) -> None:
        evidence.kept = kept - {position}

    positions = sorted(kept)
    try:
        errors = errors_of([partial(without, position) for position in positions])
    finally:
        evidence.kept = kept
    return dict(zip(positions, map(float, errors), strict=True))


def select_evidence(
    evidence: SideBySideEvidence,
    nodes: int,
    errors_of: ErrorsOf,
    fine_tune: Callable[[float], None],
) -> dict[EdgeKey, str]:
    """Remove what is missed least, one at a time, until one operation is left for each node.

    Backward elimination looks at operations in the company of the others, so that two that say
    something only together are kept together.

    Args:
        evidence: Of a trained supernet; left with what was chosen.
        nodes: Operations to keep, each as a node of the evidence cell.
        errors_of: Validation errors of the supernet in several states.
        fine_tune: Called after every removal with the share of the removals made so far.

    Returns:
        The edges of the evidence cell: a chosen operation on each node's edge from the input, the
        least dispensable first, and no connection on the others.
    """
    removals = len(evidence.kept) - nodes
    for number in range(removals):
        errors = errors_without(evidence, errors_of)
        evidence.kept.remove(min(errors, key=lambda position: (errors[position], position)))
        fine_tune((number + 1) / removals)
    errors = errors_without(evidence, errors_of)
    order = sorted(errors, key=lambda position: (-errors[position], position))
    return side_by_side_edges([evidence.names[position] for position in order])
