"""Attention of a walked regime classifier, each fit's network on the windows until the next."""

from __future__ import annotations

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.attention_maps import one_asset_each
from regime_nas_pipeline.networks.regime_classifier import class_windows
from regime_nas_pipeline.networks.training import resolve_device
from regime_nas_pipeline.networks.window_importance import class_log_loss
from regime_nas_pipeline.networks.windows import Batch
from regime_nas_pipeline.regimes.base import positions
from regime_nas_pipeline.regimes.classifier import RegimeClassifier
from regime_nas_pipeline.regimes.classifier_targets import labelled_regimes, outcomes
from regime_nas_pipeline.regimes.classifier_walk import ClassifierWalk, restored
from regime_nas_pipeline.regimes.features import feature_matrix
from regime_nas_pipeline.walkforward.attention_walks import (
    Shuffles,
    WalkInspection,
    network_piece,
    walk_inspection,
)

_LEAST_WINDOWS = 2


def inspect_classifier(
    prototype: RegimeClassifier,
    walk: ClassifierWalk,
    market: Market,
    labels: pd.DataFrame,
    *,
    shuffles: Shuffles,
    level: float,
    cache: PieceCache,
    n_jobs: int = 1,
    name: str = "",
) -> WalkInspection:
    """Read the attention of every fit's first network on the windows that it forecast from.

    Importance is the log loss that shuffling adds, in nats, before the temperature.

    Args:
        prototype: The classifier that was walked, unfitted.
        walk: What came of it.
        market: Prices to the end of the sample.
        labels: Date x regime, those that it learned from and is judged by.
        shuffles: How importance is measured.
        level: Coverage of the intervals.
        cache: Where finished fits are kept.
        n_jobs: Processes.
        name: What the progress bar says; no bar where empty.

    Raises:
        DataError: No fit forecast two dates whose class came true.
    """
    labelled = market.with_regimes(labels)
    starts = [pd.Timestamp(date) for date in walk.checkpoints.facts["dates"]]
    dates = pd.DatetimeIndex(walk.forecasts.index)
    places = [int(dates.searchsorted(start)) for start in starts]
    n_known = len(labelled.dates) - prototype.lead
    known = dates[dates.isin(labelled.dates[:n_known])]
    tasks = []
    for number, (begin, end) in enumerate(zip(places, [*places[1:], len(dates)], strict=True)):
        own = dates[begin:end].intersection(known)
        if len(own) >= _LEAST_WINDOWS:
            fitted = restored(walk, prototype, number)
            tasks.append((fitted, labelled, own, shuffles, cache))
    if not tasks:
        raise DataError(
            "no fit of the regime classifier forecast two dates whose class came true",
            source="regimes",
            date=starts[0],
            remedy="bring more bars after the burn-in.",
        )
    pieces = parallel_map(_fit_piece, tasks, n_jobs=n_jobs, description=name, unit="fit")
    return walk_inspection(pieces, lookback=prototype.lookback, level=level, seed=shuffles.seed)


def windows_with_classes(
    fitted: RegimeClassifier, labelled: Market, dates: pd.DatetimeIndex
) -> Batch:
    """Windows that end at ``dates``, as the fitted networks see them, with what came true.

    Args:
        fitted: The classifier.
        labelled: Market with the labels that say what came true.
        dates: Decision dates.

    Returns:
        Windows whose targets are numbers of classes; those without a known class are left out.

    Raises:
        DataError: No window has a known class, or a date is no bar.
    """
    answers = outcomes(labelled_regimes(labelled), fitted.target, fitted.lead)
    features = feature_matrix(labelled, fitted.features)
    scaled = (features - fitted.feature_mean_) / fitted.feature_scale_
    data = class_windows(scaled, answers, fitted.lookback, resolve_device(fitted.device))
    rows: np.ndarray = positions(labelled, dates)
    return one_asset_each(data.batch(rows[rows >= fitted.lookback], need_target=True))


def _fit_piece(
    fitted: RegimeClassifier,
    labelled: Market,
    dates: pd.DatetimeIndex,
    shuffles: Shuffles,
    cache: PieceCache,
) -> Bundle:
    return network_piece(
        fitted.networks_[0],
        windows_with_classes(fitted, labelled, dates),
        class_log_loss,
        feature_names=fitted.features,
        shuffles=shuffles,
        cache=cache,
    )
