"""How quickly a strategy finds the best candidate of a space where every score is known.

Replaying strategies over a table of scores costs no training, so they can be compared with the
random control over many seeds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.search.outer import Outcome, OuterSettings, Proposal, Strategy, run_search
from regime_nas_pipeline.search.space import Space, enumerate_space

Candidate = tuple[Any, ...]
"""Values in the order of the space's dimensions."""


def regret_curves(
    space: Space,
    scores_by_candidate: Mapping[Candidate, float],
    strategy: Strategy,
    settings: OuterSettings,
    *,
    seeds: Iterable[int],
    fraction: float,
) -> np.ndarray:
    """Simple regret after every evaluation: how far the best one so far is from the best.

    Args:
        space: A finite space.
        scores_by_candidate: The score of every candidate; lower is better.
        strategy: Proposes candidates; not ``differentiable``, which proposes one only.
        settings: Everything else about the search; its strategy and trials are not read.
        seeds: One search each.
        fraction: Part of the candidates that each search may evaluate, above 0 and at most 1.

    Returns:
        One curve per seed, in units of the score, (S, evaluations).

    Raises:
        ParameterError: The fraction is out of range, or the table lacks a candidate.
    """
    trials = _trials(len(scores_by_candidate), fraction)
    for choices in enumerate_space(space):
        if tuple(choices.values()) not in scores_by_candidate:
            raise ParameterError(f"the table has no score for {choices}; score every candidate.")
    best = min(scores_by_candidate.values())

    def evaluate(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
        for proposal in proposals:
            score = scores_by_candidate[tuple(proposal.choices.values())]
            yield Outcome(score, {}, 0, np.zeros(0))

    chosen = replace(settings, strategy=strategy, trials=trials)
    found = [
        [each.outcome.score for each in run_search(space, evaluate, chosen, seed=seed)]
        for seed in seeds
    ]
    curves: np.ndarray = np.minimum.accumulate(np.array(found), axis=1) - best
    return curves


def expected_random_regret(scores: Iterable[float], fraction: float) -> float:
    """Exact mean of the random control's simple regret, over all orders of drawing.

    It draws n of N candidates without replacement, so the k-th best (k from 0) is the best drawn
    with probability C(N-1-k, n-1) / C(N, n).

    Args:
        scores: The score of every candidate; lower is better.
        fraction: Part of the candidates that are drawn, above 0 and at most 1.

    Raises:
        ParameterError: The fraction is out of range.
    """
    ordered = sorted(scores)
    n_all, n_drawn = len(ordered), _trials(len(ordered), fraction)
    total = math.comb(n_all, n_drawn)
    mean = sum(
        score * (math.comb(n_all - 1 - place, n_drawn - 1) / total)
        for place, score in enumerate(ordered)
    )
    return mean - ordered[0]


def _trials(n_candidates: int, fraction: float) -> int:
    if not 0.0 < fraction <= 1.0:
        raise ParameterError(f"fraction {fraction} is out of range: above 0, and 1 at most.")
    return max(1, math.floor(fraction * n_candidates))
