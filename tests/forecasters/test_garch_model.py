from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from arch import arch_model
from garch_series import arch_model_of, stock
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.forecasters import garch_model
from regime_nas_pipeline.forecasters.garch_model import (
    FitFailure,
    GarchFit,
    GarchParameters,
    aggregate_forecast,
    fit_garch,
    next_variance,
    past_of,
    uninformed_forecast,
)
from regime_nas_pipeline.market.synthetic import garch_t_returns

TRUE = GarchParameters(
    constant=0.0005, phi=0.2, omega=2e-6, alpha=0.08, beta=0.9, nu=7.0, initial_variance=1e-4
)


def simulated(n_bars: int, seed: int) -> np.ndarray:
    truth = TRUE._asdict()
    del truth["initial_variance"]
    return garch_t_returns(n_bars=n_bars, seed=seed, **truth)


def fitted(returns: np.ndarray) -> GarchParameters:
    found, fell_back = fit_garch(returns)
    assert isinstance(found, GarchParameters)
    assert not fell_back
    return found


def test_recovers_known_parameters() -> None:
    found = fitted(simulated(20_000, seed=5))
    # About four standard errors each, as arch reports them for this sample.
    assert found.constant == pytest.approx(TRUE.constant, abs=2.5e-4)
    assert found.phi == pytest.approx(TRUE.phi, abs=0.03)
    assert found.omega == pytest.approx(TRUE.omega, rel=0.4)
    assert found.alpha == pytest.approx(TRUE.alpha, abs=0.02)
    assert found.beta == pytest.approx(TRUE.beta, abs=0.025)
    assert found.nu == pytest.approx(TRUE.nu, abs=1.3)
    unconditional = TRUE.omega / (1 - TRUE.alpha - TRUE.beta)
    assert found.initial_variance == pytest.approx(unconditional, rel=0.2)


def test_estimates_do_not_depend_on_the_unit() -> None:
    returns = simulated(1500, seed=6)
    plain, small = fitted(returns), fitted(returns / 128)
    # A power of two, so that rounding is the same and the optimiser takes the same steps.
    units = np.array([128.0, 1, 128.0**2, 1, 1, 1, 128.0**2])
    np.testing.assert_allclose(small, np.array(plain) / units, rtol=1e-12)


def test_variance_equals_the_plain_recursion() -> None:
    returns = simulated(300, seed=8)
    expected = [TRUE.omega + (TRUE.alpha + TRUE.beta) * TRUE.initial_variance]
    for before, now in pairwise(returns):
        shock = now - TRUE.constant - TRUE.phi * before
        expected.append(TRUE.omega + TRUE.alpha * shock**2 + TRUE.beta * expected[-1])
    np.testing.assert_allclose(next_variance(returns, TRUE), expected, rtol=1e-12)


def arch_forecast(returns: np.ndarray, steps: int) -> Any:
    """Forecast of arch for the same fixed parameters, with returns in per cent."""
    model = arch_model(100 * returns, mean="AR", lags=1, vol="GARCH", dist="t", rescale=False)
    fixed = [100 * TRUE.constant, TRUE.phi, 1e4 * TRUE.omega, TRUE.alpha, TRUE.beta, TRUE.nu]
    return model.fix(fixed).forecast(horizon=steps, reindex=False)


def test_equals_the_forecast_of_arch_step_by_step() -> None:
    # After 2,000 bars nothing is left of the recursion's start (0.9 ** 2000).
    returns = simulated(2000, seed=9)
    variance = next_variance(returns, TRUE)[-1:]
    reference = arch_forecast(returns, steps=22)
    assert variance[0] == pytest.approx(reference.residual_variance.iloc[0, 0] / 1e4, rel=1e-10)
    for lag in range(22):
        mean, total = aggregate_forecast(returns[-1:], variance, TRUE, horizon=1, execution_lag=lag)
        assert mean[0] == pytest.approx(reference.mean.iloc[0, lag] / 100, rel=1e-10)
        assert total[0] == pytest.approx(reference.variance.iloc[0, lag] / 1e4, rel=1e-10)


def test_the_mean_of_a_sum_is_the_sum_of_the_means_of_arch() -> None:
    returns = simulated(2000, seed=10)
    reference = arch_forecast(returns, steps=22).mean.iloc[0].to_numpy() / 100
    mean, _ = aggregate_forecast(
        returns[-1:], next_variance(returns, TRUE)[-1:], TRUE, horizon=21, execution_lag=1
    )
    assert mean[0] == pytest.approx(reference[1:].sum(), rel=1e-10)


@settings(max_examples=30, deadline=None)
@given(
    phi=st.floats(-0.9, 0.9),
    alpha=st.floats(0.0, 0.4),
    beta=st.floats(0.0, 0.55),
    horizon=st.integers(1, 25),
    lag=st.integers(0, 3),
    start=st.floats(1e-6, 1e-2),
)
def test_the_variance_of_a_sum_equals_the_matrix_product(
    phi: float, alpha: float, beta: float, horizon: int, lag: int, start: float
) -> None:
    parameters = GarchParameters(0.001, phi, 1e-5, alpha, beta, 8.0, 1e-4)
    steps = lag + horizon
    # Covariance of the next returns: (I - φ·shift)⁻¹ D (I - φ·shift)⁻ᵀ with D the variances.
    variances = [start]
    for _ in range(steps - 1):
        variances.append(1e-5 + (alpha + beta) * variances[-1])
    response = np.linalg.inv(np.eye(steps) - phi * np.eye(steps, k=-1))
    covariance = response @ np.diag(variances) @ response.T
    counted = (np.arange(steps) >= lag).astype(float)
    _, total = aggregate_forecast(
        np.array([0.01]), np.array([start]), parameters, horizon=horizon, execution_lag=lag
    )
    assert total[0] == pytest.approx(counted @ covariance @ counted, rel=1e-9)


def test_equals_a_monte_carlo_simulation() -> None:
    paths, horizon, lag = 200_000, 5, 1
    last, variance = 0.02, 3e-4
    generator = np.random.default_rng(12)
    value, sigma2 = np.full(paths, last), np.full(paths, variance)
    total = np.zeros(paths)
    for step in range(1, lag + horizon + 1):
        draw = generator.standard_t(TRUE.nu, paths) * np.sqrt((TRUE.nu - 2) / TRUE.nu)
        shock = np.sqrt(sigma2) * draw
        value = TRUE.constant + TRUE.phi * value + shock
        sigma2 = TRUE.omega + TRUE.alpha * shock**2 + TRUE.beta * sigma2
        if step > lag:
            total += value
    mean, expected = aggregate_forecast(
        np.array([last]), np.array([variance]), TRUE, horizon=horizon, execution_lag=lag
    )
    assert mean[0] == pytest.approx(total.mean(), abs=4 * total.std() / np.sqrt(paths))
    squares = (total - total.mean()) ** 2
    assert expected[0] == pytest.approx(squares.mean(), abs=4 * squares.std() / np.sqrt(paths))


@given(st.integers(0, 60), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_summed_up_anywhere_and_gone_on_from_there_the_bits_are_the_same(
    before: int, after: int, seed: int
) -> None:
    returns = np.random.default_rng(seed).normal(0.0, 0.02, before + after)
    past = past_of(returns[:before], TRUE)
    later = past.continued(returns[before:])
    variance = next_variance(later, TRUE, past)
    np.testing.assert_array_equal(variance[-after:], next_variance(returns, TRUE)[-after:])
    whole = uninformed_forecast(returns, horizon=3)
    for found, expected in zip(
        uninformed_forecast(later, horizon=3, past=past), whole, strict=True
    ):
        np.testing.assert_array_equal(found[-after:], expected[-after:])


def test_the_uninformed_variance_is_that_of_pandas() -> None:
    returns = np.random.default_rng(8).normal(0.001, 0.02, 300)
    mean, variance = uninformed_forecast(returns, horizon=1)
    expected = pd.Series(returns**2).ewm(alpha=0.06, adjust=True).mean().to_numpy()
    np.testing.assert_allclose(variance, expected, rtol=1e-12)
    np.testing.assert_allclose(mean, pd.Series(returns).expanding().mean(), rtol=1e-9)


def test_the_uninformed_forecast_by_hand() -> None:
    mean, variance = uninformed_forecast(np.array([0.1, -0.2, 0.4]), horizon=2)
    np.testing.assert_allclose(mean, [0.2, 2 * -0.05, 2 * 0.1], rtol=1e-12)
    weights = np.array([0.94**2, 0.94, 1.0])
    np.testing.assert_allclose(
        variance,
        [
            2 * 0.01,
            2 * (0.94 * 0.01 + 0.04) / 1.94,
            2 * weights @ [0.01, 0.04, 0.16] / weights.sum(),
        ],
        rtol=1e-12,
    )


@pytest.mark.parametrize(
    ("flag", "estimates", "reason"),
    [
        (4, [0.0, 0.0, 0.1, 0.1, 0.8, 8.0], "not_converged"),
        (0, [0.0, np.nan, 0.1, 0.1, 0.8, 8.0], "not_converged"),
        (0, [0.0, 0.0, 0.1, 0.2, 0.9, 8.0], "not_stationary"),
        (0, [0.0, -1.0, 0.1, 0.1, 0.8, 8.0], "not_stationary"),
        (0, [0.3, 0.9, 0.1, 0.1, 0.8, 8.0], "implausible_mean"),
    ],
)
def test_a_fit_of_arch_that_cannot_be_used_is_reported(
    monkeypatch: pytest.MonkeyPatch, flag: int, estimates: list[float], reason: str
) -> None:
    result = SimpleNamespace(convergence_flag=flag, params=estimates)
    model = SimpleNamespace(fit=lambda **_: result)
    monkeypatch.setattr("arch.arch_model", lambda *_, **__: model)
    monkeypatch.setattr(garch_model, "maximum_likelihood", lambda _: None)
    assert fit_garch(simulated(300, seed=1)) == GarchFit(FitFailure(reason), fell_back=True)


@pytest.mark.parametrize(
    ("estimates", "reason"),
    [
        ([0.0, 0.0, 0.1, 0.2, 0.9, 1 / 8], "not_stationary"),
        ([0.0, -1.0, 0.1, 0.1, 0.8, 1 / 8], "not_stationary"),
        ([0.3, 0.9, 0.1, 0.1, 0.8, 1 / 8], "implausible_mean"),
    ],
)
def test_a_maximum_that_cannot_be_used_is_reported(
    monkeypatch: pytest.MonkeyPatch, estimates: list[float], reason: str
) -> None:
    found = SimpleNamespace(parameters=np.array(estimates))
    monkeypatch.setattr(garch_model, "maximum_likelihood", lambda _: found)
    assert fit_garch(simulated(300, seed=1)) == GarchFit(FitFailure(reason), fell_back=False)


def test_where_the_steps_find_no_maximum_the_estimates_are_those_of_arch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    returns = simulated(600, seed=2)
    scale = returns.std()
    expected = np.asarray(arch_model_of(returns / scale).fit(disp="off", show_warning=False).params)
    monkeypatch.setattr(garch_model, "maximum_likelihood", lambda _: None)
    found, fell_back = fit_garch(returns)
    assert fell_back
    assert isinstance(found, GarchParameters)
    units = np.array([scale, 1, scale**2, 1, 1, 1])
    np.testing.assert_array_equal(found[:6], expected * units)


@pytest.mark.parametrize("moving", [0.02, 0.1])
def test_prices_that_mostly_stand_still_are_left_to_arch(moving: float) -> None:
    still = np.random.default_rng(4).random(600) >= moving
    returns = np.where(still, 0.0, simulated(600, seed=4))
    _, fell_back = fit_garch(returns)
    assert fell_back


@pytest.mark.parametrize("column", [2, 9, 13])
@pytest.mark.parametrize("n_bars", [1500, 3773])
def test_forecasts_are_those_of_arch_to_a_millionth(column: int, n_bars: int) -> None:
    returns = stock(column, n_bars)
    scale = returns.std()
    # At the tolerance that arch stops at by default, volatilities are off by up to 3e-6. This one
    # may end with a warning: gradients by finite differences show no way up any more.
    reference = arch_model_of(returns / scale).fit(
        disp="off", show_warning=False, options={"ftol": 1e-12, "maxiter": 1000}
    )
    constant, phi, omega, alpha, beta, nu = map(float, reference.params)
    shocks = returns[1:] - constant * scale - phi * returns[:-1]
    expected = GarchParameters(
        constant * scale, phi, omega * scale**2, alpha, beta, nu, float((shocks**2).mean())
    )
    (mean, variance), (arch_mean, arch_variance) = (
        aggregate_forecast(
            returns, next_variance(returns, parameters), parameters, horizon=21, execution_lag=1
        )
        for parameters in (fitted(returns), expected)
    )
    np.testing.assert_allclose(mean, arch_mean, rtol=0.0, atol=1e-6)
    np.testing.assert_allclose(np.sqrt(variance), np.sqrt(arch_variance), rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("moved", [0, 299])
def test_returns_that_never_differ_have_no_parameters(moved: int) -> None:
    # One move at the very edge leaves either the returns or their predecessors constant.
    returns = np.zeros(300)
    returns[moved] = 0.5
    assert fit_garch(returns) == GarchFit(FitFailure("not_converged"), fell_back=False)


def test_an_integrated_variance_is_kept_and_grows_linearly() -> None:
    # Lasting jumps of the volatility drive α + β to its bound (Lamoureux and Lastrapes, 1990).
    levels = np.repeat([0.005, 0.03, 0.01, 0.05], 400)
    returns = levels * np.random.default_rng(0).standard_normal(1600)
    found = fitted(returns)
    assert found.alpha + found.beta == pytest.approx(1.0, abs=1e-12)
    integrated = found._replace(phi=0.0, alpha=0.1, beta=0.9, omega=1e-6)
    _, variance = aggregate_forecast(
        np.array([0.0]), np.array([4e-4]), integrated, horizon=21, execution_lag=0
    )
    # Each step adds omega: 21 variances of 4e-4 plus omega times 0 + 1 + ... + 20.
    np.testing.assert_allclose(variance, 21 * 4e-4 + 1e-6 * 210, rtol=1e-12)
