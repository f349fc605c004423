from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from evaluated import CLOSES, rows_of, seeds_of, strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.walkforward.comparable_evaluations import (
    OTHER_DATES,
    OTHER_PRICES,
    ComparableEvaluations,
    comparable_evaluations,
)

RETURNS = strategies(1)
SEEDS = seeds_of(RETURNS, 1)
OWN = rows_of(RETURNS, SEEDS)


def _run(seed: int, **changes: Any) -> pd.DataFrame:
    returns = strategies(seed)
    return rows_of(returns, seeds_of(returns, seed), **changes)


def _compare(*tables: pd.DataFrame, seeds: pd.DataFrame = SEEDS) -> ComparableEvaluations:
    ledger = pd.concat(tables, ignore_index=True)
    return comparable_evaluations(ledger, RETURNS, seeds, closes_hash=CLOSES)


def test_a_first_run_is_compared_with_itself():
    found = _compare(OWN)
    assert found.counts == {
        "n_in_ledger": 5,
        "n_trials_counted": 5,
        "n_strategies": 3,
        "n_seeds": 2,
        "n_earlier": 0,
        "n_copies": 0,
        "left_out": {OTHER_PRICES: 0, OTHER_DATES: 0},
    }
    assert list(found.trials.this_run) == OWN["evaluation_id"].tolist()
    np.testing.assert_array_equal(found.trials.returns.iloc[:, :3], RETURNS)
    pd.testing.assert_index_equal(found.trials.returns.index, RETURNS.index)
    lead = RETURNS["momentum"] - RETURNS["equal_weight"]
    np.testing.assert_array_equal(found.trials.leads.iloc[:, 1], lead)
    assert (found.trials.leads.iloc[:, 2] == 0.0).all()


def test_a_lead_is_taken_over_the_equal_weight_of_its_own_run():
    earlier = _run(2, cost_bps=50.0, settings_hash="t" * 64)
    found = _compare(OWN, earlier)
    assert found.counts["n_earlier"] == 5
    assert list(found.trials.this_run) == OWN["evaluation_id"].tolist()
    theirs = strategies(2)
    name = earlier.loc[earlier["strategy"] == "momentum", "evaluation_id"].iloc[0]
    expected = theirs["momentum"] - theirs["equal_weight"]
    np.testing.assert_array_equal(found.trials.leads[name], expected)
    np.testing.assert_array_equal(found.trials.returns[name], theirs["momentum"])


def test_the_same_returns_count_once_by_whatever_settings():
    again = rows_of(RETURNS, SEEDS, settings_hash="t" * 64)
    single = seeds_of(RETURNS, 1, n_seeds=1).assign(net=RETURNS["gru"].to_numpy())
    found = _compare(OWN, again)
    assert (found.counts["n_trials_counted"], found.counts["n_copies"]) == (5, 5)
    assert found.counts["n_earlier"] == 0
    # The only seed of a network is its strategy.
    alone = _compare(rows_of(RETURNS, single), seeds=single)
    assert (alone.counts["n_seeds"], alone.counts["n_copies"]) == (0, 1)


def test_other_prices_and_dates_are_counted_and_left_out():
    longer = strategies(3, n_bars=41)
    found = _compare(
        OWN, _run(4, closes_hash="0" * 64), rows_of(longer, seeds_of(longer, 3, n_seeds=1))
    )
    assert found.counts["left_out"] == {OTHER_PRICES: 5, OTHER_DATES: 4}
    assert found.counts["n_trials_counted"] == 5
    json.dumps(found.counts, allow_nan=False)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(2, 5), st.sampled_from(["c" * 64, "0" * 64])), max_size=4))
def test_every_row_of_the_ledger_is_accounted_for(runs: list[tuple[int, str]]):
    tables = [_run(seed, closes_hash=closes) for seed, closes in runs]
    found = _compare(OWN, *tables).counts
    left_out = sum(found["left_out"].values())
    distinct = pd.concat([OWN, *tables])["evaluation_id"].nunique()
    assert found["n_in_ledger"] == distinct
    assert found["n_trials_counted"] + found["n_copies"] + left_out == distinct
    assert found["n_trials_counted"] == sum(
        found[origin] for origin in ("n_strategies", "n_seeds", "n_earlier")
    )
    assert found["n_earlier"] == 5 * len({seed for seed, closes in runs if closes == CLOSES})


def test_returns_that_were_not_recorded_are_refused():
    with pytest.raises(DataError, match=r"momentum are not in the ledger.*walk_forward_evaluation"):
        _compare(OWN[OWN["strategy"] != "momentum"])
    with pytest.raises(DataError, match="gru, seed 2, are not in the ledger"):
        _compare(OWN.iloc[:4])


def test_an_altered_row_is_named():
    other = OWN.assign(returns=[[0.001, *row[1:]] for row in OWN["returns"]])
    altered = pd.concat([OWN.iloc[:1], other.iloc[1:2], OWN.iloc[2:]])
    with pytest.raises(DataError, match=rf"evaluations.*momentum.*{OWN.loc[1, 'evaluation_id']}"):
        _compare(altered)


def test_a_ledger_that_lost_a_part_says_so():
    earlier = _run(2)
    with pytest.raises(DataError, match="lacks the equal weight"):
        _compare(OWN, earlier[earlier["strategy"] != "equal_weight"])
    with pytest.raises(DataError, match="no column 'reference_id'"):
        _compare(OWN.drop(columns="reference_id"))
