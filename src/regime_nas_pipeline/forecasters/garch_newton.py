"""Maximum likelihood of AR(1)-GARCH(1,1)-t by Newton steps inside the limits of the parameters.

Start, limits and the variance before the first bar are those of ``arch``, which climbs the same
likelihood with gradients by finite differences.
"""

from __future__ import annotations

from typing import NamedTuple

import daqp
import numpy as np
from scipy.linalg import LinAlgError, eigh

from regime_nas_pipeline.forecasters.garch_likelihood import (
    ALPHA,
    BETA,
    Evaluation,
    GarchLikelihood,
    filtered_variance,
)

_MOST_STEPS = 100
_SMALLEST_STEP = 2.0**-30
_ENOUGH_RISE = 1e-4
"""Share of the rise that the slope promises which a step must bring (Armijo's rule)."""

_CONVERGED = 1e-9
"""Rise that a last step promises, in units of the log-likelihood; it is taken, too. The error that
is left is of the order of its square."""

_ROUNDING = 1e-12
"""Rise of the log-likelihood, as a share of it, that cannot be told from rounding."""

_ON_THE_LIMIT = 1e-12
"""Distance from a limit, as a share of the distance of both."""

_LEAST_CURVATURE = 1e-8
"""Of the Hessian scaled to ones on its diagonal: below, a direction counts as flat."""

_LEAST_SHOCK = 1e-12
"""Mean squared shock as a share of the returns' variance: below, the mean explains everything."""

_LEAST_VARIANCE = 1e-6
"""As a share of the mean squared shock: ``arch`` cuts variances that are as small."""

_DECAY, _DECAY_BARS = 0.94, 75
_ALPHAS = (0.01, 0.05, 0.1, 0.2)
_PERSISTENCES = (0.5, 0.7, 0.9, 0.98)
_DAQP_OPTIMAL = 1
_PRIMAL_TOLERANCE = 1e-12


class _Candidate(NamedTuple):
    """A point of the grid: -2 log normal likelihood, (ω, α, β), and the variance of each bar."""

    cost: float
    triple: tuple[float, float, float]
    variance: np.ndarray


class _Start(NamedTuple):
    """Vectors of parameters, the best first; variance before the first bar; mean squared shock."""

    points: list[np.ndarray]
    backcast: float
    level: float


def maximum_likelihood(returns: np.ndarray) -> Evaluation | None:
    """The parameters of the highest likelihood that Newton steps find, or None.

    Where the steps end at α = 0, β = 0 or α + β = 1, the likelihood often has other maxima. Then
    they go again from the best starting point of every other α + β of the grid, and the highest end
    counts.

    Args:
        returns: (n,), finite, in units of their standard deviation.

    Returns:
        The likelihood at its maximum. None where there was none to be found: the mean explains
        every return, a step failed, the steps did not converge, or a variance went to its lower
        limit, towards which the likelihood of prices that stand still grows and grows.
    """
    with np.errstate(all="ignore"):
        start = _start(returns)
        if start is None:
            return None
        likelihood = GarchLikelihood(returns, start.backcast)
        lower = np.array([-np.inf, -np.inf, 1e-8 * start.level, 0.0, 0.0, 1.0 / 500.0])
        upper = np.array([np.inf, np.inf, 10.0 * start.level, 1.0, 1.0, 1.0 / 2.05])
        found = _climb(likelihood, start.points[0], lower, upper)
        if found is not None and _on_a_limit(found.parameters):
            others = [_climb(likelihood, point, lower, upper) for point in start.points[1:]]
            found = max([found, *(end for end in others if end)], key=lambda end: end.value)
    if found is None or found.variance.min() < _LEAST_VARIANCE * start.level:
        return None
    return found


def _climb(
    likelihood: GarchLikelihood, start: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> Evaluation | None:
    """Newton steps, each shortened until the likelihood rises by a fair share of the promise."""
    here = likelihood.at(start)
    for _ in range(_MOST_STEPS):
        gradient, hessian = likelihood.derivatives(here)
        step = _newton_step(gradient, hessian, here.parameters, lower, upper)
        if step is None:
            return None
        promise = float(gradient @ step)
        noise = _ROUNDING * abs(here.value)
        length = 1.0
        there = likelihood.at(_within(here.parameters + step, lower, upper))
        while not there.value >= here.value + _ENOUGH_RISE * length * promise - noise:
            length /= 2.0
            if length < _SMALLEST_STEP:
                return None
            there = likelihood.at(_within(here.parameters + length * step, lower, upper))
        here = there
        if promise < _CONVERGED:
            return here
    return None


def _on_a_limit(parameters: np.ndarray) -> bool:
    alpha, beta = parameters[[ALPHA, BETA]]
    return bool(min(alpha, beta) <= 0.0 or alpha + beta >= 1.0 - _ON_THE_LIMIT)


def _within(parameters: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """The parameters with those on the limits that are off them by rounding."""
    width = _ON_THE_LIMIT * (upper - lower)
    parameters = np.where(parameters - lower < width, lower, parameters)
    return np.where(upper - parameters < width, upper, parameters)


def _newton_step(
    gradient: np.ndarray,
    hessian: np.ndarray,
    parameters: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
) -> np.ndarray | None:
    """The step to the top of the local parabola inside the limits and α + β ≤ 1, or None.

    Where the likelihood curves upwards in a direction, the sign of that curvature is turned, so
    that the step goes up (Greenstadt, J. (1967). On the relative efficiencies of gradient methods.
    Mathematics of Computation 21), after parameters that their limits hold are taken out
    (Bertsekas, D. P. (1982). Projected Newton methods for optimization problems with simple
    constraints. SIAM Journal on Control and Optimization 20(2)).
    """
    # In units of about one standard error, so that tolerances mean the same for every parameter.
    unit = 1.0 / np.sqrt(np.maximum(np.abs(np.diag(hessian)), 1e-8))
    scaled = -hessian * unit * unit[:, None]
    # What rests on its limit and is pushed against it will stay: its curvature is no concern.
    resting = (parameters <= lower) & (gradient < 0.0) | (parameters >= upper) & (gradient > 0.0)
    scaled[resting, :] = 0.0
    scaled[:, resting] = 0.0
    scaled[resting, resting] = 1.0
    if not (np.isfinite(scaled).all() and np.isfinite(gradient).all()):
        return None
    try:
        curvature, directions = eigh(scaled)
    except LinAlgError:
        return None
    curvature = np.maximum(np.abs(curvature), _LEAST_CURVATURE)
    stationary = np.zeros((1, 6))
    stationary[0, [ALPHA, BETA]] = unit[[ALPHA, BETA]]
    room = 1.0 - parameters[ALPHA] - parameters[BETA]
    found, _, flag, _ = daqp.solve(
        np.ascontiguousarray((directions * curvature) @ directions.T),
        -gradient * unit,
        stationary,
        np.append((upper - parameters) / unit, room),
        np.append((lower - parameters) / unit, -np.inf),
        primal_tol=_PRIMAL_TOLERANCE,
    )
    return np.asarray(found) * unit if flag == _DAQP_OPTIMAL else None


def _start(returns: np.ndarray) -> _Start | None:
    """Where ``arch`` starts, or None without shocks.

    Least squares for the mean; for the variance the pair of α and α + β on a grid with the highest
    normal likelihood, ω such that the long-run variance is that of the shocks; for ν the moment
    estimate from the kurtosis. The backcast is the exponentially weighted mean of the first 75
    squared shocks, of which the first weighs most.
    """
    before, targets = returns[:-1], returns[1:]
    centred = before - before.mean()
    phi = float(centred @ targets) / float(centred @ centred)
    constant = float(targets.mean() - phi * before.mean())
    shocks = targets - constant - phi * before
    squares = shocks**2
    level = float(squares.mean())
    if not level > _LEAST_SHOCK:
        return None
    weights = _DECAY ** np.arange(min(_DECAY_BARS, len(squares)))
    backcast = float(weights @ squares[: len(weights)] / weights.sum())
    lagged = np.concatenate([[backcast], squares[:-1]])
    best_of_each: list[_Candidate] = []
    for persistence in _PERSISTENCES:
        equally_lasting = []
        for alpha in _ALPHAS:
            triple = ((1.0 - persistence) * level, alpha, persistence - alpha)
            variance = filtered_variance(lagged, *triple)
            cost = float(np.log(variance).sum() + (squares / variance).sum())
            equally_lasting.append(_Candidate(cost, triple, variance))
        best_of_each.append(min(equally_lasting, key=lambda candidate: candidate.cost))
    ranked = sorted(best_of_each, key=lambda candidate: candidate.cost)
    standardised = shocks / np.sqrt(ranked[0].variance)
    tail = 1.0 / _moment_nu(standardised)
    points = [np.array([constant, phi, *candidate.triple, tail]) for candidate in ranked]
    return _Start(points, backcast, level)


def _moment_nu(standardised: np.ndarray) -> float:
    """Degrees of freedom from the kurtosis, at least 4; 12 where tails are about normal."""
    centred = standardised - standardised.mean()
    kurtosis = float((centred**4).mean() / (centred**2).mean() ** 2)
    return max((4.0 * kurtosis - 6.0) / (kurtosis - 3.0) if kurtosis > 3.75 else 12.0, 4.0)
