"""Statistics of return series that several rooms share, each with one definition."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError, ParameterError


def per_bar_rate(risk_free: float, bars_per_year: int) -> float:
    """Rate per bar that compounds to the yearly ``risk_free``: (1 + rf)^(1/bars) - 1.

    Args:
        risk_free: Simple yearly rate in decimals (0.02 = 2 %).
        bars_per_year: Bars in a year.

    Raises:
        ParameterError: The rate is -100 % or less, or there are no bars in a year.
    """
    if not risk_free > -1.0:
        raise ParameterError(f"risk_free must be greater than -1 and is {risk_free}.")
    if bars_per_year < 1:
        raise ParameterError(f"bars_per_year must be at least 1 and is {bars_per_year}.")
    return float((1.0 + risk_free) ** (1.0 / bars_per_year) - 1.0)


def known_returns(returns: pd.Series | np.ndarray) -> np.ndarray:
    """The returns as a float array, (T,), after checking that every one is usable.

    Raises:
        DataError: There are none, one is blank or infinite, or one loses more than everything.
    """
    values = np.asarray(returns, dtype=float)
    name = str(returns.name) if isinstance(returns, pd.Series) else None
    if values.size == 0:
        raise DataError("there are no returns to describe", column=name)
    faulty = ~np.isfinite(values) | (values < -1.0)
    if faulty.any():
        row = int(np.argmax(faulty))
        date = str(returns.index[row]) if isinstance(returns, pd.Series) else None
        raise DataError(
            f"return in row {row} is not usable: {values[row]}",
            column=name,
            date=date,
            remedy="hand over simple returns in decimals without blanks.",
        )
    return values


def finite_or_none(value: float) -> float | None:
    """The value, or None where it is undefined: what JSON can say."""
    number = float(value)
    return number if math.isfinite(number) else None


def annual_sharpe(
    returns: pd.Series | np.ndarray, *, bars_per_year: int, risk_free: float
) -> float | None:
    """Yearly Sharpe ratio: mean excess return over its standard deviation (ddof 1) x √bars.

    Args:
        returns: Simple returns per bar, (T,).
        bars_per_year: Bars in a year.
        risk_free: Simple yearly rate.

    Returns:
        The ratio, or None for fewer than two bars or a series that never changes.

    Raises:
        DataError: A return is blank.

    Source: Sharpe, W. F. (1994). The Sharpe Ratio. Journal of Portfolio Management 21(1).
    """
    import empyrical  # noqa: PLC0415 - brings yfinance

    values = known_returns(returns)
    rate = per_bar_rate(risk_free, bars_per_year)
    return finite_or_none(
        empyrical.sharpe_ratio(values, risk_free=rate, annualization=bars_per_year)
    )
