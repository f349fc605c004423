from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from outer_samples import CONTINUOUS, FINITE

from regime_nas_pipeline.search.space import Interval, Options, Space, enumerate_space, sample
from regime_nas_pipeline.search.tried import Candidates, Tried

EVERY = list(enumerate_space(FINITE))


def frozen(choices: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(choices.values())


@given(st.lists(st.sampled_from(EVERY), max_size=120), st.integers(0, 9))
def test_one_is_always_open_and_it_is_found(tried: list[dict[str, Any]], seed: int) -> None:
    candidates = Candidates(FINITE)
    known = Tried(candidates, tried)
    times = Counter(map(frozen, tried))
    left = {frozen(each) for each in EVERY if known.is_open(each)}
    # Whatever was tried least often is open, whatever was tried more often than others is not.
    fewest = min(times[frozen(each)] for each in EVERY)
    assert left >= {frozen(each) for each in EVERY if times[frozen(each)] == fewest}
    generator = np.random.default_rng(seed)
    assert frozen(known.random(generator)) in left
    assert frozen(known.nearest(EVERY[seed], generator)) in left


def test_drawing_is_without_replacement_round_by_round() -> None:
    generator, candidates = np.random.default_rng(0), Candidates(FINITE)
    drawn: list[dict[str, Any]] = []
    for _ in range(2 * len(EVERY)):
        drawn.append(Tried(candidates, drawn).random(generator))
    rounds = [frozenset(map(frozen, drawn[:36])), frozenset(map(frozen, drawn[36:]))]
    assert rounds[0] == rounds[1] == frozenset(map(frozen, EVERY))
    assert drawn[:36] != drawn[36:]


def test_the_last_ones_are_drawn_uniformly() -> None:
    generator, candidates = np.random.default_rng(0), Candidates(FINITE)
    counts = Counter(frozen(Tried(candidates, EVERY[:-3]).random(generator)) for _ in range(300))
    assert set(counts) == {frozen(each) for each in EVERY[-3:]}
    assert min(counts.values()) > 70


def test_the_nearest_open_candidate_is_one_step_away() -> None:
    generator, candidates = np.random.default_rng(0), Candidates(FINITE)
    middle = {"width": 16, "nodes": 2, "head": "gru"}
    known = Tried(candidates, [middle])
    found = {frozen(known.nearest(middle, generator)) for _ in range(40)}
    # A step of the finer scale is the shortest way; either direction is as good.
    assert found == {(8, 2, "gru"), (32, 2, "gru")}
    other = {"width": 8, "nodes": 1, "head": "gru"}
    assert known.nearest(other, generator) == other


@pytest.mark.parametrize(
    "space",
    [CONTINUOUS, {f"d{n}": Options(options=(1, 2, 3, 4)) for n in range(12)}],
    ids=["continuous", "large"],
)
def test_a_space_that_cannot_be_listed_gives_another_candidate_close_by(space: Space) -> None:
    generator, candidates = np.random.default_rng(0), Candidates(space)
    assert candidates.listed is None
    taken = sample(space, generator)
    known = Tried(candidates, [taken])
    for _ in range(20):
        found = known.nearest(taken, generator)
        assert sum(found[name] != taken[name] for name in space) == 1
        assert known.random(generator) != taken


def test_choices_that_build_the_same_count_as_one() -> None:
    def canonical(choices: dict[str, Any]) -> dict[str, Any]:
        same = {"head": "linear", "nodes": 1, "width": choices["width"]}
        return same if choices["head"] == "linear" else choices

    candidates = Candidates(FINITE, canonical)
    # Four linear ones, whatever their nodes, and twenty-four others.
    assert candidates.distinct == 28
    known = Tried(candidates, [{"width": 8, "nodes": 2, "head": "linear"}])
    assert not known.is_open({"width": 8, "nodes": 3, "head": "linear"})
    assert known.is_open({"width": 16, "nodes": 3, "head": "linear"})
    generator = np.random.default_rng(0)
    drawn: list[dict[str, Any]] = []
    for _ in range(28):
        drawn.append(Tried(candidates, drawn).random(generator))
    assert len({candidates.key(each) for each in drawn}) == 28


def test_a_space_of_one_candidate_is_tried_again_and_again() -> None:
    space: Space = {"head": Options(options=("gru",)), "rate": Interval(low=0.1, high=0.1)}
    only = {"head": "gru", "rate": 0.1}
    known = Tried(Candidates(space), [only] * 7)
    assert known.random(np.random.default_rng(0)) == only
