from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal
from sklearn.base import clone
from two_states import TRUTH, simulate

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import market_from_log_returns, regime_switching_market
from regime_nas_pipeline.regimes.features import feature_matrix
from regime_nas_pipeline.regimes.kmeans import KMeansLabeller

NAMES = ("volatility_5", "efficiency_4", "autocorrelation_10")
WINDOWS = {"volatility_window": 5, "efficiency_window": 4, "autocorrelation_window": 10}


@pytest.fixture(scope="module")
def long_market() -> tuple[Market, np.ndarray]:
    """Twelve assets with long-lived states, so that a 63-bar window mostly sees one of them."""
    return regime_switching_market(n_assets=12, n_bars=4000, stay=0.997, phi=0.6, seed=21)


def test_planted_regimes_get_their_names(long_market: tuple[Market, np.ndarray]) -> None:
    market, states = long_market
    labels = KMeansLabeller().fit(market).predict_online(market, market.dates)
    found = labels.to_numpy().argmax(axis=1)
    hidden = states[len(states) - len(labels) :]
    # A third would be chance. Windows straddle changes, so that full agreement is out of reach.
    for state in range(3):
        assert (found[hidden == state] == state).mean() > 0.6, labels.columns[state]
    assert (found == hidden).mean() > 0.75


def test_names_do_not_depend_on_the_order_of_the_clusters(
    long_market: tuple[Market, np.ndarray],
) -> None:
    market, _ = long_market
    fits = [KMeansLabeller(seed=seed).fit(market) for seed in range(5)]
    for fitted in fits[1:]:
        np.testing.assert_allclose(fitted.centroids_, fits[0].centroids_, atol=0.05)
    for fitted in fits:
        trend, sideways, volatile = fitted.centroids_
        assert volatile[0] > max(trend[0], sideways[0])
        assert trend[1] + trend[2] > sideways[1] + sideways[2]


def test_probabilities_are_the_responsibilities_of_the_gaussian_mixture(
    small_market: Market,
) -> None:
    labeller = KMeansLabeller(**WINDOWS).fit(small_market)
    labels = labeller.predict_online(small_market, small_market.dates)
    features = feature_matrix(small_market, NAMES)[10:]
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    nearest = np.min(((scaled[:, None, :] - labeller.centroids_[None]) ** 2).sum(axis=2), axis=1)
    assert labeller.variance_ == pytest.approx(nearest.sum() / scaled.size, rel=1e-9)
    densities = np.column_stack(
        [
            multivariate_normal(centre, labeller.variance_ * np.eye(3)).pdf(scaled)
            for centre in labeller.centroids_
        ]
    )
    np.testing.assert_allclose(labels, densities / densities.sum(axis=1, keepdims=True), atol=1e-9)
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, atol=1e-12)
    assert tuple(labels.columns) == labeller.regime_names == ("trend", "range", "volatile")


def test_an_extreme_bar_keeps_its_probabilities_finite(small_market: Market) -> None:
    labeller = KMeansLabeller(**WINDOWS).fit(small_market.until(small_market.dates[300]))
    close = small_market.close.copy()
    close[400:] *= 50.0
    crash = replace(small_market, close=close)
    labels = labeller.predict_online(crash, crash.dates[400:])
    assert labels["volatile"].iloc[0] == pytest.approx(1.0)
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, atol=1e-12)


def test_bars_without_full_windows_have_no_row(small_market: Market) -> None:
    labeller = KMeansLabeller(**WINDOWS).fit(small_market)
    labels = labeller.predict_online(small_market, small_market.dates[:15])
    pd.testing.assert_index_equal(labels.index, small_market.dates[10:15])


def test_one_date_alone_has_the_same_bits_as_among_others(small_market: Market) -> None:
    labeller = KMeansLabeller(**WINDOWS).fit(small_market.until(small_market.dates[200]))
    together = labeller.predict_online(small_market, small_market.dates[150:])
    for date in small_market.dates[150::19]:
        alone = labeller.predict_online(small_market.until(date), pd.DatetimeIndex([date]))
        np.testing.assert_array_equal(alone.loc[date], together.loc[date])


def test_fitting_twice_gives_the_same_bits(small_market: Market) -> None:
    labeller = KMeansLabeller(**WINDOWS)
    first, second = clone(labeller).fit(small_market), clone(labeller).fit(small_market)
    np.testing.assert_array_equal(first.centroids_, second.centroids_)
    assert first.variance_ == second.variance_


def test_other_numbers_of_regimes_are_ranked_by_volatility(small_market: Market) -> None:
    labeller = KMeansLabeller(n_regimes=4, **WINDOWS).fit(small_market)
    assert labeller.regime_names == tuple(f"volatility_{rank}" for rank in (1, 2, 3, 4))
    assert (np.diff(labeller.centroids_[:, 0]) > 0).all()


@pytest.mark.parametrize(
    "wrong", [{"n_regimes": 1}, {"autocorrelation_window": 2}, {"volatility_window": 0}]
)
def test_impossible_parameters_are_refused(small_market: Market, wrong: dict[str, int]) -> None:
    with pytest.raises(ParameterError, match="KMeansLabeller needs"):
        KMeansLabeller(**(WINDOWS | wrong)).fit(small_market)


def test_a_market_that_is_too_short_is_refused(small_market: Market) -> None:
    labeller = KMeansLabeller()
    assert labeller.required_history() == 67
    with pytest.raises(DataError, match="at least 67 bars"):
        labeller.fit(small_market.until(small_market.dates[65]))
    labeller.fit(small_market.until(small_market.dates[66]))


def test_a_market_without_movement_is_refused(small_market: Market) -> None:
    close = small_market.close.copy()
    close[200:230] = close[200]
    still = replace(small_market, close=close)
    with pytest.raises(DataError, match="did not vary") as error:
        KMeansLabeller(**WINDOWS).fit(still)
    # The fourth still return in a row.
    assert error.value.date == small_market.dates[204]


def test_even_growth_is_refused() -> None:
    market = market_from_log_returns(np.full((40, 1), 0.01))
    with pytest.raises(DataError, match="did not vary"):
        KMeansLabeller(**WINDOWS).fit(market)


def test_a_market_with_a_single_regime_is_refused() -> None:
    # Two returns that alternate for ever: only two different feature rows can occur.
    market = market_from_log_returns(np.tile([[0.01], [-0.005]], (60, 1)))
    with pytest.raises(DataError, match="cannot be split into 3 regimes"):
        KMeansLabeller(**WINDOWS).fit(market)


def test_a_universe_that_is_still_empty_is_refused(small_market: Market) -> None:
    with pytest.raises(DataError, match="0 distinct feature rows"):
        KMeansLabeller(**WINDOWS).fit(replace(small_market, min_history=10_000))


@pytest.fixture(scope="module")
def index() -> Market:
    return simulate(TRUTH, n_bars=1200, seed=3)[0]


def test_chosen_features_name_clusters_by_volatility(index: Market) -> None:
    labeller = KMeansLabeller(n_regimes=2, features=("log_vix", "return_5")).fit(index)
    labels = labeller.predict_online(index, index.dates)
    assert labeller.regime_names == ("calm", "stressed")
    assert KMeansLabeller(3, features=("vix",)).regime_names == ("calm", "middle", "stressed")
    returns = index.log_returns[index.dates.get_indexer(labels.index), 0]
    stressed = labels["stressed"].to_numpy() > 0.5
    assert returns[stressed].std() > 2.0 * returns[~stressed].std()
    # Centroids are reported in the features' own units.
    assert labeller.signature_names == ("log_vix", "return_5")
    np.testing.assert_allclose(np.exp(labeller.signature()[:, 0]), [12.7, 38.1], rtol=0.1)


def test_the_default_windows_are_written_out_as_features(small_market: Market) -> None:
    default = KMeansLabeller(n_regimes=4, **WINDOWS)
    chosen = KMeansLabeller(n_regimes=4, features=NAMES)
    assert default.signature_names == chosen.signature_names == NAMES
    assert default.named_by_rule
    assert not chosen.named_by_rule
    same = [
        np.sort(labeller.fit(small_market).centroids_, axis=0) for labeller in (default, chosen)
    ]
    np.testing.assert_array_equal(*same)


def test_windows_beside_chosen_features_are_refused(small_market: Market) -> None:
    labeller = KMeansLabeller(volatility_window=10, features=("volatility_5",))
    with pytest.raises(ParameterError, match="carry their own windows"):
        labeller.fit(small_market)


def test_a_cluster_of_a_few_bars_is_no_regime() -> None:
    quiet = 0.001 * np.random.default_rng(0).standard_normal(300)
    quiet[150:152] = 0.3
    market = market_from_log_returns(quiet[:, None])
    with pytest.raises(DataError, match=r"one of 2 regimes holds 2\.0 of 300 training bars"):
        KMeansLabeller(n_regimes=2, features=("return_1",)).fit(market)


def test_the_criterion_is_the_mean_silhouette(index: Market) -> None:
    short = index.slice(0, 400)
    labeller = KMeansLabeller(n_regimes=2, features=("volatility_5",)).fit(index)
    values = (feature_matrix(short, ("volatility_5",))[5:, 0]) / labeller.feature_scale_[0]
    labels = labeller.predict_online(short, short.dates).to_numpy().argmax(axis=1)
    scores = []
    for number, value in enumerate(values):
        own = labels == labels[number]
        a = np.abs(values[own] - value).sum() / (own.sum() - 1)
        b = np.abs(values[~own] - value).mean()
        scores.append((b - a) / max(a, b))
    assert labeller.criterion(short) == pytest.approx(-np.mean(scores), rel=1e-9)
