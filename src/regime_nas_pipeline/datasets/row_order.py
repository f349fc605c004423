"""Rows in the order of time: the newest first is turned round, everything else is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.datasets.price_cells import row_name
from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.market.raw import make_note


def check_order(
    dates: pd.Series[pd.Timestamp], source: str, column: str, asset: str | None = None
) -> bool:
    """Check that dates go one way, and say whether the newest is first.

    Args:
        dates: Dates of one asset, or of one wide file, indexed by their place in the file.
        source: File name, for messages.
        column: Column name, for messages.
        asset: Asset, for messages.

    Raises:
        PriceSourceError: A date occurs twice, or the dates go back and forth.
    """
    repeated = dates.duplicated().to_numpy()
    if repeated.any():
        row = int(repeated.argmax())
        raise PriceSourceError(
            f"the date occurs more than once (again in {row_name(dates, row)})",
            source=source,
            column=column,
            asset=asset,
            date=dates.iloc[row],
            remedy="keep one row for each date, or state asset_column in the catalog entry if the "
            "file holds several assets."
            if asset is None
            else "keep one row for each date.",
        )
    if dates.is_monotonic_increasing:
        return False
    if dates.is_monotonic_decreasing:
        return True
    step = dates.diff().dropna()
    turned = step < pd.Timedelta(0) if step.iloc[0] > pd.Timedelta(0) else step > pd.Timedelta(0)
    row = int(turned.to_numpy().argmax()) + 1
    raise PriceSourceError(
        f"the dates go back and forth ({row_name(dates, row)})",
        source=source,
        column=column,
        asset=asset,
        date=dates.iloc[row],
        remedy="sort the file by date.",
    )


def check_order_by_asset(
    dates: pd.Series[pd.Timestamp], assets: pd.Series[str], source: str, column: str
) -> pd.Series[bool]:
    """Check that the dates of every asset go one way; assets may be mixed in any way.

    Returns:
        Whether a row is of an asset that has its newest row first.

    Raises:
        PriceSourceError: A date occurs twice for an asset, or its dates go back and forth.
    """
    codes, names = pd.factorize(assets)
    order = np.argsort(codes, kind="stable")
    steps = np.diff(dates.to_numpy()[order].astype(np.int64))
    owner = codes[order]
    within = owner[1:] == owner[:-1]
    forward: np.ndarray = np.ones(len(names), dtype=bool)
    backward = forward.copy()
    forward[owner[1:][within & (steps <= 0)]] = False
    backward[owner[1:][within & (steps >= 0)]] = False
    disordered = np.flatnonzero(~forward & ~backward)
    if len(disordered):
        first = disordered[0]
        check_order(dates[codes == first], source, column, str(names[first]))
    return pd.Series(~forward[codes], index=dates.index)


def newest_first_note(source: str, turned: pd.Series[pd.Timestamp]) -> dict[str, Any]:
    """Note that rows were turned round.

    Args:
        source: File name.
        turned: Dates of the rows concerned.
    """
    return make_note(
        "newest_first",
        "The file has its newest row first; turned round.",
        file=source,
        count=len(turned),
        first_date=turned.min(),
    )
