from __future__ import annotations

import numpy as np
import pytest

from regime_nas_pipeline.core.bundle import Bundle, bundle_from_bytes, bundle_to_bytes


@pytest.mark.parametrize(
    "array",
    [
        np.array(1.5),
        np.arange(6.0).reshape(2, 3).T,
        np.array([True, False]),
        np.zeros((0, 3), dtype=np.float32),
        np.array([np.nan, -np.inf, -0.0]),
        np.arange(10)[::-3],
    ],
    ids=["one number", "transposed", "boolean", "empty", "special", "strided"],
)
def test_an_array_comes_back_in_shape_kind_and_value(array: np.ndarray) -> None:
    found = bundle_from_bytes(bundle_to_bytes(Bundle({"x": array}))).arrays["x"]
    assert found.shape == array.shape
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_facts_come_back() -> None:
    facts = {"names": ["ä", "b"], "deep": {"x": [1, 2.5, None, True]}}
    assert bundle_from_bytes(bundle_to_bytes(Bundle({"x": np.ones(1)}, facts))).facts == facts


def test_equal_bundles_give_equal_bytes_in_whatever_order_they_were_filled() -> None:
    one = Bundle({"a": np.ones(2), "b": np.zeros(3)}, {"p": 1, "q": 2})
    other = Bundle({"b": np.zeros(3), "a": np.ones(2)}, {"q": 2, "p": 1})
    assert bundle_to_bytes(one) == bundle_to_bytes(other)


def test_prefixed_takes_whole_folders_only() -> None:
    arrays = {"seed1/w": np.ones(1), "seed1/sub/b": np.ones(2), "seed10/w": np.ones(3)}
    found = Bundle(arrays).prefixed("seed1")
    assert {name: array.shape for name, array in found.items()} == {"w": (1,), "sub/b": (2,)}
