from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.filtering import hamilton_filter, symmetric_transition


def random_chain(seed: int, n_bars: int, n_states: int) -> tuple[np.ndarray, ...]:
    generator = np.random.default_rng(seed)
    transition = generator.dirichlet(np.ones(n_states), size=n_states)
    initial = generator.dirichlet(np.ones(n_states))
    return generator.normal(scale=3.0, size=(n_bars, n_states)), transition, initial


def by_enumeration(
    likelihoods: np.ndarray, transition: np.ndarray, initial: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """State probabilities at the last bar and the next, and the log-likelihood, path by path."""
    n_bars, n_states = likelihoods.shape
    last, following = np.zeros(n_states), np.zeros(n_states)
    for path in product(range(n_states), repeat=n_bars):
        weight = initial[path[0]] * np.exp(likelihoods[0, path[0]])
        for bar in range(1, n_bars):
            weight *= transition[path[bar - 1], path[bar]] * np.exp(likelihoods[bar, path[bar]])
        last[path[-1]] += weight
        following += weight * transition[path[-1]]
    total = last.sum()
    return last / total, following / total, float(np.log(total))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 3))
def test_the_filter_is_the_sum_over_all_paths(seed: int, n_bars: int, n_states: int) -> None:
    likelihoods, transition, initial = random_chain(seed, n_bars, n_states)
    found = hamilton_filter(likelihoods, transition, initial)
    filtered, predicted, total = by_enumeration(likelihoods, transition, initial)
    np.testing.assert_allclose(found.filtered[-1], filtered, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(found.predicted[-1], predicted, rtol=1e-9, atol=1e-15)
    assert found.log_likelihood.sum() == pytest.approx(total, rel=1e-9, abs=1e-9)


def test_the_filter_is_that_of_statsmodels() -> None:
    generator = np.random.default_rng(3)
    values = generator.normal(size=200) + np.repeat([0.0, 2.0, -1.0, 2.0], 50)
    means, variances = np.array([0.0, 2.0, -1.0]), np.array([1.0, 0.5, 2.0])
    transition = np.array([[0.9, 0.06, 0.04], [0.05, 0.9, 0.05], [0.02, 0.08, 0.9]])
    # Their parameters: P(0→0), P(1→0), P(2→0), P(0→1), …, then means, then variances.
    parameters = np.concatenate([transition[:, 0], transition[:, 1], means, variances])
    model = MarkovRegression(values, k_regimes=3, trend="c", switching_variance=True)
    theirs = model.filter(parameters)
    stationary = np.linalg.matrix_power(transition, 5000)[0]
    likelihoods = np.asarray(norm.logpdf(values[:, None], means, np.sqrt(variances)))
    ours = hamilton_filter(likelihoods, transition, stationary)
    np.testing.assert_allclose(ours.filtered, theirs.filtered_marginal_probabilities, atol=1e-9)
    assert ours.log_likelihood.sum() == pytest.approx(theirs.llf, abs=1e-6)


def test_later_bars_change_nothing_to_the_bit() -> None:
    likelihoods, transition, initial = random_chain(5, 60, 3)
    whole = hamilton_filter(likelihoods, transition, initial)
    part = hamilton_filter(likelihoods[:25], transition, initial)
    np.testing.assert_array_equal(whole.filtered[:25], part.filtered)
    np.testing.assert_array_equal(whole.predicted[:25], part.predicted)


def test_a_state_comes_back_from_a_probability_too_small_for_a_float() -> None:
    # With no way from one state to the other, only the likelihoods' sum counts.
    likelihoods = np.array([[0.0, -900.0], [0.0, -900.0], [-1800.0, 0.0]])
    found = hamilton_filter(likelihoods, np.eye(2), np.array([0.5, 0.5]))
    np.testing.assert_allclose(found.filtered, [[1.0, 0.0], [1.0, 0.0], [0.5, 0.5]], atol=1e-12)


def test_bars_that_tell_nothing_let_the_chain_forget() -> None:
    transition = symmetric_transition(3, 0.8)
    found = hamilton_filter(np.zeros((80, 3)), transition, np.array([1.0, 0.0, 0.0]))
    np.testing.assert_allclose(found.predicted[0], transition[0])
    np.testing.assert_allclose(found.predicted[-1], np.full(3, 1 / 3), atol=1e-9)
    np.testing.assert_allclose(found.log_likelihood, 0.0, atol=1e-12)


def test_a_symmetric_chain_moves_to_every_other_state_alike() -> None:
    expected = [[0.7, 0.15, 0.15], [0.15, 0.7, 0.15], [0.15, 0.15, 0.7]]
    np.testing.assert_allclose(symmetric_transition(3, 0.7), expected)
    np.testing.assert_array_equal(symmetric_transition(1, 0.3), [[1.0]])
    with pytest.raises(ParameterError, match=r"stay must be a probability and is 1\.5"):
        symmetric_transition(3, 1.5)


@pytest.mark.parametrize(
    ("shapes", "complaint"),
    [
        (((5,), (2, 2), (2,)), "needs likelihoods"),
        (((5, 2), (2, 3), (2,)), "needs likelihoods"),
        (((5, 3), (2, 2), (2,)), "likelihoods are of 3 states and the chain has 2"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    shapes: tuple[tuple[int, ...], ...], complaint: str
) -> None:
    likelihoods, transition, initial = (np.full(shape, 0.5) for shape in shapes)
    with pytest.raises(ParameterError, match=complaint):
        hamilton_filter(likelihoods, transition, initial)


def test_what_is_no_probability_and_what_cannot_have_happened_is_refused() -> None:
    fair, sure = np.full(2, 0.5), np.eye(2)
    with pytest.raises(ParameterError, match="sum to one"):
        hamilton_filter(np.zeros((3, 2)), np.full((2, 2), 0.6), fair)
    with pytest.raises(ParameterError, match="non-negative"):
        hamilton_filter(np.zeros((3, 2)), sure, np.array([1.5, -0.5]))
    blank = np.zeros((3, 2))
    blank[1, 0] = np.nan
    with pytest.raises(DataError, match="at row 1 is blank"):
        hamilton_filter(blank, sure, fair)
    with pytest.raises(DataError, match="no state allows what was observed at row 2"):
        hamilton_filter(np.array([[0, 0], [0, 0], [-np.inf, -np.inf]]), sure, fair)
