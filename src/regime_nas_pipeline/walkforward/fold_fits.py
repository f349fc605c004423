"""The work of one process in a walk forward: a fold, or a chain of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from sklearn.base import clone

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.forecasters.base import Forecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.walkforward.folds import Fold


@dataclass(frozen=True)
class Step:
    """One fold to be fitted.

    Attributes:
        fold: Who is trained when.
        key: What its piece is kept under; None where it is made anew every time.
    """

    fold: Fold
    key: str | None


@dataclass(frozen=True)
class Work:
    """Folds of one forecaster that are fitted in turn, each starting from the one before.

    Attributes:
        forecaster: Prototype.
        market: Prices, of which each fold is handed those that it may see.
        steps: One, unless the forecaster starts warm.
    """

    forecaster: Forecaster
    market: Market
    steps: tuple[Step, ...]


def fit_in_turn(
    forecaster: Forecaster, market: Market, steps: Sequence[Step], cache: PieceCache
) -> list[Bundle]:
    """The pieces of all steps of a :class:`Work`; each is kept as soon as it is finished."""
    pieces: list[Bundle] = []
    for step in steps:
        start = pieces[-1] if pieces else None
        pieces.append(_piece(forecaster, market, step, start, cache))
    return pieces


def _piece(
    forecaster: Forecaster, market: Market, step: Step, start: Bundle | None, cache: PieceCache
) -> Bundle:
    if step.key is None:
        return fit_fold(forecaster, market, step.fold, start)
    return cache.get_or_make(step.key, lambda: fit_fold(forecaster, market, step.fold, start))


def fit_fold(
    forecaster: Forecaster, market: Market, fold: Fold, start: Bundle | None = None
) -> Bundle:
    """Fit on the training window, forecast each decision date from the market up to it.

    Args:
        forecaster: Prototype; it stays unfitted.
        market: May go on after the fold: the forecaster is handed copies that do not.
        fold: Who is trained when.
        start: The piece of the fold before, for a fit to start from; or None.
    """
    first = int(market.dates.searchsorted(fold.train_start))
    known = market.slice(first, market.position(fold.train_end) + 1).listed()
    prototype = clone(forecaster)
    if start is not None:
        prototype.start_from(Bundle(start.prefixed("model"), start.facts["model"]))
    fitted = prototype.fit(known)
    forecasts = [
        fitted.predict(past.listed(), past.dates[-1:]).on(market.assets)
        for past in pasts(
            market, fold.decisions, fitted.prediction_bars(), fitted.prediction_start()
        )
    ]
    arrays = {"mean": np.concatenate([f.mean for f in forecasts])}
    for field, axis in (("volatility", 0), ("seed_spread", 0), ("seed_means", 1)):
        values = [getattr(f, field) for f in forecasts]
        if all(value is not None for value in values):
            arrays[field] = np.concatenate(values, axis=axis)
    state = fitted.to_bundle()
    arrays |= {f"model/{name}": array for name, array in state.arrays.items()}
    log = {
        "fold": fold.number,
        "train_start": fold.train_start.isoformat(),
        "train_end": fold.train_end.isoformat(),
        "first_decision": fold.decisions[0].isoformat(),
        "last_decision": fold.decisions[-1].isoformat(),
        "horizon": forecaster.horizon,
        "execution_lag": forecaster.execution_lag,
        **asdict(fitted.fit_report_),
    }
    return Bundle(arrays, {"model": state.facts, "log": log})


def pasts(
    market: Market, dates: pd.DatetimeIndex, bars: int | None, start: pd.Timestamp | None = None
) -> Iterator[Market]:
    """The market up to each date, its last bar.

    Args:
        market: Prices, to the last of ``dates`` or longer.
        dates: Bars of it, increasing.
        bars: How many bars up to each are wanted; None for all.
        start: First bar that is wanted; None for that of the market.
    """
    stops = [market.position(date) + 1 for date in dates]
    earliest = 0 if start is None else market.position(start)
    firsts = [earliest if bars is None else max(earliest, stop - bars) for stop in stops]
    # Cut once for all dates, so that what a date costs does not depend on the bars before.
    recent = market if firsts[0] == 0 else market.slice(firsts[0], stops[-1])
    for first, stop in zip(firsts, stops, strict=True):
        yield recent.slice(first - firsts[0], stop - firsts[0])
