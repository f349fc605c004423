"""Others who solve the allocators' program, for ``allocation.py``.

Each takes expected gains over cash, (n,) (None for the least variance), a covariance (n, n) and the
largest weight, and gives long-only, fully invested weights (n,). All but SciPy's SLSQP, which is
handed the ratio itself, solve the convex program of ``portfolio.solvers``; none checks its answer.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

Weights = Callable[[np.ndarray | None, np.ndarray, float], np.ndarray]

MOST_ASSETS = {"slsqp": 100, "cvxpy": 100}
"""Above this many assets a peer is left out: one problem of 500 takes it minutes."""


def scaled(
    excess: np.ndarray | None, covariance: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Gains and covariance of a size that tolerances are made for, and the unit of variances."""
    unit = float(np.mean(np.diag(covariance)))
    gain = np.ones(len(covariance)) if excess is None else excess / np.abs(excess).max()
    return gain, covariance / unit, unit


def quadprog_weights(excess: np.ndarray | None, covariance: np.ndarray, cap: float) -> np.ndarray:
    """Goldfarb and Idnani's dual method, as in the package ``quadprog``."""
    from quadprog import solve_qp  # noqa: PLC0415 - a peer that may be absent

    gain, sigma, _ = scaled(excess, covariance)
    n_assets = len(gain)
    limits = np.vstack([gain, np.eye(n_assets), cap - np.eye(n_assets)]).T
    bounds = np.concatenate([[1.0], np.zeros(2 * n_assets)])
    found = solve_qp(sigma, np.zeros(n_assets), limits, bounds, 1)[0]
    return np.asarray(found / found.sum())


def slsqp_weights(excess: np.ndarray | None, covariance: np.ndarray, cap: float) -> np.ndarray:
    """Sequential least squares on the ratio (or the variance) itself, with its exact slope."""
    gain, sigma, _ = scaled(excess, covariance)
    n_assets = len(gain)

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        marginal = sigma @ weights
        variance = float(weights @ marginal)
        if excess is None:
            return variance, 2.0 * marginal
        deviation = np.sqrt(variance)
        reached = float(gain @ weights)
        return -reached / deviation, reached * marginal / deviation**3 - gain / deviation

    found = minimize(
        objective,
        np.full(n_assets, 1.0 / n_assets),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, cap)] * n_assets,
        constraints={
            "type": "eq",
            "fun": lambda weights: weights.sum() - 1.0,
            "jac": lambda weights: np.ones(n_assets),
        },
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    return np.asarray(found.x)


class CvxpyWeights:
    """One parametrised problem, compiled once for its number of assets, solved by Clarabel.

    Args:
        n_assets: n.
        cap: Largest weight.
    """

    def __init__(self, n_assets: int, cap: float) -> None:
        import cvxpy  # noqa: PLC0415 - takes long to import

        self._root = cvxpy.Parameter((n_assets, n_assets))
        self._gain = cvxpy.Parameter(n_assets)
        self._found = cvxpy.Variable(n_assets, nonneg=True)
        limits = [self._gain @ self._found == 1, self._found <= cap * cvxpy.sum(self._found)]
        self._problem = cvxpy.Problem(
            cvxpy.Minimize(cvxpy.sum_squares(self._root @ self._found)), limits
        )
        self._solver = cvxpy.CLARABEL

    def __call__(self, excess: np.ndarray | None, covariance: np.ndarray, cap: float) -> np.ndarray:
        """Weights; ``cap`` is the one that was compiled."""
        gain, sigma, _ = scaled(excess, covariance)
        self._root.value, self._gain.value = np.linalg.cholesky(sigma).T, gain
        self._problem.solve(solver=self._solver)
        return np.asarray(self._found.value / self._found.value.sum())


def make_peers(n_assets: int, cap: float) -> tuple[dict[str, Weights], dict[str, str]]:
    """Peers for so many assets, and why others are left out."""
    peers: dict[str, Weights] = {}
    missing: dict[str, str] = {}
    if importlib.util.find_spec("quadprog") is None:
        missing["quadprog"] = "not installed"
    else:
        peers["quadprog"] = quadprog_weights
    for name, most in MOST_ASSETS.items():
        if n_assets > most:
            missing[name] = f"left out above {most} assets"
        else:
            peers[name] = slsqp_weights if name == "slsqp" else CvxpyWeights(n_assets, cap)
    return peers, missing


def skfolio_decision(log_returns: np.ndarray, cap: float, risk_free: float) -> np.ndarray:
    """One step of a plain loop of skfolio: moments of all bars so far, then the highest ratio.

    Args:
        log_returns: (bars, n).
        cap: Largest weight.
        risk_free: Per bar.
    """
    from skfolio.moments import LedoitWolf  # noqa: PLC0415 - as above
    from skfolio.optimization import MeanRisk, ObjectiveFunction  # noqa: PLC0415
    from skfolio.prior import EmpiricalPrior  # noqa: PLC0415

    model = MeanRisk(
        ObjectiveFunction.MAXIMIZE_RATIO,
        prior_estimator=EmpiricalPrior(covariance_estimator=LedoitWolf()),
        max_weights=cap,
        risk_free_rate=risk_free,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return np.asarray(model.fit(log_returns).weights_)
