"""Evolutionary search: a small steady-state population, tournaments, crossover and mutation.

Every trial is one child. The population is the best of all candidates so far (Pareto rank, then
crowding distance where there are several objectives, NSGA-II), so that a good one is kept and
the weakest makes room; with some fifty trials, ageing them out would throw knowledge away.
Mutation and tournaments follow Real et al. 2019 (Regularized evolution, arXiv 1802.01548).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from regime_nas_pipeline.search.mutation import crossed, mutated
from regime_nas_pipeline.search.pareto import best_first
from regime_nas_pipeline.search.random_search import tried_so_far
from regime_nas_pipeline.search.trials import (
    OuterSettings,
    Proposal,
    Trial,
    objective_values,
    own_generator,
)
from regime_nas_pipeline.search.tried import Candidates

_ATTEMPTS = 16


class EvolutionaryProposer:
    """Breeds one child per trial.

    Args:
        candidates: Of the space.
        settings: Population, tournament and objectives.
        seed: Of the search.
    """

    def __init__(self, candidates: Candidates, settings: OuterSettings, seed: int) -> None:
        self._candidates, self._settings, self._seed = candidates, settings, seed

    def propose(
        self, number: int, history: Sequence[Trial], pending: Sequence[Proposal]
    ) -> dict[str, Any]:
        """See ``trials.Proposer``."""
        generator = own_generator(self._seed, number, 0)
        tried = tried_so_far(self._candidates, history, pending)
        if not history:
            return tried.random(generator)
        evolution = self._settings.evolution
        order = best_first(objective_values(history, self._settings.objectives))
        population = [history[row].proposal.choices for row in order[: evolution.population]]
        for _ in range(_ATTEMPTS):
            # Other parents if the child was tried already: mutating it further would lead away.
            child = self._parent(population, generator)
            if generator.random() < evolution.crossover:
                child = crossed(child, self._parent(population, generator), generator)
            child = mutated(self._candidates.space, child, generator, local=evolution.local)
            if tried.is_open(child):
                return child
        return tried.nearest(child, generator)

    def _parent(
        self, population: Sequence[dict[str, Any]], generator: np.random.Generator
    ) -> dict[str, Any]:
        """The winner of a tournament; the population is sorted from best to worst."""
        size = min(self._settings.evolution.tournament, len(population))
        return population[int(generator.choice(len(population), size, replace=False).min())]
