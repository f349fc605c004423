"""Log-likelihood of AR(1)-GARCH(1,1)-t with its exact first and second derivatives.

The variance is a linear filter of the squared shocks, so are its slopes in the parameters, and so
is, run backwards, what each bar's variance still does to later ones. One compiled filter
(``scipy.signal.lfilter``) therefore does every loop over bars.

Source: Fiorentini, G., Calzolari, G. and Panattoni, L. (1996). Analytic derivatives and the
computation of GARCH estimates. Journal of Applied Econometrics 11(4), here with Student t shocks
and second derivatives by the adjoint recursion, which needs no filter per pair of parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter
from scipy.special import digamma, gammaln, zeta

CONSTANT, PHI, OMEGA, ALPHA, BETA, TAIL = range(6)
"""Places in the vector of parameters.

``TAIL`` is one over the degrees of freedom: in it the likelihood is close to a parabola up to
normal shocks (0), where it is flat in the degrees of freedom themselves."""


@dataclass(frozen=True)
class Evaluation:
    """The likelihood at one vector of parameters, and what its derivatives need again.

    Attributes:
        parameters: (6,), in the order of :data:`CONSTANT` to :data:`TAIL`.
        value: Log-likelihood of all bars.
        shocks: (n,).
        lagged_squares: Squared shock of the bar before, (n,).
        variance: (n,).
        spread: (ν - 2) variance + squared shock, (n,).
        log_ratio: Σ log(spread / variance).
    """

    parameters: np.ndarray
    value: float
    shocks: np.ndarray
    lagged_squares: np.ndarray
    variance: np.ndarray
    spread: np.ndarray
    log_ratio: float


class _BarSlopes(NamedTuple):
    """Derivatives of each bar's log density, (n,) each, and of their sum in ν."""

    shock: np.ndarray
    variance: np.ndarray
    shock_shock: np.ndarray
    shock_variance: np.ndarray
    variance_variance: np.ndarray
    shock_nu: np.ndarray
    variance_nu: np.ndarray
    nu: float
    nu_nu: float


def filtered_variance(
    lagged_squares: np.ndarray, omega: float, alpha: float, beta: float
) -> np.ndarray:
    """σ²_t = omega + alpha ε²_(t-1) + beta σ²_(t-1), (n,).

    Args:
        lagged_squares: ε²_(t-1), (n,); its first entry stands for the variance before the first
            bar, too.
        omega: Constant.
        alpha: Weight of the last squared shock.
        beta: Weight of the last variance.
    """
    driven = omega + alpha * lagged_squares
    variance, _ = lfilter([1.0], [1.0, -beta], driven, zi=[beta * lagged_squares[0]])
    filtered: np.ndarray = variance
    return filtered


class GarchLikelihood:
    """The likelihood of one series, conditional on its first return.

    Args:
        returns: (n + 1,), finite.
        backcast: Squared shock and variance before the first shock.
    """

    def __init__(self, returns: np.ndarray, backcast: float) -> None:
        self.targets = returns[1:]
        self.backcast = backcast
        # Slopes of the shocks in constant and φ, which are the same at all parameters.
        self.shock_slopes = -np.stack([np.ones(len(returns) - 1), returns[:-1]])

    def at(self, parameters: np.ndarray) -> Evaluation:
        """Evaluate at a vector of parameters with beta in [0, 1], omega > 0 and 0 < 1/ν < ½."""
        constant, phi, omega, alpha, beta, tail = (float(value) for value in parameters)
        nu = 1.0 / tail
        shocks = self.targets + constant * self.shock_slopes[0] + phi * self.shock_slopes[1]
        squares = shocks**2
        lagged = np.concatenate([[self.backcast], squares[:-1]])
        variance = filtered_variance(lagged, omega, alpha, beta)
        spread = (nu - 2.0) * variance + squares
        log_variance = float(np.log(variance).sum())
        log_ratio = float(np.log(spread).sum()) - log_variance
        norm = gammaln((nu + 1.0) / 2.0) - gammaln(nu / 2.0) - 0.5 * np.log(np.pi)
        norm += 0.5 * nu * np.log(nu - 2.0)
        value = len(shocks) * norm - 0.5 * log_variance - 0.5 * (nu + 1.0) * log_ratio
        return Evaluation(parameters, float(value), shocks, lagged, variance, spread, log_ratio)

    def derivatives(self, at: Evaluation) -> tuple[np.ndarray, np.ndarray]:
        """Gradient (6,) and Hessian (6, 6) of the log-likelihood, exact up to rounding."""
        _, _, _, alpha, beta, tail = (float(value) for value in at.parameters)
        bars = _bar_slopes(at, 1.0 / tail)
        pole = [1.0, -beta]
        # What a bit more variance at t does to the likelihood of t and, through beta, all after.
        adjoint = lfilter([1.0], pole, bars.variance[::-1])[::-1]
        drivers = self._drivers(at, alpha)
        variance_slopes = lfilter([1.0], pole, drivers)

        gradient = np.empty(6)
        gradient[:TAIL] = drivers @ adjoint
        gradient[:OMEGA] += self.shock_slopes @ bars.shock
        gradient[TAIL] = bars.nu

        hessian = self._through_the_density(bars, variance_slopes)
        hessian += self._through_the_recursion(at.shocks, adjoint, variance_slopes, alpha)
        _from_nu_to_tail(gradient, hessian, tail)
        return gradient, hessian

    def _drivers(self, at: Evaluation, alpha: float) -> np.ndarray:
        """What feeds the slope of the variance in each parameter but ν, (5, n)."""
        drivers = np.empty((5, len(at.shocks)))
        # The first bar's variance comes from the backcast, whatever the parameters of the mean.
        drivers[:OMEGA, 0] = 0.0
        drivers[:OMEGA, 1:] = self.shock_slopes[:, :-1] * (2.0 * alpha * at.shocks[:-1])
        drivers[OMEGA] = 1.0
        drivers[ALPHA] = at.lagged_squares
        drivers[BETA, 0] = self.backcast
        drivers[BETA, 1:] = at.variance[:-1]
        return drivers

    def _through_the_density(self, bars: _BarSlopes, variance_slopes: np.ndarray) -> np.ndarray:
        """Second derivatives as if shock and variance were linear in the parameters, (6, 6)."""
        hessian = np.zeros((6, 6))
        hessian[:TAIL, :TAIL] = (variance_slopes * bars.variance_variance) @ variance_slopes.T
        mixed = (self.shock_slopes * bars.shock_variance) @ variance_slopes.T
        hessian[:OMEGA, :TAIL] += mixed
        hessian[:TAIL, :OMEGA] += mixed.T
        hessian[:OMEGA, :OMEGA] += (self.shock_slopes * bars.shock_shock) @ self.shock_slopes.T
        in_nu = variance_slopes @ bars.variance_nu
        in_nu[:OMEGA] += self.shock_slopes @ bars.shock_nu
        hessian[TAIL, :TAIL] = in_nu
        hessian[:TAIL, TAIL] = in_nu
        hessian[TAIL, TAIL] = bars.nu_nu
        return hessian

    def _through_the_recursion(
        self, shocks: np.ndarray, adjoint: np.ndarray, variance_slopes: np.ndarray, alpha: float
    ) -> np.ndarray:
        """What the products α ε² and β σ² of the recursion add, weighted by the adjoint, (6, 6)."""
        hessian = np.zeros((6, 6))
        later = adjoint[1:]
        weighted = self.shock_slopes[:, :-1] * later
        hessian[:OMEGA, :OMEGA] = 2.0 * alpha * (weighted @ self.shock_slopes[:, :-1].T)
        with_alpha = 2.0 * (weighted @ shocks[:-1])
        hessian[:OMEGA, ALPHA] = with_alpha
        hessian[ALPHA, :OMEGA] = with_alpha
        with_beta = variance_slopes[:, :-1] @ later
        hessian[:TAIL, BETA] += with_beta
        hessian[BETA, :TAIL] += with_beta
        return hessian


def _bar_slopes(at: Evaluation, nu: float) -> _BarSlopes:
    """Derivatives of the log density of a standardised Student t shock.

    log Γ((ν+1)/2) - log Γ(ν/2) - ½ log(π(ν-2)σ²) - ½(ν+1) log(1 + ε²/((ν-2)σ²)), by ε, σ² and ν.
    """
    free = nu - 2.0
    share = 1.0 / at.spread
    weight = (nu + 1.0) * share
    squares = at.spread - free * at.variance
    pull = weight * squares
    half = 0.5 / at.variance
    by_variance = (pull - 1.0) * half
    weight_nu = (1.0 - weight * at.variance) * share
    n_bars = len(at.shocks)
    total_pull = float(pull.sum())
    norm_nu = 0.5 * (digamma(0.5 * (nu + 1.0)) - digamma(0.5 * nu) - 1.0 / free)
    # zeta(2, x) is the trigamma function.
    norm_nu_nu = 0.25 * (zeta(2.0, 0.5 * (nu + 1.0)) - zeta(2.0, 0.5 * nu)) + 0.5 / free**2
    by_nu = n_bars * (norm_nu + 0.5 * np.log(free)) - 0.5 * at.log_ratio + 0.5 * total_pull / free
    by_nu_nu = n_bars * norm_nu_nu - 0.5 * total_pull / free**2
    by_nu_nu += 0.5 * (float(squares @ share) + float(squares @ weight_nu)) / free
    return _BarSlopes(
        shock=-at.shocks * weight,
        variance=by_variance,
        shock_shock=weight * (2.0 * squares * share - 1.0),
        shock_variance=free * at.shocks * weight * share,
        variance_variance=-(free * pull * share + 2.0 * by_variance) * half,
        shock_nu=-at.shocks * weight_nu,
        variance_nu=squares * weight_nu * half,
        nu=float(by_nu),
        nu_nu=float(by_nu_nu),
    )


def _from_nu_to_tail(gradient: np.ndarray, hessian: np.ndarray, tail: float) -> None:
    """Turn derivatives by ν into derivatives by 1/ν, in place."""
    slope = -1.0 / tail**2
    by_nu = gradient[TAIL]
    gradient[TAIL] *= slope
    hessian[TAIL, :] *= slope
    hessian[:, TAIL] *= slope
    hessian[TAIL, TAIL] += 2.0 * by_nu / tail**3
