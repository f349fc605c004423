"""Architectures scored as sub-networks of one trained supernet, and searched by that score.

The scores mean something where the supernet was trained one random path at a time (Guo et al.
2020, single path one-shot, arXiv 1904.00420): then every operation has learned to work alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from regime_nas_pipeline.networks.base import ForecastNetwork
from regime_nas_pipeline.networks.objective import prediction_error
from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS, EVIDENCE
from regime_nas_pipeline.networks.regime_net import INPUT, cell_edges, describe_blocks
from regime_nas_pipeline.networks.windows import WindowData
from regime_nas_pipeline.search.supernet import (
    NONE,
    Architecture,
    EdgeKey,
    MixedOperation,
    mixed_edges,
    remembering,
    set_path,
)

Score = Callable[[Sequence[Architecture]], np.ndarray]
"""Validation error of each architecture; lower is better."""


def count_windows(data: WindowData, rows: np.ndarray) -> int:
    """Asset windows with a known target at ``rows``."""
    at = torch.as_tensor(rows, device=data.usable.device)
    return int((data.usable[at] & torch.isfinite(data.target[at])).sum())


@torch.no_grad()
def errors_of_variants(
    network: ForecastNetwork,
    data: WindowData,
    rows: np.ndarray,
    batch_dates: int,
    variants: Sequence[Callable[[], None]],
    *,
    changing: MixedOperation | None = None,
) -> np.ndarray:
    """Validation error of one supernet in several states, sharing the work that they share.

    Args:
        network: A supernet; it is left in evaluation mode and in the last state.
        data: Windows.
        rows: Decision bars that are scored.
        batch_dates: Decision bars at a time.
        variants: Each puts the supernet into a state; weights must not change.
        changing: The edge whose mixture the variants change, if it is one edge's.

    Returns:
        Mean squared error of scaled targets in each state.
    """
    network.eval()
    totals, count = np.zeros(len(variants)), 0
    with remembering(network, changing):
        # Batches outside, states inside: an edge remembers one batch at a time.
        for start in range(0, len(rows), batch_dates):
            batch = data.batch(rows[start : start + batch_dates], need_target=True)
            n = int(batch.mask.sum())
            for number, enter in enumerate(variants):
                enter()
                totals[number] += float(prediction_error(network(batch), batch)) * n
            count += n
    return totals / max(count, 1)


def score_subnetworks(
    supernet: ForecastNetwork,
    architectures: Sequence[Architecture],
    data: WindowData,
    rows: np.ndarray,
    batch_dates: int,
) -> np.ndarray:
    """Validation error of architectures with the weights that the supernet has for them.

    No gradient is taken and nothing is trained.

    Args:
        supernet: Trained; its mixtures are as before afterwards.
        architectures: Each names one operation for every edge.
        data: Windows.
        rows: Decision bars that are scored.
        batch_dates: Decision bars at a time.

    Returns:
        Mean squared error of scaled targets, one per architecture.
    """
    variants = [partial(set_path, supernet, architecture) for architecture in architectures]
    try:
        return errors_of_variants(supernet, data, rows, batch_dates, variants)
    finally:
        set_path(supernet, None)


def random_architecture(network: nn.Module, generator: np.random.Generator) -> dict[EdgeKey, str]:
    """One operation per edge, uniformly."""
    return {
        key: edge.names[int(generator.integers(len(edge.names)))]
        for key, edge in mixed_edges(network)
    }


def variations(
    network: nn.Module, architecture: Architecture, key: EdgeKey
) -> Iterator[dict[EdgeKey, str]]:
    """``architecture`` with every other operation on one edge."""
    names = next(edge.names for edge_key, edge in mixed_edges(network) if edge_key == key)
    for name in names:
        if name != architecture[key]:
            yield {**architecture, key: name}


def local_search(
    network: nn.Module, score: Score, *, starts: int, generator: np.random.Generator
) -> dict[EdgeKey, str]:
    """The best of some random architectures, improved edge by edge in random order.

    Each edge is visited once and takes the operation that scores best with the others as they
    are (local search: White et al. 2021, arXiv 2005.02960).

    Args:
        network: Says which edges and operations there are.
        score: Validation errors.
        starts: Random architectures, of which the best is improved.
        generator: Draws architectures and the order of the edges.
    """
    candidates = [random_architecture(network, generator) for _ in range(starts)]
    errors = score(candidates)
    best, lowest = candidates[int(errors.argmin())], float(errors.min())
    keys = [key for key, _ in mixed_edges(network)]
    for position in generator.permutation(len(keys)):
        others = list(variations(network, best, keys[position]))
        errors = score(others)
        if errors.min() < lowest:
            best, lowest = others[int(errors.argmin())], float(errors.min())
    return best


def best_around(
    network: nn.Module, chosen: Architecture, score: Score, top_k: int
) -> list[tuple[dict[EdgeKey, str], float]]:
    """The chosen architecture first, then the best that differ from it on one edge.

    Args:
        network: Says which edges and operations there are.
        chosen: What was selected.
        score: Validation errors as sub-networks.
        top_k: How many; fewer where there are fewer.

    Returns:
        Distinct architectures and their errors; after the first in order of their error.
    """
    others = [
        other for key, _ in mixed_edges(network) for other in variations(network, chosen, key)
    ]
    errors = score([chosen, *others])
    order = np.argsort(errors[1:], kind="stable")[: top_k - 1]
    first = (dict(chosen), float(errors[0]))
    return [first, *((others[i], float(errors[1 + i])) for i in order)]


def random_blocks(
    nodes: int, generator: np.random.Generator, kinds: int | None = None
) -> dict[str, Any]:
    """Cells with operations drawn uniformly: the control of any cell search.

    Args:
        nodes: Nodes of a cell.
        generator: Draws the operations.
        kinds: So many different operations for the evidence, side by side, as a search with
            ``evidence`` ``side_by_side`` keeps; None to draw its edges like all others.
    """
    operations = {
        edge: str(generator.choice(BLOCK_OPERATIONS[edge[0]])) for edge in cell_edges(nodes)
    }
    if kinds is not None:
        working = [name for name in BLOCK_OPERATIONS[EVIDENCE] if name != NONE]
        drawn = [str(name) for name in generator.choice(working, size=kinds, replace=False)]
        operations = {edge: name for edge, name in operations.items() if edge[0] != EVIDENCE}
        operations |= side_by_side_edges(drawn)
    return describe_blocks(operations, nodes)


def side_by_side_edges(names: Sequence[str]) -> dict[EdgeKey, str]:
    """Edges of an evidence cell with one node for each operation, each fed by the input alone."""
    return {
        edge: names[edge[1] - 1] if edge[2] == INPUT else NONE
        for edge in cell_edges(len(names))
        if edge[0] == EVIDENCE
    }
