from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.regimes.identity import match_regimes


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), n_regimes=st.integers(1, 5), n_parameters=st.integers(1, 4))
def test_no_permutation_costs_less(seed: int, n_regimes: int, n_parameters: int) -> None:
    generator = np.random.default_rng(seed)
    reference, candidate = generator.normal(size=(2, n_regimes, n_parameters))
    scale = generator.uniform(0.1, 10.0, n_parameters)

    def cost(order: tuple[int, ...]) -> float:
        return float((((reference - candidate[list(order)]) / scale) ** 2).sum())

    found = match_regimes(reference, candidate, scale=scale)
    assert sorted(found) == list(range(n_regimes))
    assert cost(found) == pytest.approx(min(map(cost, permutations(range(n_regimes)))))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n_regimes=st.integers(2, 6))
def test_the_same_regimes_in_another_order_are_found(seed: int, n_regimes: int) -> None:
    generator = np.random.default_rng(seed)
    reference = 3.0 * np.arange(n_regimes)[:, None] + generator.uniform(-1, 1, (n_regimes, 2))
    shuffle = generator.permutation(n_regimes)
    moved = reference[shuffle] + generator.uniform(-0.4, 0.4, (n_regimes, 2))
    found = match_regimes(reference, moved, scale=np.ones(2))
    np.testing.assert_array_equal(shuffle[list(found)], np.arange(n_regimes))


def test_the_unit_of_a_parameter_counts() -> None:
    reference = np.array([[0.0, 0.0], [1.0, 1.0]])
    candidate = np.array([[0.1, 1.0], [0.9, 0.0]])
    assert match_regimes(reference, candidate, scale=np.array([1.0, 100.0])) == (0, 1)
    assert match_regimes(reference, candidate, scale=np.array([100.0, 1.0])) == (1, 0)


@pytest.mark.parametrize(
    ("reference", "candidate", "scale", "message"),
    [
        (np.zeros((2, 1)), np.zeros((3, 1)), np.ones(1), "cannot be matched"),
        (np.zeros((2, 1)), np.zeros((2, 1)), np.ones(2), "cannot be matched"),
        (np.zeros((2, 1)), np.full((2, 1), np.nan), np.ones(1), "finite parameters"),
        (np.zeros((2, 1)), np.zeros((2, 1)), np.zeros(1), "positive units"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    reference: np.ndarray, candidate: np.ndarray, scale: np.ndarray, message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        match_regimes(reference, candidate, scale=scale)
