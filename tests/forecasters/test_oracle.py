from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from forecaster_checks import check_forecaster
from scipy.stats import norm

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.oracle import OracleForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import regime_switching_market, with_listing

PHIS = np.array([0.45, -0.45, 0.0])
SIGMAS = np.array([0.01, 0.01, 0.025])
CHAIN = np.array([[0.99, 0.005, 0.005], [0.005, 0.99, 0.005], [0.005, 0.005, 0.99]])


@pytest.fixture(scope="module")
def market() -> Market:
    return regime_switching_market(n_assets=10, n_bars=2500, stay=0.99, seed=3)[0]


@pytest.mark.parametrize(("horizon", "lag"), [(1, 0), (5, 1)])
def test_keeps_the_contract(horizon: int, lag: int, small_market: Market) -> None:
    oracle = OracleForecaster(horizon=horizon, execution_lag=lag)
    check_forecaster(oracle, small_market, exact=True)


def filtered_by_hand(returns: np.ndarray) -> np.ndarray:
    """State probabilities by Bayes' rule, bar after bar, with probabilities and not logarithms."""
    belief = np.full(3, 1 / 3)
    rows = [belief]
    for now, before in zip(returns[1:], returns[:-1], strict=True):
        belief = belief @ CHAIN
        for value, last in zip(now, before, strict=True):
            if np.isfinite(value) and np.isfinite(last):
                belief = belief * norm.pdf(value, loc=PHIS * last, scale=SIGMAS)
                belief = belief / belief.sum()
        rows.append(belief)
    return np.array(rows)


def r2(mean: np.ndarray, target: np.ndarray) -> float:
    return float(1 - ((target - mean) ** 2).sum() / (target**2).sum())


def test_it_is_the_filter_and_beats_every_forecast_that_knows_one_state(market: Market) -> None:
    rows = np.arange(500, 2499)
    oracle = OracleForecaster().fit(market)
    mean = oracle.predict(market, market.dates[rows]).mean
    returns, target = market.log_returns, market.target(1, 0)[rows]

    probability = filtered_by_hand(returns[1 : rows[-1] + 1])[rows - 1]
    by_hand = returns[rows] * (probability @ CHAIN @ PHIS)[:, None]
    np.testing.assert_allclose(mean, by_hand, rtol=0, atol=1e-12)
    assert r2(mean, target) == pytest.approx(r2(by_hand, target), abs=1e-9)

    constant = [r2(phi * returns[rows], target) for phi in np.linspace(-0.5, 0.5, 21)]
    assert r2(mean, target) > 0.03 > max(constant)


def test_it_knows_the_state_once_it_has_seen_many_assets() -> None:
    market, states = regime_switching_market(n_assets=40, n_bars=1500, stay=0.99, seed=4)
    probability = OracleForecaster().filtered_states(market.log_returns)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0, atol=1e-9)
    assert (probability.argmax(axis=1) == states)[5:].mean() > 0.97


def test_assets_that_come_and_go_are_left_out_and_the_others_tell_of_the_state(
    market: Market,
) -> None:
    lived = with_listing(market, first_bar={"A03": 700}, last_bar={"A04": 900})
    found = OracleForecaster().filtered_states(lived.log_returns)
    by_hand = filtered_by_hand(lived.log_returns[1:])
    np.testing.assert_allclose(found[1:], by_hand, atol=1e-9)
    seasoned = replace(lived, min_history=50)
    mean = OracleForecaster().predict(seasoned, lived.dates[[748, 749, 901]]).mean
    assert np.isnan(mean[:, 3]).tolist() == [True, False, False]
    assert np.isnan(mean[:, 4]).tolist() == [False, False, True]


def moments_by_path(last: float, belief: np.ndarray, lag: int, horizon: int) -> tuple[float, float]:
    """Mean and standard deviation of the target, from the Gaussian law given every path."""
    steps = lag + horizon
    mean = square = 0.0
    for path in product(range(3), repeat=steps + 1):
        chance = belief[path[0]] * np.prod([CHAIN[a, b] for a, b in pairwise(path)])
        # The target is linear in the last return and the shocks: follow each to its end.
        effect = np.zeros(steps + 1)
        effect[0] = last
        total = np.zeros(steps + 1)
        for step in range(1, steps + 1):
            effect *= PHIS[path[step]]
            effect[step] = SIGMAS[path[step]]
            total += effect if step > lag else 0.0
        mean += chance * total[0]
        square += chance * (total @ total)
    return mean, float(np.sqrt(square - mean**2))


@pytest.mark.parametrize(("horizon", "lag"), [(1, 0), (1, 1), (3, 0), (3, 2)])
def test_mean_and_volatility_are_exact_for_any_horizon_and_lag(
    horizon: int, lag: int, market: Market
) -> None:
    rows = [300, 1200]
    oracle = OracleForecaster(horizon=horizon, execution_lag=lag)
    forecast = oracle.predict(market, market.dates[rows])
    states = oracle.filtered_states(market.log_returns)
    assert forecast.volatility is not None
    for line, row in enumerate(rows):
        expected = moments_by_path(market.log_returns[row, 2], states[row], lag, horizon)
        assert forecast.mean[line, 2] == pytest.approx(expected[0], rel=1e-9)
        assert forecast.volatility[line, 2] == pytest.approx(expected[1], rel=1e-9)


@pytest.mark.parametrize(
    "wrong", [{"phi": 1.0}, {"stay": 1.1}, {"volatility": 0.0}, {"volatile_ratio": -1.0}]
)
def test_a_chain_that_cannot_be_is_refused(wrong: dict[str, float], market: Market) -> None:
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        OracleForecaster(**wrong).fit(market)  # type: ignore[arg-type]


def test_a_checkpoint_of_another_oracle_is_refused(market: Market) -> None:
    kept = OracleForecaster(phi=0.3).fit(market).to_bundle()
    with pytest.raises(ParameterError, match=r"phi = 0\.3 and this one has 0\.45"):
        OracleForecaster().from_bundle(kept)
