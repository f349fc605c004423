"""Covariance of returns over the holding period, shrunk so that it can be inverted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.covariance import LedoitWolf

from regime_nas_pipeline.core.errors import DataError, ParameterError

MIN_COMMON_ROWS = 20
"""Bars on which every asset must be known; below this a correlation is mostly noise."""


def horizon_covariance(
    log_returns: np.ndarray,
    horizon: int,
    volatility: np.ndarray | None = None,
    *,
    assets: Sequence[str] | None = None,
) -> np.ndarray:
    """Ledoit-Wolf covariance of the log returns of n assets over ``horizon`` bars.

    Estimated on every bar that all n assets share and scaled by the horizon, which is exact for
    serially uncorrelated returns. With ``volatility`` the correlations are kept and the standard
    deviations replaced: constant conditional correlation with forecast volatilities.

    Args:
        log_returns: One-bar log returns, (T, n), blank where an asset has no price. Only what is
            known at the decision belongs here.
        horizon: Bars that the decision will be held for.
        volatility: Forecast standard deviation over the horizon, (n,), in decimals; or None.
        assets: Names for error messages, length n.

    Returns:
        Covariance over the horizon, (n, n), symmetric and positive definite.

    Raises:
        DataError: Fewer than 20 common bars, an asset that never moves, or a forecast volatility
            that is blank or not positive.
        ParameterError: The horizon is shorter than one bar.

    Source: Ledoit, O. and Wolf, M. (2004). A well-conditioned estimator for large-dimensional
    covariance matrices. Journal of Multivariate Analysis 88(2). Rescaling: Bollerslev, T. (1990).
    Modelling the coherence in short-run nominal exchange rates. Review of Economics and
    Statistics 72(3).
    """
    checked_horizon(horizon)
    returns = np.asarray(log_returns, dtype=float)
    if returns.ndim != 2 or returns.shape[1] == 0:
        raise DataError(f"log returns must be a table of bars x assets, not {returns.shape}")
    common = common_rows(returns, assets)
    estimate = LedoitWolf().fit(common).covariance_ * float(horizon)
    covariance: np.ndarray = (estimate + estimate.T) / 2.0
    if volatility is None:
        return covariance
    return with_volatility(covariance, volatility, assets=assets)


def with_volatility(
    covariance: np.ndarray, volatility: np.ndarray, *, assets: Sequence[str] | None = None
) -> np.ndarray:
    """The same correlations with other standard deviations.

    Args:
        covariance: (n, n), with positive variances.
        volatility: Standard deviations wanted, (n,).
        assets: Names for error messages, length n.

    Raises:
        DataError: A volatility is blank or not positive, or there are not n.
    """
    forecast = _checked_volatility(volatility, len(covariance), assets)
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviation, deviation)
    rescaled: np.ndarray = correlation * np.outer(forecast, forecast)
    return rescaled


def checked_horizon(horizon: int) -> None:
    """Refuse a holding period of no bars.

    Raises:
        ParameterError: The horizon is shorter than one bar.
    """
    if horizon < 1:
        raise ParameterError(f"horizon must be at least 1 bar and is {horizon}.")


def common_rows(returns: np.ndarray, assets: Sequence[str] | None) -> np.ndarray:
    """The bars on which every asset has a return, (rows, n).

    Args:
        returns: One-bar returns, (T, n), blank where there is none.
        assets: Names for error messages, length n.

    Raises:
        DataError: There are fewer than 20, or an asset never moves on them.
    """
    known: np.ndarray = np.isfinite(returns)
    common: np.ndarray = returns[known.all(axis=1)]
    if len(common) < MIN_COMMON_ROWS:
        shortest = int(np.argmin(known.sum(axis=0)))
        raise DataError(
            f"only {len(common)} bars on which all {returns.shape[1]} assets have a return, and a "
            f"covariance needs {MIN_COMMON_ROWS}",
            asset=_name(assets, shortest),
            remedy="raise min_history, so that an asset joins the universe later, or drop it.",
        )
    still = np.ptp(common, axis=0) == 0.0
    if still.any():
        raise DataError(
            "the price never moves on the bars that all assets share, so it has no covariance",
            asset=_name(assets, int(np.argmax(still))),
            remedy="drop the asset or correct its prices.",
        )
    return common


def _checked_volatility(
    volatility: np.ndarray, n_assets: int, assets: Sequence[str] | None
) -> np.ndarray:
    forecast = np.asarray(volatility, dtype=float)
    if forecast.shape != (n_assets,):
        raise DataError(
            f"volatility has shape {forecast.shape} and there are {n_assets} assets",
            column="volatility",
        )
    faulty = ~(np.isfinite(forecast) & (forecast > 0.0))
    if faulty.any():
        first = int(np.argmax(faulty))
        raise DataError(
            f"forecast volatility must be positive and is {forecast[first]}",
            column="volatility",
            asset=_name(assets, first),
            remedy="use a forecaster that gives a volatility for every asset it forecasts.",
        )
    return forecast


def _name(assets: Sequence[str] | None, position: int) -> str:
    return str(position) if assets is None else assets[position]
