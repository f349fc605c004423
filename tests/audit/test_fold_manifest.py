from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.audit.fold_manifest import (
    FoldLike,
    manifest_of,
    purged_split,
    violations,
)
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import market_from_log_returns
from regime_nas_pipeline.walkforward.folds import Fold, make_folds

LAG, HORIZON, HISTORY, EMBARGO = 1, 5, 10, 2


def market(n_bars: int = 160) -> Market:
    return market_from_log_returns(np.zeros((n_bars - 1, 2)))


MARKET = market()
BARS = MARKET.dates
FOLDS = make_folds(
    MARKET, first_oos=BARS[80], refit_every=30, rebalance_every=10, execution_lag=LAG
)
HONEST = purged_split(
    history=HISTORY, execution_lag=LAG, horizon=HORIZON, fraction=0.25, embargo=EMBARGO
)


def manifest(folds: list[Fold] = FOLDS, split: object = HONEST) -> pd.DataFrame:
    return manifest_of(folds, BARS, split=split, execution_lag=LAG, horizon=HORIZON)


def rules_broken(table: pd.DataFrame) -> set[tuple[int, str]]:
    return {(v.fold, v.rule) for v in violations(table, BARS, embargo=EMBARGO)}


def test_the_manifest_of_a_fold_by_hand() -> None:
    table = manifest()
    first = table[table["fold"] == 0]
    # Bars 0 to 79: samples at rows 9 to 79 - 6 = 73, of which the last 17 validate (rows 57 on);
    # a training target must end by row 57 - 2, so the last training sample is row 49.
    training = first[first["role"] == "training"]
    assert list(training["date"]) == list(BARS[9:50])
    assert list(training["target_end"]) == list(BARS[15:56])
    assert list(first.loc[first["role"] == "validation", "date"]) == list(BARS[57:74])
    assert list(first.loc[first["role"] == "test", "date"]) == [BARS[80], BARS[90], BARS[100]]
    assert set(first["train_end"]) == {BARS[79]}
    # The last decision's target ends after the data.
    last = table[table["role"] == "test"].iloc[-1]
    assert last["date"] == BARS[150]
    assert last["target_end"] == BARS[156]
    assert table["fold"].unique().tolist() == [0, 1, 2]


def test_a_target_beyond_the_data_is_blank() -> None:
    table = manifest_of(FOLDS, BARS, split=HONEST, execution_lag=LAG, horizon=20)
    late = table[(table["role"] == "test") & (table["date"] >= BARS[140])]
    assert late["target_end"].isna().all()


@settings(max_examples=12, deadline=None)
@given(
    timing=st.fixed_dictionaries(
        {"execution_lag": st.integers(0, 2), "horizon": st.integers(1, 9)}
    ),
    steps=st.fixed_dictionaries(
        {"refit_every": st.integers(10, 40), "rebalance_every": st.integers(1, 15)}
    ),
    embargo=st.integers(0, 5),
    fraction=st.sampled_from([None, 0.1, 0.3]),
    window=st.sampled_from([None, 70]),
)
def test_the_projects_own_folds_break_no_rule(
    timing: dict[str, int],
    steps: dict[str, int],
    embargo: int,
    fraction: float | None,
    window: int | None,
) -> None:
    folds = make_folds(
        MARKET,
        first_oos=BARS[90],
        execution_lag=timing["execution_lag"],
        window=window,
        **steps,
    )
    split = purged_split(history=20, fraction=fraction, embargo=embargo, **timing)
    table = manifest_of(folds, BARS, split=split, **timing)
    assert violations(table, BARS, embargo=embargo) == []
    assert set(table["role"]) == {"training", "test"} | ({"validation"} if fraction else set())


def test_shuffled_validation_is_caught() -> None:
    def shuffled(fold: FoldLike, n_bars: int) -> tuple[np.ndarray, np.ndarray]:
        rows = np.concatenate(HONEST(fold, n_bars))
        mixed = np.random.default_rng(0).permutation(rows)
        return np.sort(mixed[20:]), np.sort(mixed[:20])

    found = violations(manifest(split=shuffled), BARS, embargo=EMBARGO)
    assert {v.rule for v in found} == {"order", "purge"}
    assert {v.fold for v in found} == {0, 1, 2}
    order = next(v for v in found if v.rule == "order")
    assert "validation starts on" in order.detail
    assert order.count > 20


@pytest.mark.parametrize(("missing", "caught"), [(0, False), (1, True)])
def test_one_bar_too_few_between_training_and_validation_is_caught(
    missing: int, caught: bool
) -> None:
    def split(fold: FoldLike, n_bars: int) -> tuple[np.ndarray, np.ndarray]:
        training, validation = HONEST(fold, n_bars)
        return np.append(training, training[-1] + np.arange(1, missing + 1)), validation

    assert rules_broken(manifest(split=split)) == (
        {(0, "purge"), (1, "purge"), (2, "purge")} if caught else set()
    )


def test_training_on_the_first_validation_date_is_out_of_order() -> None:
    def split(fold: FoldLike, n_bars: int) -> tuple[np.ndarray, np.ndarray]:
        training, validation = HONEST(fold, n_bars)
        return np.append(training, validation[0]), validation

    assert rules_broken(manifest(split=split)) == {(0, "order"), (1, "order"), (2, "order")}


def test_targets_that_are_not_known_at_train_end_are_caught() -> None:
    def split(fold: FoldLike, n_bars: int) -> tuple[np.ndarray, np.ndarray]:
        return HONEST(fold, n_bars)[0], np.arange(n_bars - 20, n_bars)

    found = [v for v in violations(manifest(split=split), BARS) if v.fold == 0]
    assert [(v.rule, v.date, v.count) for v in found] == [("unknown_target", BARS[74], 6)]


def test_a_target_that_ends_before_its_sample_is_caught() -> None:
    table = manifest()
    table.loc[0, "target_end"] = table.loc[0, "date"]
    assert rules_broken(table) == {(0, "unknown_target")}


def test_a_test_date_in_training_is_caught() -> None:
    late = [replace(fold, train_end=fold.decisions[0]) for fold in FOLDS]
    found = violations(manifest(late), BARS, embargo=EMBARGO)
    assert [(v.fold, v.rule, v.date) for v in found] == [
        (fold.number, "test_in_training", fold.decisions[0]) for fold in FOLDS
    ]


def test_samples_outside_the_window_are_caught() -> None:
    table = manifest()
    second = (table["fold"] == 1) & (table["role"] == "training")
    table.loc[second, "train_start"] = BARS[11]
    (only,) = violations(table, BARS, embargo=EMBARGO)
    assert (only.fold, only.rule, only.date, only.count) == (1, "outside_window", BARS[9], 2)


def test_folds_that_test_the_same_dates_are_caught() -> None:
    twice = [
        FOLDS[0],
        replace(FOLDS[1], decisions=FOLDS[0].decisions[2:].append(FOLDS[1].decisions)),
        FOLDS[2],
    ]
    assert rules_broken(manifest(twice)) == {(1, "test_order"), (1, "test_in_training")}


def test_folds_out_of_order_are_caught() -> None:
    turned = [replace(FOLDS[1], number=0), replace(FOLDS[0], number=1)]
    assert rules_broken(manifest(turned)) == {(1, "fold_order"), (1, "test_order")}


def test_manifests_that_cannot_be_read_are_refused() -> None:
    table = manifest()
    with pytest.raises(DataError, match=r"column 'role'.*a fold manifest needs"):
        violations(table.drop(columns="role"), BARS)
    with pytest.raises(DataError, match="'tuning' is none of the roles"):
        violations(table.replace({"role": {"test": "tuning"}}), BARS)
    with pytest.raises(DataError, match="no bar on this date"):
        violations(table, BARS[::2])
    with pytest.raises(DataError, match="no folds"):
        manifest([])
    with pytest.raises(ParameterError, match="embargo must not be negative"):
        violations(table, BARS, embargo=-1)
    with pytest.raises(ParameterError, match="outside its window"):
        manifest(split=lambda _fold, n_bars: (np.array([n_bars]), np.array([], dtype=int)))
    with pytest.raises(ParameterError, match="horizon must be positive"):
        manifest_of(FOLDS, BARS, split=HONEST, execution_lag=LAG, horizon=0)
