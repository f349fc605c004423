from __future__ import annotations

import numpy as np
import pytest
from garch_series import arch_likelihood, simulated, stock
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.forecasters.garch_likelihood import (
    ALPHA,
    BETA,
    OMEGA,
    TAIL,
    GarchLikelihood,
    filtered_variance,
)

RETURNS = simulated(300, seed=3) / simulated(300, seed=3).std()
LIKELIHOOD = GarchLikelihood(RETURNS, backcast=1.3)

# Limits of α and β included: there the steps of an optimiser rest. Towards normal shocks what
# differences can show of 1/ν falls below the rounding of all the rest.
vectors = st.builds(
    lambda *values: np.array(values),
    st.floats(-0.3, 0.3),
    st.floats(-0.9, 1.1),
    st.floats(0.05, 2.0),
    st.floats(0.0, 0.6),
    st.floats(0.0, 1.0),
    st.floats(1 / 60, 1 / 2.05),
)


def in_nu(vector: np.ndarray) -> np.ndarray:
    changed = vector.copy()
    changed[TAIL] = 1.0 / vector[TAIL]
    return changed


@settings(max_examples=50, deadline=None)
@given(vectors)
def test_the_value_is_that_of_arch(vector: np.ndarray) -> None:
    expected = arch_likelihood(RETURNS, 1.3, in_nu(vector))
    assert LIKELIHOOD.at(vector).value == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("column", [0, 7, 19])
@pytest.mark.parametrize("nu", [2.05, 6.0, 500.0])
def test_the_value_is_that_of_arch_on_stocks(column: int, nu: float) -> None:
    returns = stock(column, 2000) / stock(column, 2000).std()
    vector = np.array([0.01, -0.03, 0.01, 0.06, 0.93, 1 / nu])
    expected = arch_likelihood(returns, 0.7, in_nu(vector))
    assert GarchLikelihood(returns, 0.7).at(vector).value == pytest.approx(expected, rel=1e-12)


def steps_of(vector: np.ndarray) -> np.ndarray:
    """Half widths of central differences that keep the likelihood defined."""
    steps = np.full(6, 1e-5)
    steps[OMEGA] *= vector[OMEGA]
    steps[TAIL] = 1e-4 * vector[TAIL]
    return steps


@settings(max_examples=60, deadline=None)
@given(vectors)
def test_the_gradient_is_that_of_finite_differences(vector: np.ndarray) -> None:
    gradient, _ = LIKELIHOOD.derivatives(LIKELIHOOD.at(vector))
    for place, step in enumerate(steps_of(vector)):
        ahead, behind = vector.copy(), vector.copy()
        ahead[place] += step
        behind[place] -= step
        slope = (LIKELIHOOD.at(ahead).value - LIKELIHOOD.at(behind).value) / (2 * step)
        # Rounding of the values, divided by the step; and the third derivative's share.
        assert gradient[place] == pytest.approx(slope, rel=1e-4, abs=1e-10 / step + 1e-3)


@settings(max_examples=60, deadline=None)
@given(vectors)
def test_the_hessian_is_that_of_finite_differences_of_the_gradient(vector: np.ndarray) -> None:
    _, hessian = LIKELIHOOD.derivatives(LIKELIHOOD.at(vector))
    size = np.abs(hessian).max()
    np.testing.assert_allclose(hessian, hessian.T, rtol=0.0, atol=1e-12 * size)
    for place, step in enumerate(steps_of(vector)):
        ahead, behind = vector.copy(), vector.copy()
        ahead[place] += step
        behind[place] -= step
        after, _ = LIKELIHOOD.derivatives(LIKELIHOOD.at(ahead))
        before, _ = LIKELIHOOD.derivatives(LIKELIHOOD.at(behind))
        slopes = (after - before) / (2 * step)
        np.testing.assert_allclose(hessian[place], slopes, rtol=1e-4, atol=1e-6 * size)


def test_the_variance_is_that_of_the_plain_recursion() -> None:
    squares = RETURNS**2
    expected = [0.1 + (0.2 + 0.7) * squares[0]]
    for before in squares[1:]:
        expected.append(0.1 + 0.2 * before + 0.7 * expected[-1])
    found = filtered_variance(squares, 0.1, 0.2, 0.7)
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_without_alpha_the_likelihood_hardly_hangs_on_beta_along_a_constant_variance() -> None:
    # Started at the long-run variance and never shocked, the variance stays there for any β.
    likelihood = GarchLikelihood(RETURNS, backcast=1.0)
    vector = np.array([0.0, 0.0, 0.4, 0.0, 0.6, 1 / 8])
    gradient, hessian = likelihood.derivatives(likelihood.at(vector))
    along = np.zeros(6)
    along[[OMEGA, BETA]] = -1.0, 1.0
    assert gradient @ along == pytest.approx(0.0, abs=1e-9)
    assert along @ hessian @ along == pytest.approx(0.0, abs=1e-8)
    assert gradient[ALPHA] != pytest.approx(0.0, abs=1.0)
