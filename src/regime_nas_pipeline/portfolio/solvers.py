"""Solvers of the allocators' quadratic program, and the check that what they return solves it.

Highest expected Sharpe ratio and least variance are one program. With expected gains e over cash
(all ones for the least variance) and y = w / (w'e), the weights with the highest w'e / √(w'Σw) are
those of

    minimise y'Σy   subject to   y'e = 1,   0 ≤ y ≤ cap · (sum of y),

in proportion: Schaible, S. (1974). Parameter-free convex equivalent and dual programs of
fractional programming problems. Zeitschrift für Operations Research 18.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import daqp
import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.optimize import nnls

SolverName = Literal["daqp", "nnls", "skfolio"]
"""``daqp`` and ``nnls`` find the set of binding limits and then solve a linear system, so their
weights are exact to rounding; ``skfolio`` is an interior-point method (Clarabel through CVXPY),
which comes within about 1e-5 of a weight and takes a hundred times as long."""

_NOISE = 1e-6
"""Violation of a constraint that a solver may leave and cleaning removes."""

_SUBOPTIMAL = 1e-5
"""Gap to the optimum, in units of the assets' mean variance, above which weights are refused."""

_PRIMAL_TOLERANCE = 1e-10
"""Violation at which daqp takes a constraint for violated, where weights are of order one."""

_DAQP_FLAGS = {
    -1: "infeasible",
    -2: "it goes round in circles",
    -3: "unbounded",
    -4: "too many iterations",
    -5: "not convex",
}


class SolverError(ArithmeticError):
    """A solver found no weights, or weights that do not solve the program."""


def optimal_weights(
    solver: SolverName, excess: np.ndarray | None, covariance: np.ndarray, cap: float
) -> np.ndarray:
    """Long-only, fully invested weights of the highest expected Sharpe ratio or least variance.

    Args:
        solver: Who solves it.
        excess: Expected return over cash, (n,); None for the least variance. Some feasible
            portfolio must have a positive one.
        covariance: (n, n), positive definite.
        cap: Largest weight of one asset, above 1/n.

    Returns:
        Weights in [0, cap] that sum to 1, (n,).

    Raises:
        SolverError: The solver gave up, or what it returned is infeasible or not optimal.
    """
    n_assets = len(covariance)
    gain = np.ones(n_assets) if excess is None else excess / highest_expected_return(excess, cap)
    # Neither the unit of gains nor that of variances changes the weights; with the best feasible
    # gain and the mean variance at one, every number is of a size that tolerances are made for.
    sigma = covariance / np.mean(np.diag(covariance))
    if solver == "skfolio":
        # Imported only where it is asked for: that alone takes longer than a thousand solutions.
        from regime_nas_pipeline.portfolio import skfolio_solver  # noqa: PLC0415

        found = skfolio_solver.skfolio_weights(excess, sigma, cap)
    else:
        found = _EXACT[solver](gain, sigma, cap)
    weights = _clean(found, cap)
    gap = _gap(weights, gain, sigma, cap)
    if not gap <= _SUBOPTIMAL:
        raise SolverError(f"{solver}: the weights miss the optimum by {gap:.1e} mean variances")
    return weights


def highest_expected_return(expected: np.ndarray, cap: float) -> float:
    """Largest w'expected over long-only, fully invested weights of at most ``cap`` each.

    Filling the best assets up to the cap, one after another, solves this linear program exactly.
    """
    ranked = np.sort(expected)[::-1]
    room = np.clip(1.0 - cap * np.arange(len(ranked)), 0.0, cap)
    return float(ranked @ room)


def _gap(weights: np.ndarray, gain: np.ndarray, sigma: np.ndarray, cap: float) -> float:
    """How much a feasible portfolio can still improve on ``weights`` along their own slope.

    The slope is that of variance minus gain at the ratio that the weights have. At the optimum no
    feasible direction goes down: the first-order (Karush-Kuhn-Tucker) condition, which for a
    convex program is sufficient. No solver's multipliers are needed, so no solver is believed.
    """
    marginal = sigma @ weights
    reached = gain @ weights
    if reached <= 0.0:
        return np.inf
    slope = marginal - (weights @ marginal / reached) * gain
    return float(slope @ weights) + highest_expected_return(-slope, cap)


def _daqp(gain: np.ndarray, sigma: np.ndarray, cap: float) -> np.ndarray:
    """Dual active-set method.

    Source: Arnström, D., Bemporad, A. and Axehill, D. (2022). A dual active-set solver for embedded
    quadratic programming using recursive LDLᵀ updates. IEEE Transactions on Automatic Control
    67(8).
    """
    n_assets = len(gain)
    rows = np.vstack([gain, np.eye(n_assets) - cap])
    # Bounds of y itself, then of the rows. A gain above 1 never pays: variance grows with it.
    lower = np.concatenate([np.zeros(n_assets), [1.0], np.full(n_assets, -np.inf)])
    upper = np.concatenate([np.full(n_assets + 1, np.inf), np.zeros(n_assets)])
    found, _, flag, _ = daqp.solve(
        sigma, np.zeros(n_assets), rows, upper, lower, primal_tol=_PRIMAL_TOLERANCE
    )
    if flag != 1:
        raise SolverError(f"daqp: {_DAQP_FLAGS.get(flag, f'exit flag {flag}')}")
    return _normalised(found, "daqp")


def _nnls(gain: np.ndarray, sigma: np.ndarray, cap: float) -> np.ndarray:
    """Least-distance programming through non-negative least squares.

    Source: Lawson, C. L. and Hanson, R. J. (1974). Solving least squares problems. Prentice-Hall,
    chapter 23.
    """
    n_assets = len(gain)
    try:
        root = cholesky(sigma, lower=True)
        limits = np.vstack([gain, cap - np.eye(n_assets), np.eye(n_assets)])
        # In u = root'y the program is: the shortest u with limits (root')⁻¹ u ≥ (1, 0, ..., 0).
        system = np.zeros((n_assets + 1, len(limits)))
        system[:-1] = solve_triangular(root, limits.T, lower=True)
        system[-1, 0] = 1.0
        wanted = np.zeros(n_assets + 1)
        wanted[-1] = 1.0
        multipliers, _ = nnls(system, wanted)
        residual = system @ multipliers - wanted
        if not residual[-1] < 0.0:
            raise SolverError("nnls: infeasible")
        shortest = -residual[:-1] / residual[-1]
        return _normalised(solve_triangular(root.T, shortest), "nnls")
    except (LinAlgError, RuntimeError) as error:
        raise SolverError(f"nnls: {error}") from error


_EXACT: dict[str, Callable[[np.ndarray, np.ndarray, float], np.ndarray]] = {
    "daqp": _daqp,
    "nnls": _nnls,
}


def _normalised(found: np.ndarray, solver: str) -> np.ndarray:
    total = found.sum()
    if not total > 0.0:
        raise SolverError(f"{solver}: the weights sum to {total:.1e}")
    weights: np.ndarray = found / total
    return weights


def _clean(weights: np.ndarray, cap: float) -> np.ndarray:
    """Remove solver noise: clip to [0, cap] and share out what is then missing from 1.

    A plain renormalisation could lift a capped weight above the cap again, so the remainder goes
    to (or comes from) the weights in proportion to the room that each has left.
    """
    outside = max(float(-weights.min()), float(weights.max() - cap), abs(weights.sum() - 1.0))
    if not outside <= _NOISE:
        raise SolverError(f"the weights violate their limits by {outside:.1e}")
    clipped = np.clip(weights, 0.0, cap)
    missing = 1.0 - clipped.sum()
    room = cap - clipped if missing > 0.0 else clipped
    cleaned: np.ndarray = clipped + missing * room / room.sum()
    return cleaned
