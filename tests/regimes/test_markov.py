from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from two_states import TRUTH, simulate, with_blanks

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import market_from_log_returns
from regime_nas_pipeline.regimes.markov import HiddenMarkovLabeller
from regime_nas_pipeline.regimes.markov_em import GaussianChain, chain_model


@pytest.fixture(scope="module")
def index() -> Market:
    return simulate(TRUTH, n_bars=1500, seed=8)[0]


@pytest.fixture(scope="module")
def fitted(index: Market) -> HiddenMarkovLabeller:
    return HiddenMarkovLabeller().fit(index)


def with_parameters(chain: GaussianChain) -> HiddenMarkovLabeller:
    labeller = HiddenMarkovLabeller(n_regimes=len(chain.means))
    labeller.transition_, labeller.means_ = chain.transition, chain.means
    labeller.variances_, labeller.year_ = chain.variances, 252
    return labeller


def path_probabilities(chain: GaussianChain, values: np.ndarray, bar: int) -> np.ndarray:
    """P(state at ``bar`` | all values), summed over every path of states."""
    n_states = len(chain.means)
    # Start in the long-run distribution, as a high power of the transition matrix gives it.
    initial = np.linalg.matrix_power(chain.transition, 4096)[0]
    found = np.zeros(n_states)
    for path in product(range(n_states), repeat=len(values)):
        weight = initial[path[0]]
        for step in range(1, len(path)):
            weight *= chain.transition[path[step - 1], path[step]]
        for state, value in zip(path, values, strict=True):
            weight *= norm.pdf(value, chain.means[state], np.sqrt(chain.variances[state]))
        found[path[bar]] += weight
    return found / found.sum()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), n_states=st.integers(2, 3))
def test_online_labels_are_sums_over_all_paths(seed: int, n_states: int) -> None:
    generator = np.random.default_rng(seed)
    chain = GaussianChain(
        transition=generator.dirichlet(np.ones(n_states), size=n_states),
        means=0.01 * generator.standard_normal(n_states),
        variances=np.sort(generator.uniform(0.005, 0.03, n_states)) ** 2,
    )
    returns = 0.02 * generator.standard_normal(5)
    market = market_from_log_returns(returns[:, None])
    labels = with_parameters(chain).predict_online(market, market.dates)
    assert labels.index.equals(market.dates[1:])
    for bar in range(5):
        expected = path_probabilities(chain, returns[: bar + 1], bar)
        np.testing.assert_allclose(labels.iloc[bar], expected, rtol=1e-7, atol=1e-12)


def test_hindsight_is_the_sum_over_all_paths(index: Market, fitted: HiddenMarkovLabeller) -> None:
    whole = HiddenMarkovLabeller().fit(index)
    short = index.slice(0, 8)
    smoothed = whole._whole_sample(short)
    for bar in range(7):
        expected = path_probabilities(whole.chain(), short.log_returns[1:, 0], bar)
        np.testing.assert_allclose(smoothed.iloc[bar], expected, rtol=1e-6, atol=1e-9)
    # A fit on the whole sample is what hindsight uses, whoever asks.
    asked = fitted.predict_hindsight(index)
    np.testing.assert_array_equal(asked, whole._whole_sample(index))
    assert (asked.to_numpy() != fitted.predict_online(index, index.dates).to_numpy()).any()


def test_online_labels_are_the_filter_of_statsmodels(
    index: Market, fitted: HiddenMarkovLabeller
) -> None:
    theirs = chain_model(index.log_returns[1:, 0], 2).filter(fitted.chain().parameters())
    ours = fitted.predict_online(index, index.dates)
    np.testing.assert_allclose(ours, theirs.filtered_marginal_probabilities, atol=1e-8)
    assert fitted.criterion(index) == pytest.approx(-2 * theirs.llf + 6 * np.log(1499), rel=1e-9)


def test_the_chain_is_found_again(fitted: HiddenMarkovLabeller) -> None:
    np.testing.assert_allclose(np.diag(fitted.transition_), [0.99, 0.97], atol=0.015)
    np.testing.assert_allclose(np.sqrt(fitted.variances_), [0.008, 0.024], rtol=0.1)
    mean, volatility = fitted.signature().T
    np.testing.assert_allclose(volatility, np.sqrt(252 * fitted.variances_))
    np.testing.assert_allclose(mean, 252 * fitted.means_)
    np.testing.assert_allclose(fitted.transition_.sum(axis=1), 1.0)


def test_bars_without_a_return_are_passed_over(index: Market, fitted: HiddenMarkovLabeller) -> None:
    labels = fitted.predict_online(with_blanks(index, slice(700, 703)), index.dates)
    assert len(labels) == 1499 - 4
    kept = np.delete(index.log_returns[1:, 0], slice(699, 703))
    joined = market_from_log_returns(kept[:, None])
    np.testing.assert_allclose(
        labels, fitted.predict_online(joined, joined.dates), rtol=1e-6, atol=1e-12
    )


def test_one_regime_is_refused() -> None:
    plain = 0.01 * np.random.default_rng(2).standard_normal(800)
    with pytest.raises(DataError, match=r"one regime describes .*Remedy: lengthen the burn-in"):
        HiddenMarkovLabeller().fit(market_from_log_returns(plain[:, None]))


def test_a_state_that_collapses_is_refused() -> None:
    stale = 0.01 * np.random.default_rng(2).standard_normal(400)
    stale[100:300] = 0.0001
    with pytest.raises(DataError, match="each of 5 starts collapsed onto a few bars"):
        HiddenMarkovLabeller().fit(market_from_log_returns(stale[:, None]))


def test_an_estimation_without_end_is_refused(index: Market) -> None:
    with pytest.raises(DataError, match=r"did not converge within 2 steps.*raise most_steps"):
        HiddenMarkovLabeller(n_regimes=3, most_steps=2).fit(index)


@pytest.mark.parametrize("wrong", [{"n_regimes": 1}, {"n_starts": 0}, {"most_steps": 0}])
def test_impossible_parameters_are_refused(index: Market, wrong: dict[str, int]) -> None:
    with pytest.raises(ParameterError, match="HiddenMarkovLabeller needs"):
        HiddenMarkovLabeller(**wrong).fit(index)
