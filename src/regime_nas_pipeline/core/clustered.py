"""Least squares on a panel, with errors that let everything on one date move together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student
from statsmodels.regression.linear_model import OLS

from regime_nas_pipeline.core.errors import DataError, ParameterError


@dataclass(frozen=True)
class ClusteredEstimate:
    """A coefficient and how sure it is.

    Attributes:
        value: The coefficient.
        error: Its standard error; None where there are fewer than two dates.
        n_dates: Dates, the clusters.
        n: Values, over all dates.
    """

    value: float
    error: float | None
    n_dates: int
    n: int

    def interval(self, level: float = 0.95) -> tuple[float, float] | None:
        """Student's interval with one degree of freedom less than dates; None without an error.

        Raises:
            ParameterError: ``level`` is not between 0 and 1.
        """
        if not 0.0 < level < 1.0:
            raise ParameterError(f"level must lie between 0 and 1 and is {level}.")
        if self.error is None:
            return None
        half = float(student.ppf(0.5 + level / 2.0, self.n_dates - 1)) * self.error
        return self.value - half, self.value + half


def clustered_slope(
    regressor: np.ndarray,
    outcome: np.ndarray,
    date: np.ndarray,
    *,
    intercept: bool,
    lags: int = 0,
) -> ClusteredEstimate:
    """Slope of ``outcome`` on ``regressor``, its error clustered by date.

    Residuals of one date may be related in any way, as those of assets are that share a market.
    With ``lags`` residuals of dates so many steps apart may be related too (Bartlett weights), as
    they are where targets overlap. The error carries the usual correction for few clusters,
    G/(G - 1) x (n - 1)/(n - k).

    Args:
        regressor: (n,), no blanks, not constantly zero; not constant beside an intercept.
        outcome: (n,), no blanks.
        date: (n,) number of the decision date of each value, increasing in time.
        intercept: Whether the line has one; without it the line runs through the origin.
        lags: Steps from one date to the last one that it may be related to.

    Raises:
        DataError: The lengths differ, nothing is there, or the regressor determines no slope.
        ParameterError: ``lags`` is negative.

    Source: Driscoll, J. C. and Kraay, A. C. (1998). Consistent Covariance Matrix Estimation with
    Spatially Dependent Panel Data. Review of Economics and Statistics 80(4); without lags, Liang,
    K.-Y. and Zeger, S. L. (1986). Longitudinal Data Analysis Using Generalized Linear Models.
    Biometrika 73(1).
    """
    if lags < 0:
        raise ParameterError(f"lags must not be negative and is {lags}.")
    x, y = np.asarray(regressor, dtype=float), np.asarray(outcome, dtype=float)
    if not x.size or not x.shape == y.shape == np.shape(date):
        raise DataError(f"a slope needs values of one length; got {x.shape} and {y.shape}")
    if float(np.ptp(x) if intercept else np.abs(x).max()) == 0.0:
        raise DataError("the regressor does not vary, so there is no slope")
    columns = np.column_stack([np.ones_like(x), x]) if intercept else x[:, None]
    numbers = np.unique(date, return_inverse=True)[1]
    n_dates = int(numbers.max()) + 1
    fit = OLS(y, columns).fit()
    error = None
    if n_dates >= 2 and len(x) > columns.shape[1]:
        robust = fit.get_robustcov_results(
            "hac-groupsum",
            time=numbers,
            maxlags=min(lags, n_dates - 1),
            use_correction="cluster",
            df_correction=False,
        )
        # Scores that are zero but for rounding can leave a variance a hair below zero.
        error = math.sqrt(max(float(robust.cov_params()[-1, -1]), 0.0))
    return ClusteredEstimate(float(fit.params[-1]), error, n_dates, len(x))


def clustered_mean(values: np.ndarray, date: np.ndarray, *, lags: int = 0) -> ClusteredEstimate:
    """Mean of a panel's values, its error clustered by date; see :func:`clustered_slope`."""
    return clustered_slope(np.ones(len(values)), values, date, intercept=False, lags=lags)


def overlap_lags(horizon: int, rebalance_every: int) -> int:
    """Decisions before one whose targets overlap with its own: ⌈horizon / step⌉ - 1.

    Args:
        horizon: Bars of a target.
        rebalance_every: Bars from one decision to the next.
    """
    return math.ceil(horizon / rebalance_every) - 1
