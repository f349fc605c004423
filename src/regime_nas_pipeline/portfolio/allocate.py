"""From expected returns and a covariance to weights, with every fallback on record."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, get_args

import numpy as np
from sklearn.base import BaseEstimator

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.portfolio.solvers import (
    SolverError,
    SolverName,
    highest_expected_return,
    optimal_weights,
)


@dataclass(frozen=True)
class Allocation:
    """Weights chosen at one decision.

    Attributes:
        weights: Fraction of wealth per asset, (n,): none negative, summing to 1.
        fallback: Whether something simpler than what was asked for was used.
        reason: Why, if so; else empty.
    """

    weights: np.ndarray
    fallback: bool = False
    reason: str = ""


class Allocator(BaseEstimator, ABC):
    """Base of all allocators: long-only and fully invested, in scikit-learn's conventions.

    Class attributes:
        needs_mean: Reads the expected returns; otherwise ``mean`` may be None.
    """

    needs_mean: ClassVar[bool] = False

    @abstractmethod
    def allocate(
        self, mean: np.ndarray | None, covariance: np.ndarray, risk_free: float
    ) -> Allocation:
        """Choose weights for n assets.

        Args:
            mean: Expected log return over the horizon, (n,), in decimals.
            covariance: Covariance of returns over the horizon, (n, n).
            risk_free: Simple risk-free return over the horizon.

        Raises:
            DataError: A moment is blank or has the wrong shape.
            ParameterError: A constructor argument is out of range.
        """


class EqualWeight(Allocator):
    """The same weight in every asset: the portfolio that needs no estimate.

    Source: DeMiguel, V., Garlappi, L. and Uppal, R. (2009). Optimal versus naive
    diversification. Review of Financial Studies 22(5).
    """

    def allocate(
        self,
        mean: np.ndarray | None,
        covariance: np.ndarray,
        risk_free: float,
    ) -> Allocation:
        """1/n in each of the n assets of ``covariance``."""
        return Allocation(_equal(len(_checked_covariance(covariance))))


class MinimumVariance(Allocator):
    """The portfolio of least variance.

    Args:
        max_weight: Largest weight of one asset; raised to 1/n where n assets need more.
        solver: Who solves it; see :data:`~regime_nas_pipeline.portfolio.solvers.SolverName`.

    Source: Markowitz, H. (1952). Portfolio Selection. Journal of Finance 7(1).
    """

    def __init__(self, max_weight: float = 0.2, solver: SolverName = "daqp") -> None:
        self.max_weight = max_weight
        self.solver = solver

    def allocate(
        self,
        mean: np.ndarray | None,
        covariance: np.ndarray,
        risk_free: float,
    ) -> Allocation:
        """Least variance under the cap; equal weight, on record, should the solver fail."""
        sigma = _checked_covariance(covariance)
        solver = _checked_solver(self.solver)
        return _minimum_variance(sigma, _cap(self.max_weight, len(sigma)), solver)


class MaximumSharpe(Allocator):
    """The portfolio of the highest expected Sharpe ratio on simple returns.

    The expected simple return of an asset with a normal log return is exp(mean + variance/2) - 1;
    the covariance of simple returns is taken to be that of log returns, which over a month
    differs only in the second order.
    Where no portfolio within the constraints is expected to beat the risk-free return, a ratio
    has no sensible maximum: the minimum variance is held instead and this is put on record.

    Args:
        max_weight: Largest weight of one asset; raised to 1/n where n assets need more.
        solver: Who solves it; see :data:`~regime_nas_pipeline.portfolio.solvers.SolverName`.

    Source: Sharpe, W. F. (1966). Mutual Fund Performance. Journal of Business 39(1).
    """

    needs_mean: ClassVar[bool] = True

    def __init__(self, max_weight: float = 0.2, solver: SolverName = "daqp") -> None:
        self.max_weight = max_weight
        self.solver = solver

    def allocate(
        self, mean: np.ndarray | None, covariance: np.ndarray, risk_free: float
    ) -> Allocation:
        """Highest expected Sharpe ratio under the cap; minimum variance, on record, without one."""
        sigma = _checked_covariance(covariance)
        cap, solver = _cap(self.max_weight, len(sigma)), _checked_solver(self.solver)
        excess = simple_expected_return(mean, sigma) - _checked_rate(risk_free)
        best = highest_expected_return(excess, cap)
        if best <= 0.0:
            return _instead(
                "no portfolio within the weight limits is expected to beat the risk-free return "
                f"(best expected excess {best:.3%})",
                sigma,
                cap,
                solver,
            )
        if _only_equal(cap, len(sigma)):
            return Allocation(_equal(len(sigma)))
        try:
            return Allocation(optimal_weights(solver, excess, sigma, cap))
        except SolverError as error:
            reason = f"the solver found no maximum Sharpe ratio ({error})"
            return _instead(reason, sigma, cap, solver)


def simple_expected_return(mean: np.ndarray | None, covariance: np.ndarray) -> np.ndarray:
    """Expected simple return exp(mean + variance/2) - 1 of normal log returns, (n,).

    Raises:
        DataError: A mean is missing or not finite, or the shapes differ.
    """
    if mean is None:
        raise DataError("this allocator needs expected returns and got none", column="mean")
    expected = np.asarray(mean, dtype=float)
    if expected.shape != (len(covariance),):
        raise DataError(
            f"expected returns have shape {expected.shape} and the covariance "
            f"{np.shape(covariance)}",
            column="mean",
        )
    if not np.isfinite(expected).all():
        first = int(np.argmin(np.isfinite(expected)))
        raise DataError(
            f"expected return is not a number: {expected[first]}",
            column="mean",
            asset=str(first),
            remedy="allocate only over assets that have a forecast.",
        )
    simple: np.ndarray = np.expm1(expected + np.diag(covariance) / 2.0)
    return simple


def _minimum_variance(sigma: np.ndarray, cap: float, solver: SolverName) -> Allocation:
    n_assets = len(sigma)
    if _only_equal(cap, n_assets):
        return Allocation(_equal(n_assets))
    try:
        return Allocation(optimal_weights(solver, None, sigma, cap))
    except SolverError as error:
        return Allocation(
            _equal(n_assets), True, f"the solver found no minimum variance ({error}): equal weight"
        )


def _instead(reason: str, sigma: np.ndarray, cap: float, solver: SolverName) -> Allocation:
    substitute = _minimum_variance(sigma, cap, solver)
    used = substitute.reason if substitute.fallback else "minimum variance"
    return Allocation(substitute.weights, True, f"{reason}: {used}")


def _equal(n_assets: int) -> np.ndarray:
    return np.full(n_assets, 1.0 / n_assets)


def _only_equal(cap: float, n_assets: int) -> bool:
    """Whether equal weights are the only feasible ones, so that there is nothing to solve."""
    return cap * n_assets <= 1.0 + 1e-12


def _cap(max_weight: float, n_assets: int) -> float:
    if not 0.0 < max_weight <= 1.0:
        raise ParameterError(f"max_weight must be in (0, 1] and is {max_weight}.")
    return max(float(max_weight), 1.0 / n_assets)


def _checked_solver(solver: SolverName) -> SolverName:
    if solver not in get_args(SolverName):
        raise ParameterError(
            f"solver must be one of {', '.join(get_args(SolverName))} and is {solver!r}."
        )
    return solver


def _checked_rate(risk_free: float) -> float:
    if not np.isfinite(risk_free):
        raise ParameterError(f"risk_free must be a number and is {risk_free}.")
    return float(risk_free)


def _checked_covariance(covariance: np.ndarray) -> np.ndarray:
    sigma = np.asarray(covariance, dtype=float)
    if sigma.ndim != 2 or sigma.shape[0] != sigma.shape[1] or len(sigma) == 0:
        raise DataError(f"covariance must be square and not empty; it is {sigma.shape}")
    if not np.isfinite(sigma).all():
        raise DataError(
            "covariance holds blanks",
            asset=str(int(np.argmin(np.isfinite(sigma).all(axis=1)))),
            remedy="allocate only over assets with enough history.",
        )
    if not np.allclose(sigma, sigma.T, rtol=1e-8, atol=0.0) or not (np.diag(sigma) > 0.0).all():
        raise DataError("covariance must be symmetric with positive variances")
    return sigma
