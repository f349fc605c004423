"""Nothing in the whole pipeline sees the future: alter it, and the past stays as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from project_runs import Case, stock_case

FORECASTERS = ("regime_nas", "gru", "transformer", "garch", "momentum")
SEARCHED = {"regime_nas": "architecture", "gru": "gru.tuned", "transformer": "transformer.tuned"}
# A decision is made on it: between decisions, a glance a few bars ahead would not reach the future.
AUDIT_DATE = pd.Timestamp("2016-03-02")
LAST_NODES = ["collect_trials", "trade_strategies"]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("finished")]


def scrambled_after(prices: pd.DataFrame, date: pd.Timestamp) -> pd.DataFrame:
    """The same prices up to ``date``; after it every price is another one."""
    altered = prices.copy()
    after = altered.index > date
    noise = np.random.default_rng(7).normal(0.0, 0.05, (int(after.sum()), prices.shape[1]))
    altered.loc[after] = prices.loc[after] * np.exp(np.cumsum(noise, axis=0)) * 1.5
    return altered


@pytest.fixture(scope="module")
def scrambled(bundled_prices: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("scrambled")
    case = stock_case(folder, scrambled_after(bundled_prices, AUDIT_DATE))
    case.run(to_nodes=LAST_NODES)
    return case


@pytest.fixture(scope="module")
def cut(bundled_prices: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Case:
    case = stock_case(tmp_path_factory.mktemp("cut"), bundled_prices.loc[:AUDIT_DATE])
    case.run(to_nodes=LAST_NODES)
    return case


def past_of(case: Case) -> dict[str, pd.DataFrame]:
    """Every dated dataset up to the audit date; weights may still be those of the bar after."""
    tables = {name: case.load(name) for name in ("prices", "decisions", "weights")}
    tables["regimes"] = case.load("regimes").reset_index()
    tables["strategy_returns"] = case.load("strategy_returns").reset_index()
    for name in FORECASTERS:
        tables[f"{name}.forecasts"] = case.load(f"{name}.forecasts")
    past = {
        name: table[table["date"] <= AUDIT_DATE].reset_index(drop=True)
        for name, table in tables.items()
    }
    # A decision is dated by the close that it was made on; its trade came later.
    past["decisions"] = past["decisions"][["date", "strategy", "fallback", "reason", "n_assets"]]
    return past


def last_targets(case: Case) -> pd.DataFrame:
    """What was decided on the audit date, as held on the first bar that it earns."""
    decisions, weights = case.load("decisions"), case.load("weights")
    first_earned = decisions.loc[decisions["date"] == AUDIT_DATE, "first_earned"].unique()
    return weights[weights["date"].isin(first_earned)].reset_index(drop=True)


def tolerant(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns=["reason"], errors="ignore")


def test_the_future_was_altered_and_changes_the_future(finished: Case, scrambled: Case) -> None:
    before, after = finished.load("strategy_returns"), scrambled.load("strategy_returns")
    assert not before.loc[AUDIT_DATE:].equals(after.loc[AUDIT_DATE:])


def test_scrambling_the_future_leaves_every_dated_row_unchanged_to_the_bit(
    finished: Case, scrambled: Case
) -> None:
    expected, found = past_of(finished), past_of(scrambled)
    for name, table in expected.items():
        assert len(table), name
        pd.testing.assert_frame_equal(found[name], table, check_exact=True, obj=name)


def test_what_is_decided_on_the_audit_date_is_traded_later_and_does_not_depend_on_it(
    finished: Case, scrambled: Case
) -> None:
    expected = last_targets(finished)
    assert set(expected["strategy"]) >= {*FORECASTERS, "equal_weight", "mvo_flat"}
    assert (expected["date"] > AUDIT_DATE).all()
    pd.testing.assert_frame_equal(last_targets(scrambled), expected, check_exact=True)


def test_cutting_the_future_leaves_every_dated_row_unchanged(finished: Case, cut: Case) -> None:
    expected, found = past_of(finished), past_of(cut)
    for name in expected:
        # Near the cut the last decisions have no bar left to earn, so they are not made.
        if name in {"decisions"} or name.endswith(".forecasts"):
            last = found[name]["date"].max()
            expected[name] = expected[name][expected[name]["date"] <= last].reset_index(drop=True)
            assert last >= AUDIT_DATE - pd.Timedelta(days=45)
        pd.testing.assert_frame_equal(
            tolerant(found[name]), tolerant(expected[name]), rtol=0, atol=1e-6, obj=name
        )


@pytest.mark.parametrize("other", ["scrambled", "cut"])
def test_what_the_search_found_does_not_depend_on_the_future(
    finished: Case, other: str, request: pytest.FixtureRequest
) -> None:
    altered: Case = request.getfixturevalue(other)
    for dataset in SEARCHED.values():
        assert altered.load(dataset) == finished.load(dataset)
    columns = ["trial_id", "score", "validation_returns", "parameters"]
    expected, found = finished.load("search_trials"), altered.load("search_trials")
    for column in columns:
        for left, right in zip(expected[column], found[column], strict=True):
            assert np.array_equal(left, right), column


@pytest.mark.parametrize("other", ["scrambled", "cut"])
def test_models_of_folds_that_ended_before_are_unchanged_to_the_bit(
    finished: Case, other: str, request: pytest.FixtureRequest
) -> None:
    altered: Case = request.getfixturevalue(other)
    for name in FORECASTERS:
        expected = finished.load(f"{name}.checkpoints")
        found = altered.load(f"{name}.checkpoints")
        ends = pd.to_datetime(expected.facts["train_ends"])
        known = [number for number, end in enumerate(ends) if end <= AUDIT_DATE]
        assert known
        for number in known:
            left, right = (
                expected.prefixed(f"fold{number:02d}"),
                found.prefixed(f"fold{number:02d}"),
            )
            assert left.keys() == right.keys()
            for key, array in left.items():
                assert np.array_equal(array, right[key], equal_nan=True), (name, number, key)


def test_no_search_sees_an_out_of_sample_date(finished: Case) -> None:
    first = finished.load("summary")["sample"]["first_oos"]
    for dataset in SEARCHED.values():
        assert finished.load(dataset)["search"]["last_date_seen"] < first
    dates = finished.load("search_trials")["validation_dates"].iloc[0]
    assert max(dates) < first


def test_outputs_hold_no_path_of_this_machine(finished: Case) -> None:
    report = finished.load("report")
    assert str(Path.home()) not in report
    assert str(finished.folder) not in report
