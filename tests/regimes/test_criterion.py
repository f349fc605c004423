from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from two_states import TRUTH, scrambled_after, simulate

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import market_from_log_returns
from regime_nas_pipeline.regimes.criterion import (
    bayes_information,
    choose_n_regimes,
    negative_silhouette,
    with_n_regimes,
)
from regime_nas_pipeline.regimes.kmeans import KMeansLabeller
from regime_nas_pipeline.regimes.markov import HiddenMarkovLabeller
from regime_nas_pipeline.regimes.markov_em import GaussianChain
from regime_nas_pipeline.regimes.threshold import VolatilityThresholdLabeller

THREE = GaussianChain(
    transition=np.array([[0.98, 0.02, 0.0], [0.01, 0.98, 0.01], [0.0, 0.03, 0.97]]),
    means=np.zeros(3),
    variances=np.array([0.003, 0.012, 0.05]) ** 2,
)


@pytest.fixture(scope="module")
def two_states() -> Market:
    return simulate(TRUTH, n_bars=900, seed=12)[0]


def test_the_criterion_of_schwarz_by_hand() -> None:
    values = np.array([1.0, -1.0, 2.0, 0.5])
    likelihood = float(norm.logpdf(values, values.mean(), values.std()).sum())
    expected = 4 * (np.log(2 * np.pi * values.var()) + 1) + 2 * np.log(4)
    assert bayes_information(likelihood, 2, 4) == pytest.approx(expected)


def test_the_silhouette_of_two_far_pairs_is_nearly_one() -> None:
    rows = np.array([[0.0], [0.1], [10.0], [10.1]])
    found = negative_silhouette(rows, np.array([0, 0, 1, 1]))
    assert found == pytest.approx(-np.mean([1 - 0.1 / 10.05, 1 - 0.1 / 9.95] * 2))
    assert negative_silhouette(rows, np.array([0, 1, 0, 1])) > 0.4
    with pytest.raises(DataError, match="at least two regimes"):
        negative_silhouette(rows, np.zeros(4))


def test_as_many_regimes_as_were_planted_are_chosen(two_states: Market) -> None:
    labeller = HiddenMarkovLabeller(n_starts=3)
    two = choose_n_regimes(labeller, two_states)
    three = choose_n_regimes(labeller, simulate(THREE, n_bars=900, seed=12)[0])
    assert two.n_regimes == 2
    assert three.n_regimes == 3
    assert set(two.criteria) == {2, 3}
    assert two.criteria[2] < two.criteria[3]
    assert not hasattr(labeller, "means_")


def test_the_choice_is_the_lowest_criterion_of_what_is_known(two_states: Market) -> None:
    labeller = KMeansLabeller(features=("volatility_10", "vix"))
    found = choose_n_regimes(labeller, two_states.until(two_states.dates[500]), (2, 3, 4))
    for number, criterion in found.criteria.items():
        twin = KMeansLabeller(number, features=("volatility_10", "vix"))
        known = two_states.slice(0, 501)
        assert criterion == twin.fit(known).criterion(known)
    assert found.criteria[found.n_regimes] == min(found.criteria.values())
    later = scrambled_after(two_states, 500)
    assert found == choose_n_regimes(labeller, later.until(later.dates[500]), (2, 3, 4))


def test_a_number_that_the_market_does_not_show_is_out() -> None:
    # Three levels of the return and not one more.
    market = market_from_log_returns(np.tile([[0.01], [-0.01], [0.05]], (60, 1)))
    labeller = KMeansLabeller(features=("return_1",))
    found = choose_n_regimes(labeller, market, (2, 3))
    assert found.n_regimes == 2
    assert found.criteria[3] == np.inf
    with pytest.raises(DataError, match="cannot be split into 4 regimes"):
        choose_n_regimes(labeller, market, (3, 4))


def test_a_fixed_number_cannot_be_set(two_states: Market) -> None:
    assert len(with_n_regimes(VolatilityThresholdLabeller(), 2).regime_names) == 2
    with pytest.raises(ParameterError, match="always has 2 regimes and cannot have 3"):
        with_n_regimes(VolatilityThresholdLabeller(), 3)
    with pytest.raises(ParameterError, match="at least one number"):
        choose_n_regimes(KMeansLabeller(), two_states, ())
