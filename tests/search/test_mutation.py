from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from outer_samples import CONTINUOUS, FINITE

from regime_nas_pipeline.search.mutation import crossed, mutated
from regime_nas_pipeline.search.space import (
    Interval,
    Options,
    Space,
    check_choices,
    encode,
    sample,
)

STUCK: Space = {"one": Options(options=("a",)), "same": Interval(low=2.0, high=2.0)}
seeds = st.integers(0, 2**32 - 1)
spaces = st.sampled_from([FINITE, CONTINUOUS, {**STUCK, **FINITE}, {**STUCK, **CONTINUOUS}])


@given(spaces, seeds, st.sampled_from([0.0, 0.5, 1.0]))
def test_exactly_one_gene_changes_and_stays_in_the_space(
    space: Space, seed: int, local: float
) -> None:
    generator = np.random.default_rng(seed)
    parent = sample(space, generator)
    before = dict(parent)
    child = mutated(space, parent, generator, local=local)
    check_choices(space, child)
    assert list(child) == list(space)
    assert sum(child[name] != parent[name] for name in space) == 1
    assert parent == before


def test_where_nothing_can_change_nothing_does() -> None:
    only = {"one": "a", "same": 2.0}
    assert mutated(STUCK, only, np.random.default_rng(0), local=0.5) == only


@given(seeds)
def test_a_local_step_of_ordered_options_is_one_rank(seed: int) -> None:
    generator = np.random.default_rng(seed)
    space: Space = {"width": Options(options=(64, 8, 32, 16))}
    parent = sample(space, generator)
    child = mutated(space, parent, generator, local=1.0)
    assert abs(math.log2(child["width"] / parent["width"])) == 1.0


def test_a_local_step_on_an_interval_is_short_and_a_new_draw_is_not() -> None:
    space: Space = {"rate": Interval(low=1e-4, high=1e-1, log=True)}
    middle = {"rate": 10**-2.5}

    def moves(local: float) -> np.ndarray:
        generator = np.random.default_rng(0)
        children = [mutated(space, middle, generator, local=local) for _ in range(2000)]
        return np.array([encode(space, child)[0] - 0.5 for child in children])

    near, far = moves(1.0), moves(0.0)
    assert abs(near.std() - 0.15) < 0.01
    assert abs(far.std() - 12**-0.5) < 0.01
    assert abs(near.mean()) < 0.02


def test_steps_over_a_bound_are_reflected() -> None:
    space: Space = {"x": Interval(low=0.0, high=1.0)}
    generator = np.random.default_rng(0)
    found = np.array([mutated(space, {"x": 1.0}, generator, local=1.0)["x"] for _ in range(2000)])
    assert (found < 1.0).all()
    # Half a normal distribution: its mean lies sqrt(2 / pi) standard deviations below the bound.
    assert abs(1.0 - found.mean() - 0.15 * math.sqrt(2 / math.pi)) < 0.01


def test_every_option_is_reached_from_every_other() -> None:
    generator = np.random.default_rng(0)
    space: Space = {"head": Options(options=("a", "b", "c")), "n": Options(options=(1, 2, 3))}
    for local, reached in [(0.0, {2, 3}), (1.0, {2})]:
        children = [
            mutated(space, {"head": "a", "n": 1}, generator, local=local) for _ in range(99)
        ]
        assert {child["head"] for child in children} == {"a", "b", "c"}
        assert {child["n"] for child in children} - {1} == reached


@given(seeds)
def test_a_child_of_two_takes_every_gene_from_one_of_them(seed: int) -> None:
    generator = np.random.default_rng(seed)
    first, second = sample(CONTINUOUS, generator), sample(CONTINUOUS, generator)
    child = crossed(first, second, generator)
    assert list(child) == list(CONTINUOUS)
    assert all(child[name] in (first[name], second[name]) for name in CONTINUOUS)


def test_both_parents_give_the_same_share() -> None:
    generator = np.random.default_rng(0)
    first = {f"g{n}": 0 for n in range(20)}
    second = dict.fromkeys(first, 1)
    given_by_second = [sum(crossed(first, second, generator).values()) for _ in range(200)]
    assert abs(np.mean(given_by_second) - 10.0) < 0.5
