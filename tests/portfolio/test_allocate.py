from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize
from sklearn.base import clone

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.portfolio import allocate
from regime_nas_pipeline.portfolio.allocate import (
    EqualWeight,
    MaximumSharpe,
    MinimumVariance,
    simple_expected_return,
)
from regime_nas_pipeline.portfolio.solvers import SolverError, SolverName, highest_expected_return

RISK_FREE = 0.001
SOLVERS = get_args(SolverName)


def _covariance(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n, 1))
    volatility = rng.uniform(0.03, 0.12, n)
    mixed = factor @ factor.T + np.diag(rng.uniform(0.5, 2.0, n))
    scale = np.sqrt(np.diag(mixed))
    return mixed / np.outer(scale, scale) * np.outer(volatility, volatility)


def _problem(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    mean = np.random.default_rng(seed + 1).normal(0.004, 0.01, n)
    return mean, _covariance(n, seed)


def _log_mean(excess: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """The mean log return whose simple expected return is the risk-free one plus ``excess``."""
    return np.log1p(excess + RISK_FREE) - np.diag(sigma) / 2.0


def _sharpe(weights: np.ndarray, mean: np.ndarray, sigma: np.ndarray) -> float:
    excess = np.exp(mean + np.diag(sigma) / 2) - 1 - RISK_FREE
    return float(weights @ excess / np.sqrt(weights @ sigma @ weights))


def _random_feasible(rng: np.random.Generator, n: int, cap: float) -> np.ndarray:
    """Feasible weights, half of them on the edge of what the cap allows."""
    direction = rng.dirichlet(np.full(n, 0.3)) - 1.0 / n
    reach = min(1.0, (cap - 1.0 / n) / max(direction.max(), 1e-12))
    return 1.0 / n + direction * reach * rng.choice([1.0, rng.uniform()])


def _slsqp(objective, n: int, cap: float) -> np.ndarray:
    found = minimize(
        objective,
        np.full(n, 1.0 / n),
        method="SLSQP",
        bounds=[(0.0, cap)] * n,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0},
        options={"ftol": 1e-14, "maxiter": 2000},
    )
    assert found.success
    return found.x


def test_two_uncorrelated_assets_get_excess_return_over_variance():
    sigma = np.diag([0.04, 0.01])
    excess = np.array([0.02, 0.01])
    # Σ⁻¹(μ - r) = (0.5, 1.0), so one third and two thirds.
    allocation = MaximumSharpe(max_weight=1.0).allocate(_log_mean(excess, sigma), sigma, RISK_FREE)
    np.testing.assert_allclose(allocation.weights, [1 / 3, 2 / 3], atol=1e-6)
    assert not allocation.fallback
    assert allocation.reason == ""


def test_correlated_assets_get_the_tangency_portfolio_when_no_limit_binds():
    sigma = _covariance(4, seed=3)
    wanted = np.array([0.1, 0.2, 0.3, 0.4])
    excess = sigma @ wanted
    excess *= 0.005 / np.abs(excess).max()
    allocation = MaximumSharpe(max_weight=1.0).allocate(_log_mean(excess, sigma), sigma, RISK_FREE)
    np.testing.assert_allclose(allocation.weights, wanted, atol=1e-5)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("n", [6, 12])
def test_maximum_sharpe_agrees_with_another_solver(n, seed):
    mean, sigma = _problem(n, seed)
    chosen = MaximumSharpe().allocate(mean, sigma, RISK_FREE)
    other = _slsqp(lambda w: -_sharpe(w, mean, sigma), n, 0.2)
    assert not chosen.fallback
    np.testing.assert_allclose(chosen.weights, other, atol=2e-4)
    assert _sharpe(chosen.weights, mean, sigma) >= _sharpe(other, mean, sigma) - 1e-8


@pytest.mark.parametrize("n", [6, 12])
def test_minimum_variance_agrees_with_another_solver(n):
    sigma = _covariance(n, seed=5)
    chosen = MinimumVariance().allocate(None, sigma, RISK_FREE)
    other = _slsqp(lambda w: 1e3 * w @ sigma @ w, n, 0.2)
    np.testing.assert_allclose(chosen.weights, other, atol=2e-4)
    assert not chosen.fallback


def test_minimum_variance_without_limits_has_its_closed_form():
    volatility = np.array([0.05, 0.06, 0.07, 0.08])
    inverse = 1.0 / volatility**2
    allocation = MinimumVariance(max_weight=1.0).allocate(None, np.diag(volatility**2), 0.0)
    np.testing.assert_allclose(allocation.weights, inverse / inverse.sum(), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 15), seed=st.integers(0, 10_000), max_weight=st.floats(0.05, 1.0))
def test_weights_are_always_feasible_and_the_same_again(n, seed, max_weight):
    mean, sigma = _problem(n, seed)
    cap = max(max_weight, 1.0 / n)
    for allocator in (EqualWeight(), MinimumVariance(max_weight), MaximumSharpe(max_weight)):
        weights = allocator.allocate(mean, sigma, RISK_FREE).weights
        assert weights.shape == (n,)
        assert weights.min() >= 0.0
        assert weights.max() <= cap + 1e-12
        assert weights.sum() == pytest.approx(1.0, abs=1e-12)
        again = clone(allocator).allocate(mean, sigma, RISK_FREE).weights
        np.testing.assert_array_equal(again, weights)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(2, 12), seed=st.integers(0, 10_000))
def test_no_other_feasible_portfolio_is_better(n, seed):
    mean, sigma = _problem(n, seed)
    cap = max(0.2, 1.0 / n)
    best = MaximumSharpe().allocate(mean, sigma, RISK_FREE)
    calmest = MinimumVariance().allocate(None, sigma, RISK_FREE).weights
    rng = np.random.default_rng(seed)
    for _ in range(200):
        other = _random_feasible(rng, n, cap)
        assert calmest @ sigma @ calmest <= other @ sigma @ other * (1 + 1e-7)
        if not best.fallback:
            assert _sharpe(best.weights, mean, sigma) >= _sharpe(other, mean, sigma) - 1e-7


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    scale=st.floats(0.01, 2.0),
    stretch=st.floats(0.01, 4.0),
)
def test_weights_do_not_depend_on_the_units_of_either_moment(seed, scale, stretch):
    _, sigma = _problem(8, seed)
    excess = np.random.default_rng(seed).normal(0.005, 0.01, 8)
    first = MaximumSharpe().allocate(_log_mean(excess, sigma), sigma, RISK_FREE)
    stretched = sigma * stretch
    second = MaximumSharpe().allocate(_log_mean(excess * scale, stretched), stretched, RISK_FREE)
    assert first.fallback == second.fallback
    np.testing.assert_allclose(first.weights, second.weights, atol=1e-4)


def test_no_portfolio_beats_the_risk_free_return_means_minimum_variance_on_record():
    sigma = _covariance(8, seed=0)
    allocation = MaximumSharpe().allocate(_log_mean(np.full(8, -0.01), sigma), sigma, RISK_FREE)
    assert allocation.fallback
    assert "risk-free" in allocation.reason
    assert "minimum variance" in allocation.reason
    np.testing.assert_array_equal(
        allocation.weights, MinimumVariance().allocate(None, sigma, RISK_FREE).weights
    )


def test_one_good_asset_is_not_enough_when_the_cap_forces_bad_ones_in():
    sigma = _covariance(5, seed=0)
    excess = np.array([0.02, -0.01, -0.01, -0.01, -0.01])
    capped = MaximumSharpe(max_weight=0.3).allocate(_log_mean(excess, sigma), sigma, RISK_FREE)
    free = MaximumSharpe(max_weight=0.5).allocate(_log_mean(excess, sigma), sigma, RISK_FREE)
    # 0.3 x 0.02 - 0.7 x 0.01 < 0 < 0.5 x 0.02 - 0.5 x 0.01
    assert capped.fallback
    assert "(best expected excess -0.100%)" in capped.reason
    assert not free.fallback


def test_volatility_alone_lifts_the_simple_expected_return():
    mean = np.array([0.0, -0.02])
    sigma = np.diag([0.04, 0.04])
    np.testing.assert_allclose(
        simple_expected_return(mean, sigma), [np.exp(0.02) - 1, 0.0], atol=1e-15
    )


@settings(max_examples=50, deadline=None)
@given(
    expected=st.lists(st.floats(-1, 1), min_size=1, max_size=12),
    max_weight=st.floats(0.05, 1.0),
)
def test_highest_expected_return_is_the_linear_programme(expected, max_weight):
    n = len(expected)
    cap = max(max_weight, 1.0 / n)
    solved = linprog(
        -np.array(expected), A_eq=np.ones((1, n)), b_eq=[1.0], bounds=[(0.0, cap + 1e-12)] * n
    )
    assert highest_expected_return(np.array(expected), cap) == pytest.approx(-solved.fun, abs=1e-7)


def _fails(*arguments):
    raise SolverError("gave up")


def test_solver_failure_falls_back_to_minimum_variance_on_record(monkeypatch):
    mean, sigma = _problem(8, seed=2)
    solve = allocate.optimal_weights
    expected = MinimumVariance().allocate(None, sigma, RISK_FREE).weights

    def only_ratio_fails(solver, excess, *arguments):
        if excess is not None:
            _fails()
        return solve(solver, excess, *arguments)

    monkeypatch.setattr(allocate, "optimal_weights", only_ratio_fails)
    allocation = MaximumSharpe().allocate(mean, sigma, RISK_FREE)
    assert allocation.fallback
    assert "gave up" in allocation.reason
    assert allocation.reason.endswith("minimum variance")
    np.testing.assert_array_equal(allocation.weights, expected)


def test_when_every_solver_fails_equal_weight_is_held_on_record(monkeypatch):
    mean, sigma = _problem(8, seed=2)
    monkeypatch.setattr(allocate, "optimal_weights", _fails)
    for allocator in (MaximumSharpe(), MinimumVariance()):
        allocation = allocator.allocate(mean, sigma, RISK_FREE)
        assert allocation.fallback
        assert allocation.reason.endswith("equal weight")
        np.testing.assert_array_equal(allocation.weights, np.full(8, 0.125))


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_matrix_that_is_no_covariance_cannot_end_in_a_silent_answer(solver):
    impossible = np.full((8, 8), 2.0) - np.eye(8)
    allocation = MinimumVariance(solver=solver).allocate(None, impossible, RISK_FREE)
    assert allocation.fallback
    assert solver in allocation.reason
    assert allocation.reason.endswith("equal weight")


def test_one_asset_takes_everything():
    sigma = np.array([[0.01]])
    for allocator in (EqualWeight(), MinimumVariance(), MaximumSharpe()):
        allocation = allocator.allocate(np.array([0.05]), sigma, RISK_FREE)
        assert not allocation.fallback
        np.testing.assert_array_equal(allocation.weights, [1.0])


@pytest.mark.parametrize(
    ("mean", "sigma", "message"),
    [
        (np.array([0.01, np.nan]), np.eye(2), "asset '1': expected return is not a number"),
        (np.array([0.01, np.inf]), np.eye(2), "asset '1': expected return is not a number"),
        (np.array([0.01]), np.eye(2), "expected returns have shape"),
        (None, np.eye(2), "needs expected returns"),
        (np.zeros(2), np.array([[1.0, np.nan], [np.nan, 1.0]]), "covariance holds blanks"),
        (np.zeros(2), np.array([[1.0, 0.1], [0.2, 1.0]]), "symmetric"),
        (np.zeros(2), np.diag([1.0, 0.0]), "positive variances"),
        (np.zeros(2), np.zeros((0, 0)), "not empty"),
        (np.zeros(2), np.zeros(2), "square"),
    ],
)
def test_unusable_moments_are_errors(mean, sigma, message):
    with pytest.raises(DataError, match=message):
        MaximumSharpe().allocate(mean, sigma, RISK_FREE)


@pytest.mark.parametrize("max_weight", [0.0, -0.1, 1.1, np.nan])
def test_an_impossible_cap_is_an_error(max_weight):
    for allocator in (MinimumVariance(max_weight), MaximumSharpe(max_weight)):
        with pytest.raises(ParameterError, match="max_weight"):
            allocator.allocate(np.zeros(2), np.eye(2), RISK_FREE)


def test_an_unknown_solver_is_an_error():
    for allocator in (MinimumVariance(solver="simplex"), MaximumSharpe(solver="simplex")):
        with pytest.raises(ParameterError, match="daqp, nnls, skfolio and is 'simplex'"):
            allocator.allocate(np.zeros(8), np.eye(8), RISK_FREE)


def test_a_blank_risk_free_return_is_an_error():
    with pytest.raises(ParameterError, match="risk_free"):
        MaximumSharpe().allocate(np.zeros(2), np.eye(2), np.nan)


def test_allocators_say_whether_they_need_expected_returns():
    assert MaximumSharpe.needs_mean
    assert not MinimumVariance.needs_mean
    assert not EqualWeight.needs_mean
