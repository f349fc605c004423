from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from regime_nas_pipeline.audit.cells import differing, leaves, shown
from regime_nas_pipeline.core.bundle import Bundle


def objects(*values: Any) -> np.ndarray:
    result = np.empty(len(values), dtype=object)
    result[:] = values
    return result


@given(
    hnp.arrays(np.float64, st.integers(0, 8), elements=st.floats()),
    st.integers(0, 7),
    st.integers(0, 62),
)
def test_any_flipped_bit_is_seen_unless_both_are_blank(
    values: np.ndarray, place: int, bit: int
) -> None:
    assert not differing(values, values.copy(), None).any()
    if place < len(values):
        other = values.copy()
        other.view(np.uint64)[place] ^= np.uint64(1) << np.uint64(bit)
        blank = np.isnan(values[place]) and np.isnan(other[place])
        expected = np.arange(len(values)) == place
        assert (differing(values, other, None) == (expected & ~blank)).all()


def test_the_sign_of_zero_is_a_bit() -> None:
    assert differing(np.array([0.0]), np.array([-0.0]), None).tolist() == [True]
    assert differing(np.array([0.0]), np.array([-0.0]), 0.0).tolist() == [False]


def test_a_tolerance_is_absolute_below_one_and_relative_above() -> None:
    before = np.array([0.0, 0.0, 1000.0, 1000.0, np.nan, np.inf, np.inf, 1.0])
    after = np.array([9e-7, 2e-6, 1000.0009, 1000.002, np.nan, np.inf, 1e300, np.nan])
    expected = [False, True, False, True, False, False, True, True]
    assert differing(before, after, 1e-6).tolist() == expected


def test_numbers_of_two_kinds_are_compared_by_value() -> None:
    assert differing(np.array([1, 2]), np.array([1.0, 2.5]), None).tolist() == [False, True]
    assert differing(np.array([True]), np.array([False]), None).tolist() == [True]


def test_dates_are_compared_with_blanks() -> None:
    before = np.array(["2020-01-01", "NaT", "NaT"], dtype="datetime64[us]")
    after = np.array(["2020-01-01", "NaT", "2020-01-01"], dtype="datetime64[us]")
    assert differing(before, after, None).tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("left", "right", "tolerance", "different"),
    [
        ("a", "a", None, False),
        ("a", "b", 1.0, True),
        (None, np.nan, None, False),
        (pd.NA, None, None, False),
        (None, 0.0, None, True),
        ([1.0, 2.0], [1.0, 2.0 + 1e-9], None, True),
        ([1.0, 2.0], [1.0, 2.0 + 1e-9], 1e-6, False),
        ([1.0], [1.0, 2.0], 1e-6, True),
        (np.array([1.0, np.nan]), [1.0, None], None, False),
        ({"a": [1.0]}, {"a": [1.0]}, None, False),
        ({"a": 1.0}, {"b": 1.0}, None, True),
        ({"a": 1.0}, [1.0], None, True),
        (True, 1, None, False),
        (True, False, None, True),
    ],
)
def test_objects_are_compared_to_their_depth(
    left: Any, right: Any, tolerance: float | None, different: bool
) -> None:
    assert differing(objects(left), objects(right), tolerance).tolist() == [different]


def test_leaves_name_everything_in_a_nested_value() -> None:
    value = {
        "table": pd.DataFrame({"x": [1.0, 2.0]}, index=pd.Index(["a", "b"], name="who")),
        "bundle": Bundle({"fold/slope": np.zeros((2, 2))}, {"names": ["p", "q"]}),
        "deep": [{"loss": 0.5}, {"loss": 0.25, "seconds": 3.0}],
        "empty": [],
        "number": 4,
    }
    found = leaves(value, ignore=frozenset({"seconds"}))
    assert {path: array.tolist() for path, array in found.items()} == {
        "table.who": ["a", "b"],
        "table.x": [1.0, 2.0],
        "bundle.fold/slope": [[0.0, 0.0], [0.0, 0.0]],
        "bundle.names": ["p", "q"],
        "deep.[0].loss": [0.5],
        "deep.[1].loss": [0.25],
        "empty": [],
        "number": [4],
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(0.5), 0.5),
        (np.bool(True), True),
        (float("nan"), None),
        (float("inf"), "inf"),
        (pd.Timestamp("2020-01-02"), "2020-01-02T00:00:00"),
        ([1.0, 2.0], "[1.0, 2.0]"),
        ("x" * 300, "x" * 200),
    ],
)
def test_values_are_shown_as_json_can_hold_them(value: Any, expected: Any) -> None:
    assert shown(value) == expected
