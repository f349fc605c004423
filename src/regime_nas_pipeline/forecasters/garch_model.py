"""The AR(1)-GARCH(1,1)-t model of one return series: estimation, filter, analytic forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from regime_nas_pipeline.forecasters.garch_newton import maximum_likelihood
from regime_nas_pipeline.forecasters.garch_past import (
    EWMA_DECAY,
    NOTHING,
    Past,
    running_squares,
    running_totals,
)

_MAX_MEAN_ERRORS = 10.0
# The optimiser ends on the bound α + β = 1 up to its own tolerance, on either side.
_BOUND_TOLERANCE = 1e-4


class GarchParameters(NamedTuple):
    """Fitted parameters of one asset; returns are in decimals.

    r_t = constant + phi r_(t-1) + ε_t, σ²_t = omega + alpha ε²_(t-1) + beta σ²_(t-1), ε_t / σ_t
    Student t with ``nu`` degrees of freedom and unit variance.

    Attributes:
        constant: Constant of the mean equation.
        phi: Autoregressive coefficient.
        omega: Constant of the variance equation.
        alpha: Weight of the last squared shock.
        beta: Weight of the last variance.
        nu: Degrees of freedom.
        initial_variance: Mean squared shock in training, where the variance recursion starts.
    """

    constant: float
    phi: float
    omega: float
    alpha: float
    beta: float
    nu: float
    initial_variance: float


@dataclass(frozen=True)
class FitFailure:
    """Why an asset has no parameters.

    Attributes:
        reason: ``not_converged`` (or the returns never differed), ``not_stationary`` (|φ| ≥ 1 or
            α + β > 1; at 1, the integrated model, a finite horizon still has a finite variance
            and the fit is kept) or ``implausible_mean`` (the long-run mean is more than ten
            standard errors away from the sample mean, as prices that mostly stand still can
            make it).
    """

    reason: str


class GarchFit(NamedTuple):
    """Outcome of one fit, and whose it is.

    Attributes:
        outcome: The parameters, or why there are none.
        fell_back: The project's own steps found no maximum, so that ``arch`` was asked.
    """

    outcome: GarchParameters | FitFailure
    fell_back: bool


def fit_garch(returns: np.ndarray) -> GarchFit:
    """Estimate AR(1)-GARCH(1,1)-t by maximum likelihood.

    Likelihood, limits and starting values are those of ``arch``; the maximum is found by Newton
    steps on exact derivatives (:func:`~.garch_newton.maximum_likelihood`), and by ``arch`` itself
    where those find none.

    The returns are divided by their standard deviation first and the estimates are scaled back,
    because the optimiser's tolerances are absolute: a bond fund and a coin get the same care.

    Args:
        returns: One-bar log returns, (n,), finite.
    """
    if np.ptp(returns[1:]) == 0 or np.ptp(returns[:-1]) == 0:
        return GarchFit(FitFailure("not_converged"), fell_back=False)
    scale = float(returns.std())
    found = maximum_likelihood(returns / scale)
    if found is not None:
        *others, tail = (float(value) for value in found.parameters)
        return GarchFit(_checked([*others, 1.0 / tail], returns, scale), fell_back=False)
    estimates = _estimates_of_arch(returns / scale)
    if estimates is None:
        return GarchFit(FitFailure("not_converged"), fell_back=True)
    return GarchFit(_checked(estimates, returns, scale), fell_back=True)


def _estimates_of_arch(scaled: np.ndarray) -> list[float] | None:
    """Constant, φ, ω, α, β and ν by SLSQP with gradients by finite differences, or None."""
    from arch import arch_model  # noqa: PLC0415 - brings Matplotlib

    model = arch_model(scaled, mean="AR", lags=1, vol="GARCH", p=1, q=1, dist="t", rescale=False)
    result = model.fit(disp="off", show_warning=False)
    estimates = np.asarray(result.params, dtype=float)
    if result.convergence_flag != 0 or not np.isfinite(estimates).all():
        return None
    return [float(value) for value in estimates]


def _checked(
    estimates: list[float], returns: np.ndarray, scale: float
) -> GarchParameters | FitFailure:
    """Estimates of the scaled returns in the returns' own unit, unless they are of no use."""
    constant, phi, omega, alpha, beta, nu = estimates
    if abs(phi) >= 1.0 or alpha + beta > 1.0 + _BOUND_TOLERANCE:
        return FitFailure("not_stationary")
    sample_mean = float(returns.mean()) / scale
    if abs(constant / (1.0 - phi) - sample_mean) > _MAX_MEAN_ERRORS / np.sqrt(len(returns)):
        return FitFailure("implausible_mean")
    shocks = returns[1:] - constant * scale - phi * returns[:-1]
    return GarchParameters(
        constant=constant * scale,
        phi=phi,
        omega=omega * scale**2,
        alpha=alpha,
        beta=beta,
        nu=nu,
        initial_variance=float((shocks**2).mean()),
    )


def next_variance(
    returns: np.ndarray, parameters: GarchParameters, past: Past = NOTHING
) -> np.ndarray:
    """Variance of the next return's shock, known after each return, (n,).

    The recursion runs forward only, so that an entry has the same bits whatever follows it, and
    wherever what lies before was summed up. Its start is forgotten at the rate ``beta`` per bar.

    Args:
        returns: One-bar log returns, (n,).
        parameters: Fitted parameters.
        past: Returns before these, summed up with the same parameters; its latest is one of these.
    """
    before = np.concatenate([[past.last], returns[:-1]]) if len(returns) else returns
    squares = (returns - parameters.constant - parameters.phi * before) ** 2
    variance_before = past.variance
    if past.n_summed == 0:
        # The first return has no predecessor and so no shock: its square is replaced by the mean.
        squares[:1] = variance_before = parameters.initial_variance
    driven = parameters.omega + parameters.alpha * squares
    start = [parameters.beta * variance_before]
    variance, _ = lfilter([1.0], [1.0, -parameters.beta], driven, zi=start)
    filtered: np.ndarray = variance
    return filtered


def past_of(returns: np.ndarray, parameters: GarchParameters | None) -> Past:
    """All returns of an asset, as :func:`next_variance` and :func:`uninformed_forecast` go on.

    Args:
        returns: One-bar log returns from the first on, (n,).
        parameters: The asset's, if it has any.
    """
    if not len(returns):
        return NOTHING
    earlier, latest = returns[:-1], float(returns[-1])
    if not len(earlier):
        return NOTHING._replace(latest=latest)
    variance = float("nan") if parameters is None else float(next_variance(earlier, parameters)[-1])
    return Past(
        n_summed=len(earlier),
        total=float(running_totals(earlier, NOTHING)[-1]),
        squares=float(running_squares(earlier, NOTHING)[-1]),
        last=float(earlier[-1]),
        variance=variance,
        latest=latest,
    )


def aggregate_forecast(
    last_return: np.ndarray,
    variance: np.ndarray,
    parameters: GarchParameters,
    *,
    horizon: int,
    execution_lag: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the return summed over bars lag + 1 to lag + horizon ahead.

    With μ = constant / (1 - φ) and k bars ahead, E r_(t+k) = μ + φ^k (r_t - μ). The shock of bar
    t + j moves each later return by φ^(k-j), so that it enters the sum with weight
    w_j = Σ φ^(k-j) over the bars k ≥ j of the sum; shocks are uncorrelated, hence the variance is
    Σ_j w_j² E σ²_(t+j), where E σ²_(t+j+1) = ω + (α + β) E σ²_(t+j). Shocks between decision and
    trade count too, since they carry over through φ.

    Args:
        last_return: r_t, (D,).
        variance: σ² of bar t + 1, known at t, (D,).
        parameters: Fitted parameters.
        horizon: Bars in the sum.
        execution_lag: Bars that are left out before it.

    Returns:
        Mean and variance of the sum, (D,) each, in decimals and squared decimals.
    """
    last_bar = execution_lag + horizon
    phi = parameters.phi
    ahead = np.arange(execution_lag + 1, last_bar + 1)
    long_run = parameters.constant / (1.0 - phi)
    mean = horizon * long_run + (last_return - long_run) * float((phi**ahead).sum())
    total = np.zeros_like(variance)
    expected = variance
    for step in range(1, last_bar + 1):
        weight = float((phi ** (ahead[ahead >= step] - step)).sum())
        total = total + weight**2 * expected
        expected = parameters.omega + (parameters.alpha + parameters.beta) * expected
    return mean, total


def uninformed_forecast(
    returns: np.ndarray, *, horizon: int, past: Past = NOTHING
) -> tuple[np.ndarray, np.ndarray]:
    """Forecast without a fitted model: sample mean and exponentially weighted variance.

    The mean of all returns up to each bar, and the mean of their squares with weights that fall
    by 0.94 per bar (RiskMetrics, 1996: an integrated GARCH with given weights), both times the
    horizon. An entry has the same bits whatever follows it.

    Args:
        returns: One-bar log returns, (n,).
        horizon: Bars in the sum.
        past: Returns before these, summed up; its latest is one of these.

    Returns:
        Mean and variance of the sum of the next ``horizon`` returns, (n,) each.
    """
    counts = past.n_summed + np.arange(1, len(returns) + 1)
    weights = (1.0 - EWMA_DECAY**counts) / (1.0 - EWMA_DECAY)
    mean = running_totals(returns, past) / counts
    variance = running_squares(returns, past) / weights
    return mean * horizon, variance * horizon
