from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from evaluated import CLOSES, rows_of, seeds_of, strategies, variant_rows_of, variants_of
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.walkforward.comparable_evaluations import (
    FEWER_DATES,
    OTHER_DATES,
    OTHER_PRICES,
    THIS_RUN,
    ComparableEvaluations,
    comparable_evaluations,
)
from regime_nas_pipeline.walkforward.evaluation_ledger import (
    LATER_COLUMNS,
    WHOLE_RUN,
    VariantReturns,
    Whose,
)

RETURNS = strategies(1)
SEEDS = seeds_of(RETURNS, 1)
OWN = rows_of(RETURNS, SEEDS)
TRIED = variant_rows_of(variants_of(RETURNS, 1))
NONE_LEFT_OUT = {OTHER_PRICES: 0, FEWER_DATES: 0, OTHER_DATES: 0}


def _run(seed: int, **changes: Any) -> pd.DataFrame:
    returns = strategies(seed)
    return rows_of(returns, seeds_of(returns, seed), **changes)


def _compare(*tables: pd.DataFrame, seeds: pd.DataFrame = SEEDS) -> ComparableEvaluations:
    ledger = pd.concat(tables, ignore_index=True)
    return comparable_evaluations(ledger, RETURNS, seeds, closes_hash=CLOSES)


def test_a_first_run_is_compared_with_itself():
    found = _compare(OWN)
    numbers = {
        "n_in_ledger": 5,
        "n_trials_counted": 5,
        "n_copies": 0,
        "left_out": NONE_LEFT_OUT,
    }
    assert found.counts == {
        **numbers,
        "n_strategies": 3,
        "n_seeds": 2,
        "n_earlier": 0,
        "origins": {THIS_RUN: numbers},
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
    assert found.counts["left_out"] == {**NONE_LEFT_OUT, OTHER_PRICES: 5, OTHER_DATES: 4}
    assert found.counts["n_trials_counted"] == 5
    json.dumps(found.counts, allow_nan=False)


def test_variants_of_experiments_are_trials_with_a_row_for_each_origin():
    remedies = variants_of(strategies(2), 2, n_variants=3)
    other = variant_rows_of(remedies, origin="calibration", cost_bps=50.0)
    found = _compare(OWN, TRIED, _run(3), other)
    assert list(found.counts["origins"]) == [THIS_RUN, WHOLE_RUN, "ablation", "calibration"]
    counted = {name: own["n_trials_counted"] for name, own in found.counts["origins"].items()}
    # The ablation's equal weight is this run's; that of the calibration paid other costs.
    assert counted == {THIS_RUN: 5, WHOLE_RUN: 5, "ablation": 2, "calibration": 4}
    assert found.counts["n_earlier"] == 11
    assert list(found.trials.this_run) == OWN["evaluation_id"].tolist()
    for rows, variants in ((TRIED, variants_of(RETURNS, 1)), (other, remedies)):
        for name, net in zip(rows["evaluation_id"][1:], variants.net.values(), strict=True):
            np.testing.assert_array_equal(found.trials.returns[name], net)
            np.testing.assert_array_equal(found.trials.leads[name], net - variants.equal_weight)


def test_a_variant_that_is_the_network_itself_counts_as_the_runs_own():
    first, _ = seeds_of(RETURNS, 1)["net"].to_numpy().reshape(2, -1)
    earlier = strategies(2)
    variants = VariantReturns(
        {
            Whose("gru", 1, "full"): pd.Series(first, index=RETURNS.index),
            Whose("gru", 1, "of an earlier run"): earlier["gru"],
        },
        RETURNS["equal_weight"],
    )
    found = _compare(variant_rows_of(variants), rows_of(earlier, SEEDS.iloc[:0]), OWN).counts
    assert found["n_seeds"] == 2
    ablation = found["origins"]["ablation"]
    assert (ablation["n_trials_counted"], ablation["n_copies"]) == (0, 2)
    assert found["origins"][WHOLE_RUN]["n_trials_counted"] == 3


def test_a_ledger_that_began_before_variants_is_read_on():
    first = OWN.drop(columns=list(LATER_COLUMNS))
    assert _compare(first).counts == _compare(OWN).counts
    assert _compare(first, TRIED).counts == _compare(OWN, TRIED).counts
    earlier = _run(2).drop(columns=list(LATER_COLUMNS))
    assert _compare(OWN, earlier).counts == _compare(OWN, _run(2)).counts


def test_variants_on_fewer_dates_are_counted_apart_by_origin():
    later = RETURNS.iloc[20:]
    # Who begins later has closes of its own, from its own first decision on.
    short = variant_rows_of(variants_of(later, 5), closes_hash="0" * 64)
    found = _compare(OWN, TRIED, short)
    assert found.counts["left_out"] == {**NONE_LEFT_OUT, FEWER_DATES: 3}
    ablation = found.counts["origins"]["ablation"]
    assert (ablation["n_in_ledger"], ablation["n_trials_counted"]) == (5, 2)
    assert ablation["left_out"] == {**NONE_LEFT_OUT, FEWER_DATES: 3}
    assert not set(short["evaluation_id"]) & set(found.trials.returns.columns)
    assert found.trials.returns.notna().all(axis=None)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(2, 5), st.sampled_from(["c" * 64, "0" * 64])), max_size=4))
def test_every_row_of_the_ledger_is_accounted_for(runs: list[tuple[int, str]]):
    tables = [_run(seed, closes_hash=closes) for seed, closes in runs]
    found = _compare(OWN, *tables, TRIED).counts
    left_out = sum(found["left_out"].values())
    distinct = pd.concat([OWN, *tables, TRIED])["evaluation_id"].nunique()
    assert found["n_in_ledger"] == distinct
    assert found["n_trials_counted"] + found["n_copies"] + left_out == distinct
    assert found["n_trials_counted"] == sum(
        found[origin] for origin in ("n_strategies", "n_seeds", "n_earlier")
    )
    assert found["n_earlier"] == 2 + 5 * len({seed for seed, closes in runs if closes == CLOSES})
    for number in ("n_in_ledger", "n_trials_counted", "n_copies"):
        assert found[number] == sum(own[number] for own in found["origins"].values())
    for reason, number in found["left_out"].items():
        assert number == sum(own["left_out"][reason] for own in found["origins"].values())


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
