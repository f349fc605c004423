from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal
from sklearn.base import clone

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import (
    market_from_log_returns,
    regime_switching_market,
    with_listing,
)
from regime_nas_pipeline.regimes.kmeans import KMeansLabeller, market_return, regime_features

WINDOWS = {"volatility_window": 5, "efficiency_window": 4, "autocorrelation_window": 10}


@pytest.fixture(scope="module")
def long_market() -> tuple[Market, np.ndarray]:
    """Twelve assets with long-lived states, so that a 63-bar window mostly sees one of them."""
    return regime_switching_market(n_assets=12, n_bars=4000, stay=0.997, phi=0.6, seed=21)


def test_features_equal_their_definitions(small_market: Market) -> None:
    features = regime_features(small_market, **WINDOWS)
    returns = small_market.log_returns.mean(axis=1)
    for row in (10, 57, 200, 419):
        volatility = np.sqrt(252 * np.mean([returns[row - k] ** 2 for k in range(5)]))
        steps = returns[row - 3 : row + 1]
        efficiency = abs(np.log1p(np.expm1(sum(steps)))) / sum(abs(step) for step in steps)
        window = returns[row - 9 : row + 1]
        centred = window - window.mean()
        pairs = sum(a * b for a, b in zip(centred[1:], centred[:-1], strict=True))
        expected = [volatility, efficiency, pairs / sum(c * c for c in centred)]
        np.testing.assert_allclose(features[row], expected, rtol=1e-9)


def test_features_are_blank_until_every_window_is_full(small_market: Market) -> None:
    features = regime_features(small_market, **WINDOWS)
    # Ten returns are known for the first time at the eleventh bar.
    assert np.isnan(features[:10]).all()
    assert np.isfinite(features[10:]).all()


def test_a_straight_line_is_efficient_and_a_zigzag_is_not() -> None:
    climb = 0.01 + 0.001 * np.sin(np.arange(40))
    zigzag = 0.01 * (-1.0) ** np.arange(40)
    straight = regime_features(market_from_log_returns(climb[:, None]), **WINDOWS)[-1]
    crooked = regime_features(market_from_log_returns(zigzag[:, None]), **WINDOWS)[-1]
    assert straight[1] == pytest.approx(1.0, abs=1e-12)
    assert crooked[1] == pytest.approx(0.0, abs=1e-9)
    assert crooked[2] == pytest.approx(-0.9, abs=1e-6)


def test_only_assets_in_the_universe_make_the_market_return(small_market: Market) -> None:
    late = replace(with_listing(small_market, first_bar={"A04": 100}), min_history=50)
    found = market_return(late)
    assert np.isnan(found[:49]).all()
    np.testing.assert_allclose(found[49:149], small_market.log_returns[49:149, :4].mean(axis=1))
    np.testing.assert_allclose(found[149:], small_market.log_returns[149:].mean(axis=1))


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
    features = regime_features(small_market, **WINDOWS)[10:]
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
