from __future__ import annotations

import math

import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.search.pareto import (
    best_first,
    crowding_distance,
    dominates,
    domination_ranks,
    pareto_front,
)

values = st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0, math.inf, math.nan])
tables = hnp.arrays(float, st.tuples(st.integers(1, 9), st.integers(1, 3)), elements=values)


def beats(a: np.ndarray, b: np.ndarray) -> bool:
    """The definition, objective by objective, with an absent value as the worst."""
    pairs = [
        (math.inf if math.isnan(x) else x, math.inf if math.isnan(y) else y)
        for x, y in zip(a, b, strict=True)
    ]
    return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)


@given(tables)
def test_fronts_by_brute_force(table: np.ndarray) -> None:
    ranks = domination_ranks(table)
    left, rank = set(range(len(table))), 0
    while left:
        front = {i for i in left if not any(beats(table[j], table[i]) for j in left)}
        assert {int(i) for i in np.flatnonzero(ranks == rank)} == front
        left -= front
        rank += 1
    assert (pareto_front(table) == (ranks == 0)).all()
    for i in range(len(table)):
        for j in range(len(table)):
            assert dominates(table[i].tolist(), table[j].tolist()) == beats(table[i], table[j])


def test_the_front_is_that_of_optuna() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    table = np.random.default_rng(0).integers(0, 6, size=(25, 2)).astype(float)
    study = optuna.create_study(directions=["minimize", "minimize"])
    for row in table:
        study.add_trial(optuna.trial.create_trial(values=row.tolist()))
    assert {trial.number for trial in study.best_trials} == set(np.flatnonzero(pareto_front(table)))


def test_an_absent_objective_never_wins_on_it() -> None:
    table = pd.DataFrame({"error": [0.9, 0.9, 0.8], "lipschitz": [5.0, None, None]})
    assert pareto_front(table).tolist() == [True, False, True]
    assert not dominates([0.9, math.nan], [0.9, 5.0])


def test_crowding_distance_by_hand() -> None:
    # One front: 0-4, 1-3, 3-1, 4-0 on a line; each neighbour gap over the range of 4.
    table = np.array([[1.0, 3.0], [4.0, 0.0], [0.0, 4.0], [3.0, 1.0]])
    found = crowding_distance(table, domination_ranks(table))
    assert found.tolist() == [3 / 4 + 3 / 4, math.inf, math.inf, 3 / 4 + 3 / 4]
    # Another front does not crowd this one.
    more = np.vstack([table, table + 10.0])
    assert crowding_distance(more, domination_ranks(more)).tolist() == [*found, *found]


@given(tables)
def test_crowding_distance_is_never_undefined(table: np.ndarray) -> None:
    found = crowding_distance(table, domination_ranks(table))
    assert (found >= 0).all()


@given(tables)
def test_the_best_come_first(table: np.ndarray) -> None:
    order = best_first(table)
    ranks = domination_ranks(table)
    assert sorted(order) == list(range(len(table)))
    assert (np.diff(ranks[order]) >= 0).all()


def test_one_objective_is_sorted_by_its_value_and_then_by_number() -> None:
    assert best_first([[0.5], [0.2], [None], [0.2], [0.1]]).tolist() == [4, 1, 3, 0, 2]


def test_of_one_front_the_less_crowded_come_first() -> None:
    table = np.array([[0.0, 9.0], [1.0, 8.0], [1.5, 7.5], [6.0, 3.0], [9.0, 0.0]])
    assert set(best_first(table)[:2]) == {0, 4}
    assert best_first(table)[2] == 3


@pytest.mark.parametrize("costs", [np.zeros(3), np.zeros((3, 0))])
def test_what_is_no_table_is_refused(costs: np.ndarray) -> None:
    with pytest.raises(ParameterError, match="candidates by objectives"):
        pareto_front(costs)
