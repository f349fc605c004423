"""The allocators' program handed to skfolio, whose interior-point solver is the reference."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from skfolio.exceptions import OptimizationError
from skfolio.optimization import MeanRisk, ObjectiveFunction
from skfolio.prior import BasePrior, ReturnDistribution

from regime_nas_pipeline.portfolio.solvers import SolverError

# skfolio raises ValueError (and numpy's LinAlgError, which is one) for problems that it refuses,
# and warns with UserWarning about a solution that it does not trust.
_FAILURES = (OptimizationError, ValueError, ArithmeticError, UserWarning)


class _GivenMoments(BasePrior):
    """Hands skfolio moments that were estimated elsewhere, instead of estimating them."""

    def __init__(self, mean: np.ndarray | None = None, covariance: np.ndarray | None = None):
        self.mean = mean
        self.covariance = covariance

    def fit(self, X: np.ndarray, y: None = None, **fit_params: Any) -> _GivenMoments:
        """Ignore ``X``: it only tells skfolio how many assets there are."""
        self.return_distribution_ = ReturnDistribution(
            mu=self.mean, covariance=self.covariance, returns=X
        )
        return self


def skfolio_weights(excess: np.ndarray | None, covariance: np.ndarray, cap: float) -> np.ndarray:
    """Weights of the highest ratio of excess return to deviation, or of the least variance.

    Args:
        excess: Expected return over cash, (n,), in any unit; None for the least variance.
        covariance: (n, n), with variances near one, which keeps the interior-point method well
            conditioned.
        cap: Largest weight of one asset.

    Returns:
        Weights as the solver leaves them, (n,): a little off their limits.

    Raises:
        SolverError: skfolio refuses the problem or does not trust its solution.
    """
    n_assets = len(covariance)
    if excess is None:
        objective, mean = ObjectiveFunction.MINIMIZE_RISK, np.zeros(n_assets)
    else:
        objective, mean = ObjectiveFunction.MAXIMIZE_RATIO, excess / np.abs(excess).max()
    prior = _GivenMoments(mean, covariance)
    model = MeanRisk(objective, prior_estimator=prior, min_weights=0.0, max_weights=cap)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            model.fit(np.zeros((2, n_assets)))
    except _FAILURES as error:
        raise SolverError(f"skfolio: {error}") from error
    return np.asarray(model.weights_, dtype=float)
