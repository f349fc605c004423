from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from label_paths import THREE, TWO, path_of

from regime_nas_pipeline.verdict.labels.agreement import COLUMNS, agreement

QUIET, WILD = 0.001, 0.03


def moves(states: str) -> np.ndarray:
    """Larger moves of the index in regimes of a higher number."""
    return np.array([QUIET * (1 + 30 * int(state)) for state in states])


def test_kappa_by_hand() -> None:
    # 10 bars, both calm on 5, both stressed on 3, one each way on the rest.
    first, second = "0000011101", "0000011110"
    row = agreement({"a": path_of(first), "b": path_of(second)}, moves(first)).iloc[0]
    observed, chance = 0.8, 0.6 * 0.6 + 0.4 * 0.4
    assert row["same"] == pytest.approx(observed)
    assert row["kappa"] == pytest.approx((observed - chance) / (1 - chance))
    assert tuple(agreement({"a": path_of(first)}, moves(first)).columns) == COLUMNS


def test_regimes_are_matched_by_volatility_and_not_by_column() -> None:
    said = "0001100011"
    turned = path_of("1110011100", ("wild", "quiet"))
    row = agreement({"a": path_of(said), "b": turned}, moves(said)).iloc[0]
    assert row["same"] == 1.0
    assert row["kappa"] == 1.0
    assert row["adjusted_rand"] == 1.0


def test_three_regimes_in_another_order_are_matched_too() -> None:
    said = "0011220102"
    turned = said.translate(str.maketrans("012", "120"))
    paths = {"a": path_of(said, THREE), "b": path_of(turned, ("wild", "quiet", "between"))}
    row = agreement(paths, moves(said)).iloc[0]
    assert row["same"] == 1.0
    assert row["kappa"] == 1.0


def _rand_by_pairs(first: str, second: str) -> float:
    """Adjusted Rand index from all pairs of bars, one by one."""
    pairs = list(combinations(range(len(first)), 2))
    own = np.array([first[i] == first[j] for i, j in pairs])
    other = np.array([second[i] == second[j] for i, j in pairs])
    expected = own.sum() * other.sum() / len(pairs)
    return float(((own & other).sum() - expected) / ((own.sum() + other.sum()) / 2 - expected))


def test_other_numbers_of_regimes_are_compared_as_partitions() -> None:
    first, second = "0000111100", "0011222200"
    row = agreement({"a": path_of(first), "b": path_of(second, THREE)}, moves(second)).iloc[0]
    assert np.isnan(row["same"])
    assert np.isnan(row["kappa"])
    assert row["adjusted_rand"] == pytest.approx(_rand_by_pairs(first, second))


def test_labellers_that_never_move_have_no_kappa() -> None:
    row = agreement({"a": path_of("0000"), "b": path_of("0000")}, moves("0000")).iloc[0]
    assert row["same"] == 1.0
    assert np.isnan(row["kappa"])


@settings(max_examples=40)
@given(st.text("01", min_size=4, max_size=30), st.text("01", min_size=30, max_size=30))
def test_renaming_changes_nothing(first: str, second: str) -> None:
    second = second[: len(first)]
    assume({*first} == {"0", "1"} == {*second})
    returns = np.random.default_rng(len(first)).normal(size=len(first))
    turned = second.translate(str.maketrans("01", "10"))
    table = agreement({"a": path_of(first), "b": path_of(second)}, returns)
    other = agreement({"a": path_of(first), "b": path_of(turned, TWO[::-1])}, returns)
    np.testing.assert_allclose(table.iloc[:, 2:].to_numpy(float), other.iloc[:, 2:].to_numpy(float))
    assert table["adjusted_rand"].iloc[0] == pytest.approx(_rand_by_pairs(first, second))
