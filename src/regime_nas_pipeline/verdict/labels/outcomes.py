"""What the index does after a label is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from regime_nas_pipeline.core.errors import DataError, ParameterError

VOLATILITY, RETURN = "volatility", "return"


def next_outcomes(
    index_return: pd.Series, dates: pd.DatetimeIndex, *, horizon: int, bars_per_year: int
) -> pd.DataFrame:
    """What the index does on the ``horizon`` bars after each date; the date's own bar is left out.

    Args:
        index_return: One-bar log returns of the index by date.
        dates: Of the labels.
        horizon: Bars looked ahead.
        bars_per_year: Bars in a year.

    Returns:
        Date x volatility (root mean square of the returns, a year) and return (their sum), of
        the dates after which so many bars are known.

    Raises:
        ParameterError: ``horizon`` or ``bars_per_year`` is below 1.
        DataError: A date is not among those of the returns, or no date has so many bars after it.
    """
    if horizon < 1 or bars_per_year < 1:
        raise ParameterError(
            f"horizon and bars_per_year must be at least 1; they are {horizon}, {bars_per_year}."
        )
    places = pd.DatetimeIndex(index_return.index).get_indexer(dates)
    if (places < 0).any():
        raise DataError(
            "the index has no return on the date of a label",
            date=dates[int(np.argmax(places < 0))],
            remedy="hand over the index return of the market that was labelled.",
        )
    known = places + horizon < len(index_return)
    if not known.any():
        raise DataError(f"no label has {horizon} bars after it")
    after = sliding_window_view(index_return.to_numpy(dtype=float), horizon)[places[known] + 1]
    return pd.DataFrame(
        {
            VOLATILITY: np.sqrt((after**2).mean(axis=1) * bars_per_year),
            RETURN: after.sum(axis=1),
        },
        index=dates[known],
    )
