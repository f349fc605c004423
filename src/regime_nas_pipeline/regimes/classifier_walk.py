"""The regime classifier walked forward: refitted on labels as they were known, fold by fold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

import regime_nas_pipeline
from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache, code_version, content_hash
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import TrainingPlan, resolved
from regime_nas_pipeline.regimes.classifier import RegimeClassifier
from regime_nas_pipeline.regimes.features import feature_matrix
from regime_nas_pipeline.regimes.schedule import refit_dates

FIT_COLUMNS = (
    "n_training",
    "n_validation",
    "epochs",
    "samples",
    "temperature",
    "validation_loss",
    "validation_loss_calibrated",
)
"""Columns of :attr:`ClassifierWalk.fits` before the shares of the classes."""


@dataclass(frozen=True)
class ClassifierWalk:
    """What came of walking a classifier forward.

    Attributes:
        forecasts: Decision date x class, probabilities of what comes ``lead`` bars later.
        fits: One row per refit: date, n_training and n_validation windows, epochs (mean over
            seeds), samples (gradient samples of all seeds), temperature, validation_loss and
            validation_loss_calibrated (log loss before and after it), share_CLASS (in training).
        checkpoints: Fitted state of every refit, ``fit…/…`` arrays, with its facts.
    """

    forecasts: pd.DataFrame
    fits: pd.DataFrame
    checkpoints: Bundle


def classifier_walk(
    market: Market,
    labels: pd.DataFrame,
    classifier: RegimeClassifier,
    *,
    burn_in: int,
    refit_every: int = 252,
    cache: PieceCache | None = None,
    n_jobs: int = 1,
    name: str = "",
) -> ClassifierWalk:
    """Refit on an expanding window and forecast every bar from the end of the burn-in on.

    A fit at the close of a date sees the market up to it and the labels that had been said by
    then, as they were said. The bars from this date to the one before the next fit are forecast
    with it.

    Args:
        market: Prices to the end of the sample; labels attached to it are not looked at.
        labels: Date x regime, probabilities from a labeller's walk, without gaps; dates before
            its burn-in have none.
        classifier: Prototype; it is cloned for each fit and stays unfitted.
        burn_in: Bars of the market before the first fit, at the close of the last of them.
        refit_every: Bars from one fit to the next.
        cache: Where finished folds are kept; None keeps none.
        n_jobs: Processes; -1 for all cores.
        name: What the progress bar says; no bar where empty.

    Raises:
        ParameterError: The schedule or an argument of the classifier is out of range.
        DataError: The burn-in is longer than the data, labels have gaps or other dates than the
            market, or a fold cannot be learned from; see :meth:`RegimeClassifier.fit`.
    """
    _check_labels(market, labels)
    labelled = market.with_regimes(labels)
    fits = refit_dates(market, burn_in=burn_in, refit_every=refit_every)
    starts = [market.position(date) for date in fits]
    ends = [*starts[1:], len(market.dates)]
    tasks = [
        (classifier, labelled.slice(0, end), start, cache or PieceCache(None))
        for start, end in zip(starts, ends, strict=True)
    ]
    pieces = parallel_map(
        _fold_piece,
        tasks,
        n_jobs=n_jobs,
        description=f"{name}: fit and forecast" if name else "",
        unit="fold",
    )
    probabilities = np.concatenate([piece.arrays["probabilities"] for piece in pieces])
    arrays: dict[str, np.ndarray] = {}
    for number, piece in enumerate(pieces):
        arrays |= {f"fit{number:02d}/{k}": v for k, v in piece.prefixed("model").items()}
    facts = {
        "parameters": _plain(classifier),
        "fits": [piece.facts["model"] for piece in pieces],
        "dates": [date.isoformat() for date in fits],
        "code": code_version(),
    }
    return ClassifierWalk(
        pd.DataFrame(
            probabilities,
            index=pd.DatetimeIndex(market.dates[starts[0] :], name="date"),
            columns=pieces[0].facts["model"]["classes"],
        ),
        _fits(pieces, fits),
        Bundle(arrays, facts),
    )


def _fits(pieces: list[Bundle], dates: pd.DatetimeIndex) -> pd.DataFrame:
    """What each refit logged, its columns in one order whether it was made or found finished."""
    shares = [f"share_{name}" for name in pieces[0].facts["model"]["classes"]]
    logs = [piece.facts["log"] for piece in pieces]
    return pd.DataFrame(
        logs, index=pd.DatetimeIndex(dates, name="date"), columns=[*FIT_COLUMNS, *shares]
    )


def restored(walk: ClassifierWalk, prototype: RegimeClassifier, number: int) -> RegimeClassifier:
    """The classifier as it was after one of the walk's refits, the first is 0."""
    bundle = Bundle(
        walk.checkpoints.prefixed(f"fit{number:02d}"), walk.checkpoints.facts["fits"][number]
    )
    empty: RegimeClassifier = clone(prototype)
    return empty.from_bundle(bundle)


def _check_labels(market: Market, labels: pd.DataFrame) -> None:
    dates = pd.DatetimeIndex(labels.index)
    first = int(market.dates.searchsorted(dates[0])) if len(dates) else 0
    if not len(dates) or not dates.equals(market.dates[first : first + len(dates)]):
        raise DataError(
            "the labels are not on consecutive bars of the market",
            source="regimes",
            remedy="hand over labels of the same market, from the end of their burn-in on.",
        )
    blank = ~np.isfinite(labels.to_numpy(dtype=float)).all(axis=1)
    if blank.any():
        raise DataError("a label is blank", source="regimes", date=dates[int(np.argmax(blank))])


def _fold_piece(
    classifier: RegimeClassifier, market: Market, start: int, cache: PieceCache
) -> Bundle:
    """Fit at row ``start`` and forecast from it to the last row, unless that is kept already."""
    if type(classifier).__module__.partition(".")[0] != regime_nas_pipeline.__name__:
        # Code of the user's own can change while nothing that names it does.
        return _fit_fold(classifier, market, start)
    key = content_hash(
        code_version(),
        f"{type(classifier).__module__}.{type(classifier).__qualname__}",
        resolved(_plain(classifier)),
        market.dates.to_numpy().astype("datetime64[ns]").astype("int64"),
        feature_matrix(market, classifier.features),
        list(market.regime_names),
        market.slice(0, start + 1).regimes,
    )
    return cache.get_or_make(key, lambda: _fit_fold(classifier, market, start))


def _fit_fold(classifier: RegimeClassifier, market: Market, start: int) -> Bundle:
    fitted = clone(classifier).fit(market.slice(0, start + 1))
    dates = market.dates[start:]
    forecasts = fitted.predict_online(market, dates)
    if len(forecasts) < len(dates):
        missing = dates.difference(pd.DatetimeIndex(forecasts.index))[0]
        raise DataError(
            "the regime classifier has no complete window although the burn-in is over",
            source="prices",
            date=missing,
            remedy="look for bars without prices or without a value of the observed series.",
        )
    state = fitted.to_bundle()
    arrays = {f"model/{name}": array for name, array in state.arrays.items()}
    arrays["probabilities"] = forecasts.to_numpy(dtype=float)
    return Bundle(arrays, {"model": state.facts, "log": fitted.fit_log_})


def _plain(classifier: RegimeClassifier) -> dict[str, Any]:
    """Constructor arguments as JSON can hold them."""
    arguments: dict[str, Any] = classifier.get_params(deep=False)
    return {
        name: asdict(value) if isinstance(value, TrainingPlan) else value
        for name, value in arguments.items()
    }
