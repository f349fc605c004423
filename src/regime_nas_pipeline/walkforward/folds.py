"""Who is trained when, on what: the folds of a walk-forward evaluation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market


@dataclass(frozen=True)
class Fold:
    """One fit and the decisions that it serves.

    Attributes:
        number: From 0.
        train_start: First bar of the training window.
        train_end: Last bar of the training window: the close before the first decision.
        decisions: Decision dates until the next fit.
    """

    number: int
    train_start: pd.Timestamp
    train_end: pd.Timestamp
    decisions: pd.DatetimeIndex


def decision_rows(
    dates: pd.DatetimeIndex, *, first_oos: pd.Timestamp, rebalance_every: int, execution_lag: int
) -> np.ndarray:
    """Rows of the decision dates: every n-th bar from the first out-of-sample one.

    A decision is made only if it can be traded and earn at least one bar.

    Raises:
        DataError: There is no such bar.
    """
    first = int(dates.searchsorted(first_oos))
    rows = np.arange(first, len(dates) - execution_lag - 1, rebalance_every)
    if not len(rows):
        raise DataError(
            f"no out-of-sample day left: the data ends on {date_text(dates[-1], dates)} and "
            f"first_oos is {date_text(first_oos)}",
            source="prices",
            remedy="set walk_forward.first_oos earlier or bring later prices.",
        )
    return rows


def make_folds(
    market: Market,
    *,
    first_oos: pd.Timestamp,
    refit_every: int,
    rebalance_every: int,
    execution_lag: int,
    window: int | None = None,
) -> list[Fold]:
    """Folds from the first out-of-sample bar to the last decision that can still earn.

    Args:
        market: Gives the bars.
        first_oos: First date that may be decided on; no fit for it sees this date.
        refit_every: Bars from one fit to the next.
        rebalance_every: Bars from one decision to the next.
        execution_lag: Bars between decision and trade.
        window: Bars of a rolling training window; None for one that expands from the start.

    Raises:
        DataError: No out-of-sample day is left, or nothing comes before it to train on.
    """
    dates = market.dates
    rows = decision_rows(
        dates, first_oos=first_oos, rebalance_every=rebalance_every, execution_lag=execution_lag
    )
    if rows[0] == 0:
        raise DataError(
            "there is nothing to train on before the first out-of-sample day",
            source="prices",
            date=dates[0],
            remedy="set walk_forward.first_oos later or bring earlier prices.",
        )
    folds: list[Fold] = []
    for group in np.split(rows, np.flatnonzero(np.diff((rows - rows[0]) // refit_every)) + 1):
        end = int(group[0]) - 1
        start = 0 if window is None else max(0, end + 1 - window)
        folds.append(Fold(len(folds), dates[start], dates[end], dates[group]))
    return folds


def training_mean(
    market: Market, folds: list[Fold], horizon: int, execution_lag: int
) -> np.ndarray:
    """Mean target that was known at each fold's train_end, per decision date and asset, (D, N).

    The yardstick of out-of-sample R²; blank where an asset had no known target yet.
    """
    rows = []
    targets = market.target(horizon, execution_lag)
    for fold in folds:
        first, stop = (market.position(date) for date in (fold.train_start, fold.train_end))
        target = targets[first : stop + 1].copy()
        # What the last decisions before it would earn was not known yet.
        target[-(execution_lag + horizon) :] = np.nan
        counts = np.isfinite(target).sum(axis=0)
        mean = np.nansum(target, axis=0) / np.where(counts, counts, np.nan)
        rows += [mean] * len(fold.decisions)
    return np.array(rows)
