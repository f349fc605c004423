"""When a labeller is fitted, and on what: a label leaks through its parameters, too."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from sklearn.base import clone

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.regimes.base import Labeller


def refit_dates(
    market: Market, *, burn_in: int, refit_every: int, freeze_after: dt.date | None = None
) -> pd.DatetimeIndex:
    """Dates at whose close a labeller is fitted on everything known by then.

    Args:
        market: Gives the bars.
        burn_in: Bars before the first fit; it happens at the close of the last of them.
        refit_every: Bars from one fit to the next.
        freeze_after: Last date at which a fit may happen; None for no such date.

    Returns:
        The dates, increasing; never empty.

    Raises:
        ParameterError: ``burn_in`` or ``refit_every`` is not positive, or the freeze date lies
            before the end of the burn-in.
        DataError: The burn-in is longer than the data.
    """
    if burn_in < 1 or refit_every < 1:
        raise ParameterError(
            f"burn_in and refit_every must be at least 1 bar; got {burn_in} and {refit_every}."
        )
    if burn_in > len(market.dates):
        raise DataError(
            f"the burn-in of the regime labels takes {burn_in} bars and there are "
            f"{len(market.dates)}",
            source="prices",
            date=market.dates[-1] if len(market.dates) else None,
            remedy="start the data earlier or shorten the burn-in.",
        )
    dates = market.dates[burn_in - 1 :: refit_every]
    if freeze_after is None:
        return dates
    # The whole freeze day counts as before the freeze, whatever the hour of its bars.
    kept = dates[dates < pd.Timestamp(freeze_after).normalize() + pd.Timedelta(days=1)]
    if not len(kept):
        raise ParameterError(
            f"freeze_after is {freeze_after}, before the burn-in ends on {dates[0].date()}: the "
            "labeller would never be fitted. Move it later or shorten the burn-in."
        )
    return kept


def label_online(
    market: Market,
    labeller: Labeller,
    *,
    burn_in: int,
    refit_every: int,
    freeze_after: dt.date | None = None,
) -> pd.DataFrame:
    """Label every bar from the end of the burn-in on, each with what was known at its close.

    The labels of a bar come from a labeller that was fitted at the last of the
    :func:`refit_dates` up to this bar, on the market up to that date.

    Args:
        market: Prices.
        labeller: Prototype; it is cloned for each fit and stays unfitted.
        burn_in: Bars before the first fit, whose last bar is the first one labelled.
        refit_every: Bars from one fit to the next.
        freeze_after: Last date at which a fit may happen; None for no such date.

    Returns:
        Date x regime name, probabilities that sum to 1, without gaps.

    Raises:
        ParameterError: See :func:`refit_dates`.
        DataError: The burn-in is longer than the data, or the labeller left a bar without label.
    """
    fits = refit_dates(market, burn_in=burn_in, refit_every=refit_every, freeze_after=freeze_after)
    starts = [market.position(date) for date in fits]
    ends = [*starts[1:], len(market.dates)]
    pieces: list[pd.DataFrame] = []
    for start, end in zip(starts, ends, strict=True):
        fitted = clone(labeller).fit(market.until(market.dates[start]))
        known = market.until(market.dates[end - 1])
        labels = fitted.predict_online(known, market.dates[start:end])
        _check_labels(labels, market.dates[start:end], labeller)
        pieces.append(labels)
    return pd.concat(pieces).rename_axis(index="date")


def _check_labels(labels: pd.DataFrame, dates: pd.DatetimeIndex, labeller: Labeller) -> None:
    """Refuse labels that break the contract; a labeller of the user's own may."""
    name = type(labeller).__name__
    missing = dates.difference(pd.DatetimeIndex(labels.index))
    if len(missing):
        raise DataError(
            f"{name} gives no regime although the burn-in is over ({len(missing)} bars)",
            date=missing[0],
            remedy="lengthen the burn-in, or look for bars without any asset in the universe.",
        )
    if tuple(labels.columns) != labeller.regime_names:
        raise DataError(
            f"{name} gives the columns {list(labels.columns)} and declares "
            f"{list(labeller.regime_names)} as its regime_names",
            remedy="let predict_online return one column per name, in their order.",
        )
    sums = labels.to_numpy(dtype=float).sum(axis=1)
    wrong = ~(np.abs(sums - 1.0) < 1e-6) | (labels.to_numpy(dtype=float) < 0).any(axis=1)
    if wrong.any():
        raise DataError(
            f"{name} gives regime probabilities that are negative or do not sum to 1",
            date=pd.Timestamp(labels.index[int(np.argmax(wrong))]),
            remedy="return probabilities from predict_online.",
        )
