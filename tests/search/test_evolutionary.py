from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from outer_samples import FINITE, outcome, settings, trials_of

from regime_nas_pipeline.search.evolutionary import EvolutionaryProposer
from regime_nas_pipeline.search.space import (
    Interval,
    Options,
    Space,
    encode,
    enumerate_space,
    sample,
)
from regime_nas_pipeline.search.trials import EvolutionSettings, Trial
from regime_nas_pipeline.search.tried import Candidates

WIDE: Space = {f"g{n}": Options(options=tuple("abcdefgh")) for n in range(8)}


def proposer(space: Space, evolution: EvolutionSettings, seed: int = 0) -> EvolutionaryProposer:
    return EvolutionaryProposer(
        Candidates(space), settings("evolutionary", evolution=evolution), seed
    )


def distance(a: dict, b: dict) -> int:
    return sum(a[name] != b[name] for name in a)


def history(space: Space, n: int) -> list[Trial]:
    """Trial n has score n, in an order that is not that of the numbers."""
    generator = np.random.default_rng(1)
    trials = trials_of([sample(space, generator) for _ in range(n)])
    order = generator.permutation(n)
    return [
        replace(trial, outcome=outcome(float(score)))
        for trial, score in zip(trials, order, strict=True)
    ]


def test_without_crossover_a_child_is_one_mutation_from_one_of_the_best() -> None:
    trials = history(WIDE, 30)
    ranked = sorted(trials, key=lambda trial: trial.outcome.score)
    for seed in range(40):
        breeds = proposer(WIDE, EvolutionSettings(population=5, crossover=0.0), seed)
        child = breeds.propose(30, trials, [])
        near = [n for n, trial in enumerate(ranked) if distance(child, trial.proposal.choices) == 1]
        assert near
        assert min(near) < 5


def test_the_larger_the_tournament_the_better_the_parent() -> None:
    """Of a population of 6, the best of k without replacement has rank r with a known chance."""
    trials = history(WIDE, 30)
    ranked = sorted(trials, key=lambda trial: trial.outcome.score)[:6]

    def parents(tournament: int) -> Counter[int]:
        evolution = EvolutionSettings(population=6, tournament=tournament, crossover=0.0)
        counts: Counter[int] = Counter()
        for seed in range(240):
            child = proposer(WIDE, evolution, seed).propose(30, trials, [])
            away = [distance(child, trial.proposal.choices) for trial in ranked]
            counts[away.index(1)] += 1
        return counts

    # Three of six: the best takes part in C(5, 2) of C(6, 3) draws, the fourth wins one of 20.
    three = parents(3)
    assert abs(three[0] / 240 - 10 / 20) < 0.1
    assert abs(three[3] / 240 - 1 / 20) < 0.05
    assert three[4] == three[5] == 0
    assert set(parents(6)) == {0}
    assert set(parents(1)) == set(range(6))


def test_crossover_mixes_two_parents() -> None:
    choices = [dict.fromkeys(WIDE, "a"), dict.fromkeys(WIDE, "b")]
    trials = trials_of(choices)
    mixed = 0
    for seed in range(30):
        child = proposer(WIDE, EvolutionSettings(crossover=1.0, tournament=1), seed).propose(
            2, trials, []
        )
        counts = Counter(child.values())
        assert counts["a"] + counts["b"] >= len(WIDE) - 1
        mixed += counts["a"] > 1 and counts["b"] > 1
    assert mixed > 5


def test_numbers_mutate_to_values_close_by() -> None:
    space: Space = {"rate": Interval(low=1e-4, high=1e-1, log=True)}
    trials = trials_of([{"rate": 10**-2.5}])
    for local, spread in [(1.0, 0.15), (0.0, 12**-0.5)]:
        evolution = EvolutionSettings(crossover=0.0, local=local)
        found = np.array(
            [
                encode(space, proposer(space, evolution, seed).propose(1, trials, []))[0] - 0.5
                for seed in range(400)
            ]
        )
        assert abs(found.std() - spread) < 0.03


def test_the_least_crowded_of_the_front_survive() -> None:
    """Parents are chosen by front, then by crowding, so the middle of a dense front is left."""
    choices = [dict.fromkeys(WIDE, letter) for letter in "abcdef"]
    costs = [(0.0, 9.0), (4.4, 4.6), (4.5, 4.5), (4.6, 4.4), (9.0, 0.0), (9.5, 9.5)]
    trials = [
        replace(trial, outcome=outcome(error, parameters=size))
        for trial, (error, size) in zip(trials_of(choices), costs, strict=True)
    ]
    evolution = EvolutionSettings(population=2, tournament=1, crossover=0.0)
    chosen = settings("evolutionary", evolution=evolution, objectives=("error", "parameters"))
    for seed in range(20):
        child = EvolutionaryProposer(Candidates(WIDE), chosen, seed).propose(6, trials, [])
        assert 1 in (distance(child, choices[0]), distance(child, choices[4]))


def test_a_child_that_was_tried_is_mutated_again() -> None:
    every = list(enumerate_space(FINITE))
    for left in every[::5]:
        trials = trials_of([each for each in every if each != left])
        assert proposer(FINITE, EvolutionSettings()).propose(35, trials, []) == left
