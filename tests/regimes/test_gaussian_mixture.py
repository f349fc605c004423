from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture
from two_states import TRUTH, simulate

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import market_from_log_returns
from regime_nas_pipeline.regimes.features import feature_matrix
from regime_nas_pipeline.regimes.gaussian_mixture import GaussianMixtureLabeller

NAMES = ("log_volatility_5", "return_1")


@pytest.fixture(scope="module")
def index() -> Market:
    return simulate(TRUTH, n_bars=1500, seed=4)[0]


@pytest.fixture(scope="module")
def fitted(index: Market) -> GaussianMixtureLabeller:
    return GaussianMixtureLabeller(features=NAMES).fit(index)


def test_probabilities_are_those_of_scikit_learn(
    index: Market, fitted: GaussianMixtureLabeller
) -> None:
    features = feature_matrix(index, NAMES)[5:]
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    theirs = GaussianMixture(2, reg_covar=1e-3, n_init=5, max_iter=1000, random_state=0)
    expected = theirs.fit(scaled).predict_proba(scaled)
    order = np.argsort(theirs.means_[:, 0])
    ours = fitted.predict_online(index, index.dates)
    np.testing.assert_allclose(ours, expected[:, order], atol=1e-9)
    assert fitted.criterion(index) == pytest.approx(theirs.bic(scaled), rel=1e-9)


def test_probabilities_are_weighted_normal_densities(
    index: Market, fitted: GaussianMixtureLabeller
) -> None:
    """In the features' own units: standardising must cancel."""
    features = feature_matrix(index, NAMES)[700:720]
    scale = np.diag(fitted.feature_scale_)
    densities = []
    for regime in range(2):
        factor = np.linalg.inv(fitted.whitenings_[regime])
        covariance = scale @ factor @ factor.T @ scale
        normal = multivariate_normal(fitted.signature()[regime], covariance)
        densities.append(fitted.weights_[regime] * normal.pdf(features))
    expected = np.transpose(densities) / np.sum(densities, axis=0)[:, None]
    found = fitted.predict_online(index, index.dates[700:720])
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_calm_comes_first(fitted: GaussianMixtureLabeller) -> None:
    calm, stressed = np.exp(fitted.signature()[:, 0])
    assert calm == pytest.approx(0.008 * np.sqrt(252), rel=0.2)
    assert stressed == pytest.approx(0.024 * np.sqrt(252), rel=0.3)
    assert fitted.weights_[0] > fitted.weights_[1]


def test_an_extreme_bar_keeps_its_probabilities_finite(fitted: GaussianMixtureLabeller) -> None:
    wild = 0.01 * np.random.default_rng(0).standard_normal(60)
    wild[50] = 4.0
    market = market_from_log_returns(wild[:, None])
    labels = fitted.predict_online(market, market.dates)
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, atol=1e-12)
    assert labels["stressed"].iloc[-8] == pytest.approx(1.0)


def test_one_gaussian_is_no_two_regimes() -> None:
    plain = 0.01 * np.random.default_rng(2).standard_normal(600)
    with pytest.raises(DataError, match="one Gaussian describes the features as well as 2"):
        GaussianMixtureLabeller(features=("return_1",)).fit(market_from_log_returns(plain[:, None]))


@pytest.mark.parametrize("wrong", [{"n_regimes": 1}, {"n_starts": 0}, {"covariance_floor": 0.0}])
def test_impossible_parameters_are_refused(index: Market, wrong: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match="GaussianMixtureLabeller needs"):
        GaussianMixtureLabeller(**wrong).fit(index)


def test_an_estimation_without_end_is_refused(
    index: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "regime_nas_pipeline.regimes.gaussian_mixture._MOST_ITERATIONS"
    monkeypatch.setattr(module, 1)
    with pytest.raises(DataError, match="best of 5 starts did not converge within 1 iterations"):
        GaussianMixtureLabeller(features=NAMES).fit(index)
