"""Fit a forecaster fold by fold and forecast every decision date from what was known then."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache, code_version, content_hash
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.forecasters.base import Forecast, Forecaster, as_plain
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import resolved
from regime_nas_pipeline.walkforward.fold_fits import Step, Work, fit_in_turn
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.market_hashes import closes_identities, hashes_up_to

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class WalkForwardForecasts:
    """What came of walking one forecaster forward.

    Attributes:
        forecasts: Tidy table: date, asset, mean, volatility, seed_spread, fold, and the mean of
            each seed where seeds are averaged.
        checkpoints: Fitted state of every fold, ``fold/…`` arrays; its facts say with which
            class, parameters, code and closes each was fitted.
        log: One entry per fold: dates, epochs, gradient samples, seconds, parameters, curves.
    """

    forecasts: pd.DataFrame
    checkpoints: Bundle
    log: list[dict[str, Any]]


def walk_forward(
    forecaster: Forecaster,
    market: Market,
    folds: list[Fold],
    *,
    cache: PieceCache,
    n_jobs: int = 1,
    name: str = "",
) -> WalkForwardForecasts:
    """Fit on each fold's training window and forecast its decision dates.

    Each fit is handed its training window and nothing later, each forecast the market up to its
    own date. Finished folds are kept in ``cache``.

    Args:
        forecaster: Prototype; it is cloned for each fit and stays unfitted.
        market: Prices to the end of the sample.
        folds: Who is trained when.
        cache: Where finished folds are kept.
        n_jobs: Processes.
        name: What the progress bar says; no bar where empty.
    """
    walked = walk_all({0: forecaster}, market, folds, cache=cache, n_jobs=n_jobs, name=name)
    return walked[0]


def walk_all(
    forecasters: Mapping[Name, Forecaster],
    market: Market,
    folds: list[Fold],
    *,
    cache: PieceCache,
    n_jobs: int = 1,
    name: str = "",
) -> dict[Name, WalkForwardForecasts]:
    """Walk several forecasters forward over the same folds, all their fits at once.

    Args:
        forecasters: Name to prototype; see :func:`walk_forward`, as for the other arguments.
        market: Prices to the end of the sample.
        folds: Who is trained when.
        cache: Where finished folds are kept.
        n_jobs: Processes.
        name: What the progress bar says; no bar where empty.
    """
    # One market for all folds: cut for each they would hold every bar once per later fold. Made
    # anew, it comes without what was computed on it, which no worker needs.
    seen = {
        needed: replace(market) if needed else replace(market, regimes=None, regime_names=())
        for needed in {forecaster.needs_regimes for forecaster in forecasters.values()}
    }
    stops = [market.position(fold.decisions[-1]) + 1 for fold in folds]
    hashes = {needed: hashes_up_to(known, stops) for needed, known in seen.items()}
    works: list[Work] = []
    for forecaster in forecasters.values():
        known, hashed = seen[forecaster.needs_regimes], hashes[forecaster.needs_regimes]
        keyed = zip(folds, _fold_keys(forecaster, folds, hashed), strict=True)
        works += _works(forecaster, known, [Step(fold, key) for fold, key in keyed])
    # Starting processes takes seconds, which reading what is finished does not.
    finished = all(cache.holds(step.key) for work in works for step in work.steps)
    # The longest pasts first: whoever begins with them at the end is waited for by all others.
    order = sorted(range(len(works)), key=lambda place: works[place].steps[0].fold.number)[::-1]
    done = parallel_map(
        fit_in_turn,
        [(works[at].forecaster, works[at].market, works[at].steps, cache) for at in order],
        n_jobs=1 if finished else n_jobs,
        description=f"{name}: fit and forecast" if name else "",
        unit="walk" if any(len(work.steps) > 1 for work in works) else "fold",
    )
    by_place = dict(zip(order, done, strict=True))
    pieces = [piece for place in range(len(works)) for piece in by_place[place]]
    closes = closes_identities(market, [market.position(fold.train_end) + 1 for fold in folds])
    own = (pieces[first : first + len(folds)] for first in range(0, len(pieces), len(folds)))
    return {
        key: _assembled(forecaster, market, folds, some, closes)
        for (key, forecaster), some in zip(forecasters.items(), own, strict=True)
    }


def _works(forecaster: Forecaster, market: Market, steps: list[Step]) -> list[Work]:
    """What one process does at a time: a fold, or all where each starts from the one before."""
    if not forecaster.starts_warm:
        return [Work(forecaster, market, (step,)) for step in steps]
    chained: list[Step] = []
    for step in steps:
        key = step.key
        if key is not None and chained:
            key = content_hash(key, "after", chained[-1].key)
        chained.append(Step(step.fold, key))
    return [Work(forecaster, market, tuple(chained))]


def _assembled(
    forecaster: Forecaster,
    market: Market,
    folds: list[Fold],
    pieces: list[Bundle],
    closes: list[dict[str, dict[str, str]]],
) -> WalkForwardForecasts:
    """The pieces of all folds as one table, one bundle and one log."""
    tables, log = [], []
    arrays: dict[str, np.ndarray] = {}
    for fold, piece in zip(folds, pieces, strict=True):
        forecast = Forecast(
            fold.decisions,
            market.assets,
            piece.arrays["mean"],
            piece.arrays.get("volatility"),
            piece.arrays.get("seed_spread"),
            piece.arrays.get("seed_means"),
        )
        tables.append(forecast.to_frame().assign(fold=fold.number))
        arrays |= {f"fold{fold.number:02d}/{k}": v for k, v in piece.prefixed("model").items()}
        log.append(piece.facts["log"])
    facts = {
        "class": f"{type(forecaster).__module__}.{type(forecaster).__qualname__}",
        "parameters": plain_parameters(forecaster),
        "folds": [
            {**piece.facts["model"], "closes": identity}
            for piece, identity in zip(pieces, closes, strict=True)
        ],
        "train_ends": [fold.train_end.isoformat() for fold in folds],
        "code": code_version(),
    }
    return WalkForwardForecasts(pd.concat(tables, ignore_index=True), Bundle(arrays, facts), log)


def refuse_other_targets(
    logs: Mapping[str, list[dict[str, Any]]], *, horizon: int, execution_lag: int
) -> None:
    """Refuse forecasts of another return than the one that they are judged by.

    An earlier run's forecasts fit a new horizon or lag in dates and assets, and in nothing else.

    Args:
        logs: Forecaster to the log of its folds.
        horizon: Bars of the return that is traded and scored.
        execution_lag: Bars between decision and trade.

    Raises:
        DataError: A fold forecast something else, or its log does not say what.
    """
    wanted = (horizon, execution_lag)
    for name, log in logs.items():
        for entry in log:
            made = (entry.get("horizon"), entry.get("execution_lag"))
            if made != wanted:
                raise DataError(
                    f"forecasts were made for horizon {made[0]} and execution lag {made[1]}, and "
                    f"the parameters ask for {horizon} and {execution_lag}",
                    source=f"{name}.forecasts",
                    remedy="run nas_search and baseline_training with the present parameters.",
                )


def _fold_keys(forecaster: Forecaster, folds: list[Fold], known: list[str]) -> list[str | None]:
    """What each fold's work is kept under; None where it is made anew every time."""
    classes = forecaster.classes()
    if any(cls.__module__ == "__main__" for cls in classes):
        # A class typed into a notebook can change while nothing that names it does.
        return [None] * len(folds)
    shared = [code_version(), *map(class_content, classes), resolved(plain_parameters(forecaster))]
    return [
        content_hash(
            *shared,
            [fold.train_start.isoformat(), fold.train_end.isoformat()],
            [date.isoformat() for date in fold.decisions],
            market_hash,
        )
        for fold, market_hash in zip(folds, known, strict=True)
    ]


def market_content(market: Market) -> list[Any]:
    """Everything that a forecaster can read in ``market``, to be hashed."""
    parts: list[Any] = [
        list(market.assets),
        [market.bars_per_year, market.min_history],
        [market.benchmark_name, list(market.regime_names)],
        market.dates.to_numpy().astype("datetime64[ns]").astype("int64"),
        market.close,
        market.benchmark,
    ]
    for name in sorted(market.fields):
        parts += [name, market.fields[name]]
    for name in sorted(market.observed):
        parts += ["observed", name, market.observed[name]]
    for name, values in (
        ("regimes", market.regimes),
        ("closes_before", market.closes_before),
        ("members", market.members),
    ):
        if values is not None:
            parts += [name, values]
    return parts


def class_content(cls: type) -> list[str]:
    """Name of a class and hash of the modules that it comes from: it may be the user's own."""
    digest = hashlib.sha256()
    for name in sorted({parent.__module__ for parent in cls.__mro__}):
        try:
            source = inspect.getsource(sys.modules[name])
        except (OSError, TypeError):  # built in, or without a source file
            continue
        digest.update(source.encode())
    return [cls.__module__, cls.__qualname__, digest.hexdigest()]


def plain_parameters(forecaster: Forecaster) -> dict[str, Any]:
    """Constructor arguments as JSON can hold them."""
    plain: dict[str, Any] = {}
    for name, value in forecaster.get_params(deep=False).items():
        plain[name] = as_plain(vars(value) if hasattr(value, "__dataclass_fields__") else value)
    return plain
