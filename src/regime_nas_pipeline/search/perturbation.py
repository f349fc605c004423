"""Operations chosen by what their removal costs, not by the size of their weight.

Wang et al. 2021, Rethinking architecture selection in differentiable NAS, arXiv 2108.04392.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from regime_nas_pipeline.networks.base import ForecastNetwork
from regime_nas_pipeline.networks.windows import WindowData
from regime_nas_pipeline.search.subnetworks import errors_of_variants
from regime_nas_pipeline.search.supernet import NONE, EdgeKey, MixedOperation, mixed_edges


def removal_errors(
    supernet: ForecastNetwork,
    edge: MixedOperation,
    data: WindowData,
    rows: np.ndarray,
    batch_dates: int,
) -> tuple[np.ndarray, int]:
    """Validation error of the supernet without each operation of one edge.

    The weight of the removed operation is set to zero and the others stay as they are, as in the
    paper. Removing ``none``, or an operation of weight zero, therefore changes nothing.

    Args:
        supernet: Trained.
        edge: One of its edges.
        data: Windows.
        rows: Decision bars that are scored.
        batch_dates: Decision bars at a time.

    Returns:
        Errors, one per operation of the edge, and how many passes over the rows they took.
    """
    live = edge.live()

    def leave_out(position: int | None) -> Callable[[], None]:
        def enter() -> None:
            edge.without = position

        return enter

    variants = [leave_out(position) for position in (None, *live)]
    try:
        measured = errors_of_variants(supernet, data, rows, batch_dates, variants, changing=edge)
    finally:
        edge.without = None
    errors = np.full(len(edge.names), measured[0])
    errors[live] = measured[1:]
    return errors, len(variants)


def most_missed(names: tuple[str, ...], errors: np.ndarray) -> str:
    """The operation whose removal hurts most.

    ``none`` adds nothing, so that its removal leaves the error of the whole mixture: it is chosen
    only where the removal of every other operation lowers the error, that is, where the edge
    does harm.

    Args:
        names: Operations of the edge.
        errors: Validation error without each of them.
    """
    working = [position for position, name in enumerate(names) if name != NONE]
    best = max(working, key=lambda position: errors[position])
    if NONE in names and errors[names.index(NONE)] > errors[best]:
        return NONE
    return names[best]


def select_by_perturbation(
    supernet: ForecastNetwork,
    errors_without: Callable[[MixedOperation], np.ndarray],
    fine_tune: Callable[[float], None],
    generator: np.random.Generator,
) -> dict[EdgeKey, str]:
    """Fix the edges one by one in random order, with fine-tuning after each.

    Args:
        supernet: Trained; every edge is left with one operation.
        errors_without: Validation error without each operation of an edge.
        fine_tune: Trains the supernet's weights until this part (0 to 1) of the reserve is spent.
        generator: Draws the order.

    Returns:
        The operation of every edge, in the supernet's order.
    """
    edges = list(mixed_edges(supernet))
    chosen: dict[EdgeKey, str] = {}
    for done, position in enumerate(generator.permutation(len(edges)), start=1):
        key, edge = edges[position]
        chosen[key] = most_missed(edge.names, errors_without(edge))
        edge.fix(chosen[key])
        fine_tune(done / len(edges))
    return {key: chosen[key] for key, _ in edges}
