"""The work of one process in a walk forward: a fold, or a chain of them."""

from __future__ import annotations

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
        market: Everything that the fold's work may see: prices up to its last decision.
        fold: Who is trained when.
        key: What its piece is kept under; None where it is made anew every time.
    """

    market: Market
    fold: Fold
    key: str | None


@dataclass(frozen=True)
class Work:
    """Folds of one forecaster that are fitted in turn, each starting from the one before.

    Attributes:
        forecaster: Prototype.
        steps: One, unless the forecaster starts warm.
    """

    forecaster: Forecaster
    steps: tuple[Step, ...]


def fit_in_turn(work: Work, cache: PieceCache) -> list[Bundle]:
    """The pieces of all steps; each is kept as soon as it is finished."""
    pieces: list[Bundle] = []
    for step in work.steps:
        start = pieces[-1] if pieces else None
        pieces.append(_piece(work.forecaster, step, start, cache))
    return pieces


def _piece(forecaster: Forecaster, step: Step, start: Bundle | None, cache: PieceCache) -> Bundle:
    if step.key is None:
        return fit_fold(forecaster, step.market, step.fold, start)
    return cache.get_or_make(step.key, lambda: fit_fold(forecaster, step.market, step.fold, start))


def fit_fold(
    forecaster: Forecaster, market: Market, fold: Fold, start: Bundle | None = None
) -> Bundle:
    """Fit on the training window, forecast each decision date from the market up to it.

    Args:
        forecaster: Prototype; it stays unfitted.
        market: Prices up to the fold's last decision.
        fold: Who is trained when.
        start: The piece of the fold before, for a fit to start from; or None.
    """
    known = market.until(fold.train_end).listed()
    training = known.slice(int(known.dates.searchsorted(fold.train_start)), len(known.dates))
    prototype = clone(forecaster)
    if start is not None:
        prototype.start_from(Bundle(start.prefixed("model"), start.facts["model"]))
    fitted = prototype.fit(training)
    forecasts = [
        fitted.predict(market.until(date).listed(), pd.DatetimeIndex([date])).on(market.assets)
        for date in fold.decisions
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
