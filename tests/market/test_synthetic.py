from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.market.synthetic import (
    garch_t_returns,
    hidden_chain,
    market_from_log_returns,
    no_regime_market,
    planted_states,
    random_walk_market,
    regime_switching_market,
    with_listing,
)


def test_a_market_has_the_returns_that_it_was_made_of() -> None:
    returns = np.random.default_rng(0).normal(scale=0.02, size=(30, 3))
    market = market_from_log_returns(returns)
    np.testing.assert_allclose(market.log_returns[1:], returns, atol=1e-14)
    np.testing.assert_array_equal(market.close[0], [100.0, 100.0, 100.0])
    assert market.assets == ("A00", "A01", "A02")
    assert (market.dates.day_of_week < 5).all()


def test_the_benchmark_is_the_rebalanced_equal_weight_portfolio() -> None:
    market = random_walk_market(n_assets=3, n_bars=40, seed=1)
    earned = market.benchmark[1:] / market.benchmark[:-1] - 1
    np.testing.assert_allclose(earned, market.simple_returns[1:].mean(axis=1), atol=1e-14)


def test_each_state_has_its_own_autocorrelation_and_volatility() -> None:
    market, states = regime_switching_market(
        n_assets=5, n_bars=12_000, stay=0.99, phi=0.45, volatility=0.01, seed=2
    )
    before, now, state = market.log_returns[1:-1], market.log_returns[2:], states[2:]
    for number, (phi, volatility) in enumerate([(0.45, 0.01), (-0.45, 0.01), (0.0, 0.025)]):
        x, y = before[state == number].ravel(), now[state == number].ravel()
        assert len(x) > 8000
        slope = (x @ y) / (x @ x)
        # Standard errors: sqrt((1 - φ²) / n) < 0.012 of the slope, σ / sqrt(2n) of the volatility.
        assert slope == pytest.approx(phi, abs=0.04)
        assert (y - slope * x).std() == pytest.approx(volatility, rel=0.03)


def test_without_regimes_one_autocorrelation_holds_throughout() -> None:
    market = no_regime_market(n_assets=5, n_bars=8000, phi=0.3, volatility=0.02, seed=2)
    returns = market.log_returns[1:]
    for part in np.array_split(np.arange(1, len(returns)), 3):
        x, y = returns[part - 1].ravel(), returns[part].ravel()
        slope = (x @ y) / (x @ x)
        # Standard error sqrt((1 - φ²) / 13000) = 0.008; R² of the best forecast is φ² = 0.09.
        assert slope == pytest.approx(0.3, abs=0.035)
        assert (y - slope * x).std() == pytest.approx(0.02, rel=0.03)
        assert 1 - ((y - 0.3 * x) ** 2).sum() / (y @ y) == pytest.approx(0.09, abs=0.02)
    again = no_regime_market(n_assets=5, n_bars=8000, phi=0.3, volatility=0.02, seed=2)
    np.testing.assert_array_equal(again.close, market.close)


def test_the_planted_states_are_those_of_the_market() -> None:
    phis, sigmas = planted_states(phi=0.4, volatility=0.02, volatile_ratio=3.0)
    assert phis.tolist() == [0.4, -0.4, 0.0]
    assert sigmas.tolist() == pytest.approx([0.02, 0.02, 0.06])


def test_the_chain_stays_as_often_as_asked_and_else_moves_to_either_other_state() -> None:
    states = hidden_chain(n_bars=60_000, n_states=3, stay=0.7, seed=3)
    step = np.diff(states) % 3
    # Standard error below 0.002.
    assert (step == 0).mean() == pytest.approx(0.7, abs=0.008)
    assert (step == 1).mean() == pytest.approx(0.15, abs=0.008)
    assert np.bincount(states).tolist() == pytest.approx([20_000] * 3, rel=0.05)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 6), st.integers(1, 200), st.integers(0, 1000))
def test_the_chain_never_moves_or_never_stays_at_the_extremes(
    n_states: int, n_bars: int, seed: int
) -> None:
    fixed = hidden_chain(n_bars=n_bars, n_states=n_states, stay=1.0, seed=seed)
    assert len(set(fixed.tolist())) == 1
    restless = hidden_chain(n_bars=n_bars, n_states=n_states, stay=0.0, seed=seed)
    assert (np.diff(restless) != 0).all()
    assert restless.min() >= 0
    assert restless.max() < n_states


def test_one_seed_gives_one_market_and_another_seed_another() -> None:
    first, states = regime_switching_market(n_bars=100, seed=4)
    again, same_states = regime_switching_market(n_bars=100, seed=4)
    other, _ = regime_switching_market(n_bars=100, seed=5)
    np.testing.assert_array_equal(first.close, again.close)
    np.testing.assert_array_equal(states, same_states)
    assert not np.allclose(first.close, other.close)
    assert len(states) == len(first.dates) == 100


def test_the_states_do_not_depend_on_the_number_of_assets() -> None:
    _, few = regime_switching_market(n_assets=2, n_bars=300, seed=6)
    _, many = regime_switching_market(n_assets=9, n_bars=300, seed=6)
    np.testing.assert_array_equal(few, many)


def test_random_walks_have_their_drift_and_volatility_and_no_memory() -> None:
    market = random_walk_market(n_assets=4, n_bars=10_000, volatility=0.02, drift=0.001, seed=7)
    returns = market.log_returns[1:]
    assert returns.mean() == pytest.approx(0.001, abs=4 * 0.02 / np.sqrt(40_000))
    assert returns.std() == pytest.approx(0.02, rel=0.02)
    correlation = np.corrcoef(returns[1:].ravel(), returns[:-1].ravel())[0, 1]
    assert abs(correlation) < 4 / np.sqrt(40_000)


def test_garch_returns_have_the_moments_of_bollerslev_1986() -> None:
    alpha, beta = 0.1, 0.6
    returns = garch_t_returns(
        n_bars=200_000, constant=0.1, phi=0.5, omega=0.3, alpha=alpha, beta=beta, nu=30.0, seed=8
    )
    assert returns.mean() == pytest.approx(0.2, abs=0.02)
    shocks = returns[1:] - 0.1 - 0.5 * returns[:-1]
    assert shocks.var() == pytest.approx(1.0, rel=0.02)
    squares = shocks**2 - (shocks**2).mean()
    first_lag = (squares[1:] @ squares[:-1]) / (squares @ squares)
    expected = alpha * (1 - alpha * beta - beta**2) / (1 - 2 * alpha * beta - beta**2)
    assert first_lag == pytest.approx(expected, abs=0.02)


def test_listing_blanks_what_lies_outside_and_nothing_else() -> None:
    market = random_walk_market(n_assets=3, n_bars=20, seed=9)
    changed = with_listing(market, first_bar={"A01": 5}, last_bar={"A02": 12})
    expected = market.close.copy()
    expected[:5, 1] = np.nan
    expected[13:, 2] = np.nan
    np.testing.assert_array_equal(changed.close, expected)
    assert np.isfinite(market.close).all()


@pytest.mark.parametrize(
    "wrong",
    [{"stay": 1.2}, {"stay": -0.1}, {"phi": 1.0}, {"phi": -0.2}, {"volatility": 0.0}],
)
def test_impossible_chains_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        regime_switching_market(n_bars=50, seed=0, **wrong)
    with pytest.raises(ParameterError, match="phi"):
        no_regime_market(n_bars=50, seed=0, phi=1.0)


@pytest.mark.parametrize(
    "wrong", [{"alpha": 0.3}, {"nu": 2.0}, {"phi": 1.0}], ids=["variance", "tails", "mean"]
)
def test_garch_without_a_finite_variance_is_refused(wrong: dict[str, float]) -> None:
    parameters = {"omega": 0.1, "alpha": 0.1, "beta": 0.8, "nu": 5.0, "phi": 0.0} | wrong
    with pytest.raises(ParameterError, match="stationary"):
        garch_t_returns(n_bars=10, seed=0, **parameters)
