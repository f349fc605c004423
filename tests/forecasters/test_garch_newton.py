from __future__ import annotations

import numpy as np
import pytest
from garch_series import arch_likelihood, arch_model_of, simulated, stock
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.forecasters.garch_likelihood import (
    ALPHA,
    BETA,
    OMEGA,
    TAIL,
    Evaluation,
    GarchLikelihood,
)
from regime_nas_pipeline.forecasters.garch_newton import maximum_likelihood

TIGHT = {"ftol": 1e-12, "maxiter": 1000}


def scaled(returns: np.ndarray) -> np.ndarray:
    ratio: np.ndarray = returns / returns.std()
    return ratio


def fitted(returns: np.ndarray) -> Evaluation:
    found = maximum_likelihood(returns)
    assert found is not None
    return found


def in_nu(found: Evaluation) -> np.ndarray:
    changed = found.parameters.copy()
    changed[TAIL] = 1.0 / changed[TAIL]
    return changed


def backcast_of(returns: np.ndarray) -> float:
    """Exponentially weighted mean of the first squared residuals of least squares."""
    regressors = np.column_stack([np.ones(len(returns) - 1), returns[:-1]])
    estimates = np.linalg.lstsq(regressors, returns[1:])[0]
    squares = (returns[1:] - regressors @ estimates)[:75] ** 2
    return float(np.average(squares, weights=0.94 ** np.arange(75)))


def slopes_at(returns: np.ndarray, found: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """Gradient in units of one standard error (by curvature alone), and those units."""
    likelihood = GarchLikelihood(returns, backcast_of(returns))
    gradient, hessian = likelihood.derivatives(found)
    unit = 1.0 / np.sqrt(np.abs(np.diag(hessian)))
    return gradient * unit, unit


@pytest.mark.parametrize(("column", "n_bars"), [(0, 3774), (3, 3774), (11, 2500), (16, 1000)])
def test_stocks_have_the_maximum_of_arch(column: int, n_bars: int) -> None:
    returns = scaled(stock(column, n_bars))
    found = fitted(returns)
    model = arch_model_of(returns)
    plain = model.fit(disp="off", show_warning=False)
    assert found.value >= plain.loglikelihood - 1e-8 * abs(plain.loglikelihood)

    tight = model.fit(disp="off", show_warning=False, options=TIGHT)
    assert found.value == pytest.approx(tight.loglikelihood, abs=1e-8)
    # Of a standard error, which is what differences of estimates are measured by.
    errors = np.abs(in_nu(found) - np.asarray(tight.params)) / np.asarray(tight.std_err)
    assert errors.max() < 1e-3


def test_arch_finds_nothing_higher_from_where_the_steps_end() -> None:
    returns = scaled(stock(5, 3000))
    found = fitted(returns)
    again = arch_model_of(returns).fit(
        disp="off", show_warning=False, starting_values=in_nu(found), options={"ftol": 1e-14}
    )
    assert again.loglikelihood == pytest.approx(found.value, abs=1e-9)


def test_a_panel_of_known_parameters_is_recovered() -> None:
    deviations = []
    for seed in range(12):
        returns = simulated(4000, seed=seed, phi=0.1)
        unit = returns.std()
        found = fitted(returns / unit)
        likelihood = GarchLikelihood(returns / unit, backcast_of(returns / unit))
        _, hessian = likelihood.derivatives(found)
        errors = np.sqrt(np.diag(np.linalg.inv(-hessian)))
        truth = np.array([5e-4 / unit, 0.1, 2e-6 / unit**2, 0.08, 0.9, 1 / 7])
        deviations.append((found.parameters - truth) / errors)
    # In standard errors by the exact curvature: as standard normal numbers are, 12 of each.
    assert np.abs(deviations).max() < 4.5
    assert np.abs(np.mean(deviations, axis=0)).max() < 4.0 / np.sqrt(12)
    assert 0.7 < np.std(deviations) < 1.35


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_bars=st.integers(250, 900),
    phi=st.floats(-0.8, 0.8),
    alpha=st.floats(0.0, 0.5),
    share=st.floats(0.0, 0.99),
    nu=st.floats(2.6, 60.0),
)
def test_nothing_within_the_limits_goes_up_from_the_end(
    seed: int, n_bars: int, phi: float, alpha: float, share: float, nu: float
) -> None:
    beta = share * (0.995 - alpha)
    omega = 1e-4 * (1.0 - alpha - beta)
    returns = scaled(
        simulated(n_bars, seed=seed, phi=phi, omega=omega, alpha=alpha, beta=beta, nu=nu)
    )
    found = fitted(returns)
    slopes, unit = slopes_at(returns, found)
    parameters = found.parameters
    # The lowest ω is 1e-8 of the mean squared shock, which is below 1.
    limits = {ALPHA: (0.0, 1.0), BETA: (0.0, 1.0), TAIL: (1 / 500, 1 / 2.05), OMEGA: (0.0, np.inf)}
    resting = {OMEGA: parameters[OMEGA] <= 1e-8}
    bound = parameters[ALPHA] + parameters[BETA] > 1.0 - 1e-9
    assert parameters[ALPHA] + parameters[BETA] <= 1.0 + 1e-9
    if bound:
        # Both are pushed out with the same force: then no exchange between them helps either.
        push = slopes / unit
        free = [place for place in (ALPHA, BETA) if parameters[place] > 0.0]
        assert np.ptp(push[free]) <= 1e-3 * max(1.0, np.abs(push[free]).max())
        assert push[free].min() > -1e-3
    for place in range(6):
        low, high = limits.get(place, (-np.inf, np.inf))
        assert low <= parameters[place] <= high
        if bound and place in {ALPHA, BETA}:
            continue
        if parameters[place] > low and not resting.get(place, False):
            assert slopes[place] > -1e-3
        if parameters[place] < high:
            assert slopes[place] < 1e-3


@pytest.mark.parametrize("seed", [*range(8), 1156])
@pytest.mark.parametrize("n_bars", [250, 600])
def test_short_series_are_not_below_arch(seed: int, n_bars: int) -> None:
    returns = scaled(simulated(n_bars, seed=seed))
    found = fitted(returns)
    reference = arch_model_of(returns).fit(disp="off", show_warning=False)
    assert found.value >= reference.loglikelihood - 1e-8 * abs(reference.loglikelihood)


@pytest.mark.parametrize("seed", range(6))
def test_returns_without_any_clusters_are_not_below_arch(seed: int) -> None:
    # With α at 0 β stands for nothing, and there are several maxima.
    returns = scaled(np.random.default_rng(seed).standard_normal(400))
    found = fitted(returns)
    reference = arch_model_of(returns).fit(disp="off", show_warning=False)
    assert found.value >= reference.loglikelihood - 1e-8 * abs(reference.loglikelihood)


def test_after_one_jump_another_start_finds_the_higher_maximum() -> None:
    returns = simulated(1000, seed=1).copy()
    returns[500] = 0.5
    found = fitted(scaled(returns))
    reference = arch_model_of(scaled(returns)).fit(disp="off", show_warning=False)
    assert found.value >= reference.loglikelihood - 1e-8 * abs(reference.loglikelihood)


@pytest.mark.parametrize("seed", range(3))
def test_an_integrated_variance_ends_on_the_limit(seed: int) -> None:
    levels = np.repeat([0.005, 0.03, 0.01, 0.05], 300)
    returns = scaled(levels * np.random.default_rng(seed).standard_normal(1200))
    found = fitted(returns)
    assert found.parameters[ALPHA] + found.parameters[BETA] == pytest.approx(1.0, abs=1e-12)
    # arch ends outside the limit by up to about 1e-7, where the likelihood is higher: moved back.
    reference = np.array(arch_model_of(returns).fit(disp="off", show_warning=False).params)
    reference[BETA] -= max(0.0, reference[ALPHA] + reference[BETA] - 1.0)
    below = arch_likelihood(returns, backcast_of(returns), reference)
    assert found.value >= below - 1e-8 * abs(below)


@pytest.mark.parametrize("moving", [0.02, 0.1])
def test_prices_that_mostly_stand_still_have_no_maximum(moving: float) -> None:
    generator = np.random.default_rng(4)
    returns = simulated(600, seed=4) * (generator.random(600) < moving)
    assert maximum_likelihood(scaled(returns)) is None


def test_a_mean_that_explains_everything_leaves_no_maximum() -> None:
    assert maximum_likelihood(scaled(0.01 * (-1.0) ** np.arange(400))) is None


def test_equal_returns_give_equal_bits_wherever_they_lie_and_whatever_came_before() -> None:
    returns = scaled(stock(2, 1501))
    first = fitted(returns)
    fitted(scaled(simulated(700, seed=2)))
    shifted = np.empty(len(returns) + 1)[1:]
    shifted[:] = returns
    again = fitted(shifted)
    assert again.parameters.tobytes() == first.parameters.tobytes()
    assert again.value == first.value
