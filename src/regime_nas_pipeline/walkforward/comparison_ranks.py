"""How far two rankings of the same candidates agree, and what picking by one of them costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
"""Chance that an interval covers, over repeated draws of candidates."""


@dataclass(frozen=True)
class Agreement:
    """Rank correlations of two ways to score candidates, None where they are undefined.

    Attributes:
        kendall: Kendall's τ-b.
        kendall_low, kendall_high: Its interval, by bootstrap over candidates.
        spearman: Spearman's ρ.
        spearman_low, spearman_high: Its interval.
    """

    kendall: float | None
    kendall_low: float | None
    kendall_high: float | None
    spearman: float | None
    spearman_low: float | None
    spearman_high: float | None


def agreement(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    groups: np.ndarray | None = None,
    draws: int,
    seed: int,
) -> Agreement:
    """Mean rank correlation over pairs of score vectors of the same K candidates.

    Args:
        pairs: Two scores of every candidate, (K,) each; lower is better.
        groups: Which candidates may be compared with which, (K,): predictions of different models
            may not, since their levels differ for reasons of their own. None for all.
        draws: Bootstrap draws. Each draws candidates with replacement, the same for all pairs and
            as many from each group as it has.
        seed: Of the draws.

    Source: Kendall, M. G. (1945). The treatment of ties in ranking problems. Biometrika 33(3);
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, percentile interval.
    """
    n = len(pairs[0][0])
    labels = np.zeros(n, dtype=int) if groups is None else groups
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    # Row 0 counts every candidate once; the others say how often a draw holds each.
    counts = np.ones((1 + draws, n))
    generator = np.random.default_rng(seed)
    for rows in members:
        even = np.full(len(rows), 1.0 / len(rows))
        counts[1:, rows] = generator.multinomial(len(rows), even, size=draws)
    kendall, spearman = [], []
    for first, second in pairs:
        for rows in members:
            compared = _places(first[rows]), _places(second[rows]), counts[:, rows]
            kendall.append(_kendall(*compared))
            spearman.append(_spearman(*compared))
    means = [_mean(kendall), _mean(spearman)]
    return Agreement(*_with_interval(means[0]), *_with_interval(means[1]))


def regret_of_pick(
    chosen_by: np.ndarray, truth: np.ndarray, groups: np.ndarray | None = None
) -> float:
    """True score of the candidate that ``chosen_by`` ranks first, less the lowest true score.

    Args:
        chosen_by: Scores that decide, (K,); lower is better.
        truth: Scores that count, (K,).
        groups: As in :func:`agreement`; the regret is the mean over groups.
    """
    labels = np.zeros(len(truth), dtype=int) if groups is None else groups
    regrets = []
    for label in np.unique(labels):
        own = labels == label
        regrets.append(truth[own][int(chosen_by[own].argmin())] - truth[own].min())
    return float(np.mean(regrets))


def _places(scores: np.ndarray) -> np.ndarray:
    """Scores as whole numbers in the same order; what is not finite shares the last place."""
    known = np.where(np.isfinite(scores), scores, np.inf)
    places: np.ndarray = np.unique(known, return_inverse=True)[1]
    return places


def _kendall(first: np.ndarray, second: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """τ-b of every draw, (D,); blank where one of the two is constant.

    Args:
        first: Places of the candidates by one score, (K,).
        second: By the other one.
        counts: How often each draw holds each candidate, (D, K).
    """
    signs = [np.sign(each[:, None] - each[None, :]) for each in (first, second)]

    def over_pairs(product: np.ndarray) -> np.ndarray:
        total: np.ndarray = np.einsum("di,ij,dj->d", counts, product, counts, optimize=True)
        return total

    unequal = over_pairs(signs[0] ** 2) * over_pairs(signs[1] ** 2)
    return _ratio(over_pairs(signs[0] * signs[1]), np.sqrt(unequal))


def _spearman(first: np.ndarray, second: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """ρ of every draw, (D,): the correlation of mid-ranks; arguments as in :func:`_kendall`."""
    total = counts.sum(axis=1, keepdims=True)
    ranks = []
    for each in (first, second):
        below = counts @ (each[:, None] < each[None, :])
        equal = counts @ (each[:, None] == each[None, :])
        rank = below + 0.5 * equal
        ranks.append(rank - (counts * rank).sum(axis=1, keepdims=True) / total)
    both, one, other = (
        (counts * ranks[a] * ranks[b]).sum(axis=1) for a, b in ((0, 1), (0, 0), (1, 1))
    )
    return _ratio(both, np.sqrt(one * other))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    found = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=found, where=denominator > 1e-9)
    return found


def _mean(values: Sequence[np.ndarray]) -> np.ndarray:
    """Mean over pairs and groups of every draw; one that is undefined counts as none, 0.

    A constant score ranks nothing. Only where no correlation is defined the mean is blank.
    """
    table = np.array(values)
    known = np.isfinite(table)
    mean: np.ndarray = np.where(known, table, 0.0).mean(axis=0)
    return np.where(known.any(axis=0), mean, np.nan)


def _with_interval(values: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """The value of row 0, and the percentile interval of the others."""
    drawn = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or not len(drawn):
        return (float(values[0]) if np.isfinite(values[0]) else None), None, None
    low, high = np.quantile(drawn, [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0])
    return float(values[0]), float(low), float(high)
