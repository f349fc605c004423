from __future__ import annotations

import numpy as np
import pytest
from two_states import TRUTH, simulate

from regime_nas_pipeline.regimes import markov_em
from regime_nas_pipeline.regimes.markov_em import (
    GaussianChain,
    chain_model,
    estimate,
    smooth,
)

CHAIN = GaussianChain(
    transition=np.array([[0.9, 0.08, 0.02], [0.05, 0.9, 0.05], [0.0, 0.2, 0.8]]),
    means=np.array([0.1, 0.0, -0.2]),
    variances=np.array([0.3, 1.0, 4.0]),
)


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    returns = simulate(TRUTH, n_bars=1001, seed=9)[0].log_returns[1:, 0]
    return (returns - returns.mean()) / returns.std()


def test_the_long_run_distribution_is_kept_by_the_chain() -> None:
    stationary = CHAIN.stationary()
    np.testing.assert_allclose(stationary @ CHAIN.transition, stationary, atol=1e-12)
    assert stationary.sum() == pytest.approx(1.0)


def test_expected_transitions_are_those_of_the_smoothed_states(values: np.ndarray) -> None:
    smoothed, transitions, _ = smooth(chain_model(values, 3), CHAIN)
    np.testing.assert_allclose(transitions.sum(axis=1), smoothed[:-1].sum(axis=0), rtol=1e-9)
    np.testing.assert_allclose(transitions.sum(axis=0), smoothed[1:].sum(axis=0), rtol=1e-9)
    # From the third state to the first there is no way.
    assert transitions[2, 0] == pytest.approx(0.0, abs=1e-9)


def test_the_estimate_is_as_likely_as_that_of_statsmodels(values: np.ndarray) -> None:
    found = estimate(values, 2, n_starts=3, most_steps=500, seed=0)
    assert found is not None
    assert found.converged
    model = chain_model(values, 2)
    theirs = model.fit(em_iter=20, search_reps=0, cov_type="none", maxiter=300)
    assert found.log_likelihood == pytest.approx(theirs.llf, abs=0.02)
    assert found.log_likelihood == pytest.approx(model.loglike(found.chain.parameters()), rel=1e-9)
    order = np.argsort(found.chain.variances)
    np.testing.assert_allclose(
        np.sort(found.chain.variances), np.sort(theirs.params[-2:]), rtol=0.02
    )
    assert (np.diag(found.chain.transition)[order] > 0.9).all()


def test_steps_gain_likelihood(values: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markov_em, "_FIRST_STEPS", 1)
    ends = [estimate(values, 2, n_starts=1, most_steps=steps, seed=0) for steps in range(1, 14, 3)]
    likelihoods = [found.log_likelihood for found in ends if found is not None]
    assert len(likelihoods) == 5
    # The long-run distribution at the first bar follows the chain, which is not quite a step of
    # expectation-maximisation.
    assert (np.diff(likelihoods) > -1e-3).all()
    assert likelihoods[-1] > likelihoods[0] + 5.0


def test_more_starts_are_never_worse_and_seeds_are_kept(values: np.ndarray) -> None:
    one = estimate(values, 3, n_starts=1, most_steps=40, seed=0)
    many = estimate(values, 3, n_starts=4, most_steps=40, seed=0)
    again = estimate(values, 3, n_starts=4, most_steps=40, seed=0)
    assert one is not None
    assert many is not None
    assert again is not None
    assert many.log_likelihood >= one.log_likelihood - 0.5
    np.testing.assert_array_equal(many.chain.parameters(), again.chain.parameters())


def test_values_that_repeat_collapse_every_start() -> None:
    values = np.concatenate([np.zeros(300), np.random.default_rng(0).standard_normal(300)])
    assert estimate(values, 2, n_starts=3, most_steps=300, seed=0) is None
