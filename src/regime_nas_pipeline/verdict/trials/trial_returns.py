"""Check return series before any statistic of trials is made of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.statistics import known_returns

_SAME = 1e-10
_REMEDY = "leave such series out, and say how many there were."


def moving_returns(returns: pd.Series) -> np.ndarray:
    """The returns as a float array, (T,), after checking that they can have a Sharpe ratio.

    Args:
        returns: Simple returns per bar, named after the strategy or trial.

    Raises:
        DataError: A return is blank, there are fewer than three, or they are all the same.
    """
    values = known_returns(returns)
    if len(values) < 3:
        raise DataError(
            f"a Sharpe ratio needs at least 3 bars to be judged and has {len(values)}",
            column=str(returns.name),
        )
    if np.ptp(values) == 0.0:
        raise DataError(
            f"every return is {values[0]}, so there is no Sharpe ratio",
            column=str(returns.name),
            remedy=_REMEDY,
        )
    return values


def returns_matrix(returns: pd.DataFrame, kind: str = "trial") -> np.ndarray:
    """The return series as a float array, bars x series, in the order of the columns.

    Args:
        returns: Date x series, simple returns per bar on common dates.
        kind: What a column is, for the messages.

    Raises:
        DataError: There are no series, two have the same name, or one is blank somewhere, shorter
            than three bars or constant.
    """
    names = returns.columns
    if len(names) == 0:
        raise DataError(f"there is no {kind}", remedy=f"hand over one column per {kind}.")
    if not names.is_unique:
        raise DataError(
            f"more than one {kind} has this name", column=str(names[names.duplicated()][0])
        )
    return np.column_stack([moving_returns(returns[name]) for name in names])


def correlations(returns: np.ndarray) -> np.ndarray:
    """Correlation matrix of the columns, series x series, with ones on the diagonal."""
    matrix: np.ndarray = np.clip(np.atleast_2d(np.corrcoef(returns, rowvar=False)), -1.0, 1.0)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def originals(correlation: np.ndarray) -> np.ndarray:
    """Position of the first series that each one repeats up to scale: its own if it is no copy."""
    first: np.ndarray = np.argmax(correlation > 1.0 - _SAME, axis=0)
    return first
