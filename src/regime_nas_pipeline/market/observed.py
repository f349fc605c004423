"""Series that are seen and never held, such as a volatility index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.features import trailing_sum
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.raw import RawPrices, make_note

STAND_IN_WINDOW = 21
"""Bars of the realised volatility that stands in for a blank of the volatility index."""

MOST_BLANKS = 0.01
"""Largest share of bars on which a volatility index may be blank."""


@dataclass(frozen=True, eq=False)
class VolatilityIndex:
    """A volatility index on every bar, and where it had to be replaced.

    Attributes:
        values: In per cent a year, (T,); blank on the bars before the first value that is known.
        stand_in: Bars whose value is realised volatility, (T,) bool.
    """

    values: np.ndarray
    stand_in: np.ndarray


def volatility_index(market: Market, name: str, *, asset: str | None = None) -> VolatilityIndex:
    """The observed series ``name`` with realised volatility in its isolated blanks.

    The stand-in at a bar is the root mean square log return of the last 21 bars up to it, in per
    cent a year: what is known at its close. It is not scaled to the index, which lies above
    realised volatility on average.

    Args:
        market: Has the series among those observed.
        name: Name of the series.
        asset: Whose returns the stand-in is made of; None for the benchmark.

    Raises:
        DataError: The series is not observed, has a value that is not positive, is blank on more
            than 1 % of the bars from its first value on, or is blank where the stand-in is not
            known either.
    """
    if name not in market.observed:
        raise DataError(
            "the volatility index is not among the observed series",
            source="prices",
            asset=name,
            remedy="name it in universe.observed, and bring a source that has it.",
        )
    series = market.observed[name]
    known = np.isfinite(series)
    if not known.any():
        raise DataError("there is no value at all", source="prices", asset=name)
    wrong = known & ~(series > 0.0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"the volatility index is {series[row]:g}, and it must be positive",
            source="prices",
            asset=name,
            date=market.dates[row],
            remedy="leave the value blank in the source, or bring a right one.",
        )
    first = int(np.argmax(known))
    blank = ~known
    blank[:first] = False
    _refuse_many(market, name, blank, first)
    values = series.copy()
    if blank.any():
        values[blank] = _realised(market, asset)[blank]
        unknown = blank & ~np.isfinite(values)
        if unknown.any():
            raise DataError(
                f"the value is blank, and {STAND_IN_WINDOW} returns before it, from which a "
                "stand-in could be made, are not there",
                source="prices",
                asset=name,
                date=market.dates[int(np.argmax(unknown))],
                remedy="start the data later, or fill the value in the source.",
            )
    return VolatilityIndex(values, blank)


def _refuse_many(market: Market, name: str, blank: np.ndarray, first: int) -> None:
    n_bars, n_blank = len(blank) - first, int(blank.sum())
    if n_blank > MOST_BLANKS * n_bars:
        raise DataError(
            f"{n_blank} of {n_bars} bars ({n_blank / n_bars:.1%}) are blank, and at most "
            f"{MOST_BLANKS:.0%} may be replaced by realised volatility",
            source="prices",
            asset=name,
            date=market.dates[int(np.argmax(blank))],
            remedy="bring a complete series, or choose start and end where it is complete.",
        )


def _realised(market: Market, asset: str | None) -> np.ndarray:
    close = market.benchmark if asset is None else market.close[:, market.assets.index(asset)]
    squares: np.ndarray = np.full(close.shape, np.nan)
    squares[1:] = np.diff(np.log(close)) ** 2
    variance = trailing_sum(squares, STAND_IN_WINDOW) / STAND_IN_WINDOW
    realised: np.ndarray = 100.0 * np.sqrt(variance * market.bars_per_year)
    return realised


def join_observed(
    raw: RawPrices, filled: pd.DataFrame, table: pd.DataFrame, observed: Sequence[str]
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Put observed series beside prices whose gaps are filled; their own blanks stay blanks.

    A date on which only observed series have a value is not a bar; its values are left out and
    counted.

    Args:
        raw: Where the prices come from.
        filled: Prices of what can be held, tidy.
        table: Tidy rows that hold the observed series.
        observed: Their names.

    Returns:
        Both, sorted by date and asset, and a note for each series that lost values.
    """
    seen = table[table["asset"].isin(observed)]
    fits = seen["date"].isin(filled["date"].unique())
    notes = [
        make_note(
            "no_bar_of_the_market",
            "Values on dates without a bar of anything that can be held were left out.",
            asset=str(name),
            file=raw.places.get(str(name)),
            count=len(lost),
            first_date=lost["date"].min(),
        )
        for name, lost in seen[~fits].groupby("asset")
    ]
    joined = pd.concat([filled, seen[fits]], ignore_index=True)
    return joined.sort_values(["date", "asset"], ignore_index=True), notes
