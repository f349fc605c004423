from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from skfolio.datasets import load_sp500_dataset, load_sp500_index

from regime_nas_pipeline.forecasters.momentum import MomentumForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio import solvers
from regime_nas_pipeline.portfolio.allocate import MaximumSharpe, simple_expected_return
from regime_nas_pipeline.portfolio.solvers import (
    SolverError,
    SolverName,
    highest_expected_return,
    optimal_weights,
)
from regime_nas_pipeline.walkforward.deciding import choices_at
from regime_nas_pipeline.walkforward.folds import make_folds

EXACT = ("daqp", "nnls")
CAP = 0.2
HORIZON = 21
RISK_FREE = 1.01 ** (HORIZON / 252) - 1.0


def _covariance(n: int, rng: np.random.Generator) -> np.ndarray:
    factors = rng.normal(size=(n, 2))
    return 0.003 * (factors @ factors.T + np.diag(rng.uniform(0.3, 2.0, n)))


@st.composite
def problems(draw):
    """Excess returns (or None), covariance and cap of a problem that has a solution."""
    n = draw(st.integers(2, 15))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cap = max(draw(st.sampled_from([0.1, 0.2, 0.35, 1.0])), 1.05 / n)
    excess = None if draw(st.booleans()) else rng.normal(0.004, 0.02, n)
    assume(excess is None or highest_expected_return(excess, cap) > 1e-4)
    return excess, _covariance(n, rng), cap


def _assert_kkt(weights, excess, sigma, cap, tolerance=1e-8):
    """One multiplier for the budget, and marginals above it at 0 and below it at the cap."""
    gain = np.ones(len(sigma)) if excess is None else excess
    assert gain @ weights > 0.0
    marginal = sigma @ weights / (weights @ sigma @ weights) - gain / (gain @ weights)
    low, high = weights <= 1e-9, weights >= cap - 1e-9
    free = ~low & ~high
    least, most = marginal[~low].max(), marginal[~high].min()
    assert least <= most + tolerance
    if free.any():
        assert np.ptp(marginal[free]) <= tolerance


@pytest.mark.parametrize("solver", EXACT)
@settings(max_examples=60, deadline=None)
@given(problem=problems())
def test_weights_are_feasible_and_meet_the_conditions_of_an_optimum(solver, problem):
    excess, sigma, cap = problem
    weights = optimal_weights(solver, excess, sigma, cap)
    assert weights.min() >= 0.0
    assert weights.max() <= cap
    assert weights.sum() == pytest.approx(1.0, abs=1e-14)
    _assert_kkt(weights, excess, sigma, cap)


@settings(max_examples=60, deadline=None)
@given(problem=problems())
def test_two_exact_solvers_agree(problem):
    weights = [optimal_weights(solver, *problem) for solver in EXACT]
    np.testing.assert_allclose(weights[0], weights[1], rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("solver", EXACT)
@settings(max_examples=30, deadline=None)
@given(problem=problems(), seed=st.integers(0, 1000))
def test_the_order_of_the_assets_does_not_matter(solver, problem, seed):
    excess, sigma, cap = problem
    order = np.random.default_rng(seed).permutation(len(sigma))
    shuffled = None if excess is None else excess[order]
    np.testing.assert_allclose(
        optimal_weights(solver, shuffled, sigma[np.ix_(order, order)], cap),
        optimal_weights(solver, excess, sigma, cap)[order],
        rtol=0.0,
        atol=1e-9,
    )


@pytest.mark.parametrize("solver", EXACT)
@settings(max_examples=30, deadline=None)
@given(problem=problems(), gains=st.floats(1e-6, 1e6), variances=st.floats(1e-8, 1e8))
def test_the_units_of_the_moments_do_not_matter(solver, problem, gains, variances):
    excess, sigma, cap = problem
    np.testing.assert_allclose(
        optimal_weights(solver, None if excess is None else excess * gains, sigma * variances, cap),
        optimal_weights(solver, excess, sigma, cap),
        rtol=0.0,
        atol=1e-9,
    )


@settings(max_examples=60, deadline=None)
@given(problem=problems(), exponent=st.integers(1, 14))
def test_almost_nothing_to_gain_is_solved_or_refused_but_never_answered_wrongly(problem, exponent):
    excess, sigma, cap = problem
    assume(excess is not None)
    size = np.abs(excess).max()
    excess = excess - highest_expected_return(excess, cap) + size * 10.0**-exponent
    assume(highest_expected_return(excess, cap) > 0.0)
    for solver in EXACT:
        try:
            weights = optimal_weights(solver, excess, sigma, cap)
        except SolverError:
            assert exponent >= 4
            continue
        # The linear programme over the solution's own slope finds nothing better.
        ratio = weights @ sigma @ weights / (excess @ weights)
        slope = (sigma @ weights - ratio * excess) / np.mean(np.diag(sigma))
        best = linprog(slope, A_eq=np.ones((1, len(slope))), b_eq=[1.0], bounds=[(0.0, cap)])
        assert slope @ weights - best.fun <= 2e-5


@pytest.mark.parametrize("excess", [None, np.array([0.02, 0.01, 0.015, 0.0, 0.01, 0.03])])
def test_a_covariance_without_full_rank_has_an_answer(excess):
    factors = np.random.default_rng(3).uniform(0.5, 1.5, (6, 2))
    sigma = factors @ factors.T
    weights = optimal_weights("daqp", excess, sigma, 0.4)
    reference = optimal_weights("skfolio", excess, sigma, 0.4)
    assert weights @ sigma @ weights == pytest.approx(reference @ sigma @ reference, rel=1e-4)


def test_a_wrong_solution_is_refused(monkeypatch):
    sigma = np.diag([1.0, 4.0])
    for found, message in (([0.5, 0.5], "miss the optimum by"), ([0.2, 0.9], "violate")):
        monkeypatch.setitem(solvers._EXACT, "daqp", lambda *_, found=found: np.array(found))
        with pytest.raises(SolverError, match=message):
            optimal_weights("daqp", None, sigma, 0.9)


@pytest.mark.parametrize("solver", get_args(SolverName))
def test_who_solves_it_says_why_not(solver):
    indefinite = np.full((4, 4), 2.0) - np.eye(4)
    with pytest.raises(SolverError, match=solver):
        optimal_weights(solver, None, indefinite, 0.5)


@pytest.fixture(scope="module")
def default_moments() -> list[tuple[np.ndarray, np.ndarray]]:
    """Excess return and covariance at the 96 decisions of the default run, by momentum."""
    prices = load_sp500_dataset().loc["2000":]
    market = Market(
        dates=pd.DatetimeIndex(prices.index),
        assets=tuple(prices.columns),
        close=prices.to_numpy(),
        benchmark=load_sp500_index().reindex(prices.index).iloc[:, 0].to_numpy(),
        min_history=252,
    )
    folds = make_folds(
        market,
        first_oos=pd.Timestamp("2015-01-01"),
        refit_every=126,
        rebalance_every=HORIZON,
        execution_lag=1,
        window=None,
    )
    dates = pd.DatetimeIndex([date for fold in folds for date in fold.decisions])
    momentum = MomentumForecaster(horizon=HORIZON).fit(market.until(folds[0].train_end))
    mean = momentum.predict(market, dates).mean
    chosen = choices_at(market, dates, HORIZON)
    return [
        (simple_expected_return(row, choice.covariance) - RISK_FREE, choice.covariance)
        for row, choice in zip(mean, chosen.values(), strict=True)
    ]


def test_exact_solvers_agree_on_every_rebalance_of_the_default_run(default_moments):
    assert len(default_moments) == 96
    for excess, sigma in default_moments:
        assert len(sigma) == 20
        for gain in (excess, None):
            weights = [optimal_weights(solver, gain, sigma, CAP) for solver in EXACT]
            np.testing.assert_allclose(weights[0], weights[1], rtol=0.0, atol=1e-8)
            _assert_kkt(weights[0], gain, sigma, CAP)


def test_skfolio_agrees_on_the_default_run_within_its_tolerance(default_moments):
    for excess, sigma in default_moments[::8]:
        exact = optimal_weights("daqp", excess, sigma, CAP)
        close = optimal_weights("skfolio", excess, sigma, CAP)
        np.testing.assert_allclose(close, exact, rtol=0.0, atol=5e-4)
        ratios = [w @ excess / np.sqrt(w @ sigma @ w) for w in (exact, close)]
        assert ratios[0] == pytest.approx(ratios[1], abs=1e-6)
        calmest = [optimal_weights(s, None, sigma, CAP) for s in ("daqp", "skfolio")]
        np.testing.assert_allclose(calmest[1], calmest[0], rtol=0.0, atol=5e-4)


@pytest.mark.parametrize("solver", get_args(SolverName))
def test_allocators_hand_their_solver_on(solver, monkeypatch):
    asked = []

    def recording(name, *arguments):
        asked.append(name)
        raise SolverError("gave up")

    monkeypatch.setattr("regime_nas_pipeline.portfolio.allocate.optimal_weights", recording)
    MaximumSharpe(solver=solver).allocate(np.full(8, 0.02), np.eye(8) * 0.01, 0.0)
    assert asked == [solver, solver]


def test_cleaning_never_lifts_a_weight_above_the_cap():
    noisy = np.array([0.5 + 4e-7, 0.5 - 9e-7, 1e-7, -2e-7])
    cleaned = solvers._clean(noisy, 0.5)
    assert cleaned.sum() == pytest.approx(1.0, abs=1e-15)
    assert cleaned.max() <= 0.5
    assert cleaned.min() >= 0.0
    np.testing.assert_allclose(cleaned, noisy, atol=1e-6)


@pytest.mark.parametrize("weights", [[0.5, 0.6], [1.1, -0.1], [0.9, 0.1], [np.nan, 1.0]])
def test_cleaning_does_not_hide_a_wrong_solution(weights):
    with pytest.raises(ArithmeticError, match="violate"):
        solvers._clean(np.array(weights), 0.6)
