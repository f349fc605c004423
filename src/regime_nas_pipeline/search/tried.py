"""No trial is spent on a candidate that was tried already while others were not.

On a finite space every strategy, the random control included, thus samples without replacement;
once all candidates were tried, the next round begins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import Any

import numpy as np

from regime_nas_pipeline.search.mutation import mutated
from regime_nas_pipeline.search.space import (
    Space,
    encode,
    enumerate_space,
    sample,
    space_size,
)

Canonical = Callable[[dict[str, Any]], dict[str, Any]]
"""One spelling for all choices that build the same candidate."""

_LISTED = 4096
_ATTEMPTS = 64


class Candidates:
    """The candidates of a space, and which of them are one and the same.

    Args:
        space: What may be chosen.
        canonical: Gives choices that build the same candidate one spelling; None where choices
            that differ are candidates that differ.
    """

    def __init__(self, space: Space, canonical: Canonical | None = None) -> None:
        self.space = space
        self._canonical = canonical
        self.listed: list[dict[str, Any]] | None = None
        self.points: np.ndarray | None = None
        self.distinct = space_size(space)
        if self.distinct <= _LISTED:
            first = {self.key(choices): choices for choices in reversed([*enumerate_space(space)])}
            self.listed = list(first.values())[::-1]
            self.points = np.stack([encode(space, choices) for choices in self.listed])
            self.distinct = len(self.listed)

    def key(self, choices: dict[str, Any]) -> Hashable:
        """The same for choices that build the same candidate."""
        plain = self._canonical(choices) if self._canonical else choices
        return tuple(sorted(plain.items()))


class Tried:
    """Which candidates are still open, given those that were tried.

    Args:
        candidates: Of the space.
        choices: Everything that was proposed so far, finished or not.
    """

    def __init__(self, candidates: Candidates, choices: Iterable[dict[str, Any]]) -> None:
        self._all = candidates
        self._times = Counter(candidates.key(each) for each in choices)
        # While n candidates were tried fewer than n times each on average, one at least was not.
        self._round = int(self._times.total() // candidates.distinct)

    def is_open(self, choices: dict[str, Any]) -> bool:
        """Whether the candidate was not tried yet in this round."""
        return self._times[self._all.key(choices)] <= self._round

    def random(self, generator: np.random.Generator) -> dict[str, Any]:
        """An open candidate, uniformly."""
        for _ in range(_ATTEMPTS):
            choices = sample(self._all.space, generator)
            if self.is_open(choices):
                return choices
        if self._all.listed is None:
            return choices
        left = [each for each in self._all.listed if self.is_open(each)]
        return dict(left[int(generator.integers(len(left)))])

    def nearest(self, choices: dict[str, Any], generator: np.random.Generator) -> dict[str, Any]:
        """``choices`` if open, else an open candidate close by.

        The nearest one in the unit cube where the space is small enough to list, any of equals;
        else the first open one on a walk that changes one choice at a time.
        """
        if self.is_open(choices):
            return choices
        if self._all.listed is not None and self._all.points is not None:
            left = [row for row, each in enumerate(self._all.listed) if self.is_open(each)]
            away = self._all.points[left] - encode(self._all.space, choices)
            distance = (away**2).sum(axis=1).round(12)
            equals = np.flatnonzero(distance == distance.min())
            return dict(self._all.listed[left[int(generator.choice(equals))]])
        for _ in range(_ATTEMPTS):
            choices = mutated(self._all.space, choices, generator, local=1.0)
            if self.is_open(choices):
                return choices
        return self.random(generator)
