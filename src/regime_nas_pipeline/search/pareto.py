"""Pareto fronts of candidates with several objectives, of all of which less is better.

Non-dominated sorting and crowding distance are those of NSGA-II (Deb et al. 2002, A fast and
elitist multiobjective genetic algorithm). Optuna has them, too, but not as public functions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import ParameterError

Costs = np.ndarray | pd.DataFrame | Sequence[Sequence[float | None]]
"""Candidates by objectives; None or not a number where a candidate has no value."""


def dominates(first: Sequence[float], second: Sequence[float]) -> bool:
    """Whether ``first`` is nowhere worse than ``second`` and somewhere better."""
    a, b = _table([list(first), list(second)])
    return bool((a <= b).all() and (a < b).any())


def pareto_front(costs: Costs) -> np.ndarray:
    """Which candidates no other one dominates.

    A value that is absent counts as infinite: such a candidate is never better on that objective,
    and may be on the front by others. Candidates that are equal everywhere are on it together.

    Args:
        costs: Candidates × objectives, less is better.

    Returns:
        One truth value per candidate, (N,).

    Raises:
        ParameterError: ``costs`` is no table or has no objective.
    """
    front: np.ndarray = domination_ranks(costs) == 0
    return front


def domination_ranks(costs: Costs) -> np.ndarray:
    """Non-dominated sorting: 0 on the Pareto front, 1 on the front once that is taken away.

    Returns:
        One rank per candidate, (N,).

    Raises:
        ParameterError: ``costs`` is no table or has no objective.
    """
    table = _table(costs)
    nowhere_worse = np.all(table[:, None] <= table[None], axis=2)
    somewhere_better = np.any(table[:, None] < table[None], axis=2)
    beats = np.logical_and(nowhere_worse, somewhere_better)
    ranks = np.full(len(table), -1)
    rank = 0
    while (ranks < 0).any():
        left = ranks < 0
        ranks[left & ~np.any(beats[left], axis=0)] = rank
        rank += 1
    return ranks


def crowding_distance(costs: Costs, ranks: np.ndarray) -> np.ndarray:
    """How far a candidate's neighbours on its own front lie apart, summed over objectives.

    Each objective is measured in the range that the front spans. The ends of a front are
    infinitely far from others, so that they survive.

    Args:
        costs: Candidates × objectives, less is better.
        ranks: Front of each candidate, see ``domination_ranks``.

    Returns:
        One distance per candidate, (N,); larger is less crowded.

    Raises:
        ParameterError: ``costs`` is no table or has no objective.
    """
    table = _table(costs)
    distance = np.zeros(len(table))
    for rank in np.unique(ranks):
        rows = np.flatnonzero(ranks == rank)
        for values in table[rows].T:
            distance[rows] += _gaps(values)
    return distance


def best_first(costs: Costs) -> np.ndarray:
    """Row numbers by Pareto rank, then the less crowded, then the earlier.

    With one objective that is the order of its values.

    Raises:
        ParameterError: ``costs`` is no table or has no objective.
    """
    ranks = domination_ranks(costs)
    crowding = crowding_distance(costs, ranks)
    return np.lexsort((np.arange(len(ranks)), -crowding, ranks))


def _table(costs: Costs) -> np.ndarray:
    table = np.asarray(costs, dtype=float)
    if table.ndim != 2 or table.shape[1] == 0:
        raise ParameterError(
            f"costs have shape {table.shape}; a table of candidates by objectives is needed."
        )
    return np.where(np.isnan(table), np.inf, table)


def _gaps(values: np.ndarray) -> np.ndarray:
    """Distance between the neighbours of each value, over the range; infinite at the ends."""
    order = np.argsort(values, kind="stable")
    known = np.isfinite(values)
    if len(values) < 3 or not known.any():
        return np.full(len(values), np.inf if len(values) < 3 else 0.0)
    # Absent values lie together at the bad end, or differences of infinities would arise.
    placed = np.where(known, values, values[known].max())[order]
    spread = placed[-1] - placed[0]
    gaps = np.zeros(len(values))
    if spread > 0:
        gaps[order[1:-1]] = (placed[2:] - placed[:-2]) / spread
        gaps[order[[0, -1]]] = np.inf
    return gaps
