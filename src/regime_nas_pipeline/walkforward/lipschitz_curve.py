"""Error against the limit on the certified Lipschitz constant, of the network that was found."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache, code_version, content_hash
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.lipschitz.empirical import steepest_seen
from regime_nas_pipeline.networks.training import single_threaded
from regime_nas_pipeline.verdict.accuracy import forecast_accuracy
from regime_nas_pipeline.walkforward.ablation_parameters import LipschitzCurve
from regime_nas_pipeline.walkforward.candidates import certified_constant
from regime_nas_pipeline.walkforward.evaluation import decision_dates, forecast_arrays
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.forecasts import WalkForwardForecasts, market_content
from regime_nas_pipeline.walkforward.seeded_walks import walk_seeds, with_seed

NO_LIMIT = "none"
"""Label of training without a limit."""

COLUMNS = (
    "limit",
    "label",
    "seed",
    "validation_error",
    "theil_u",
    "r2_zero",
    "forecast_size",
    "certified",
    "seen",
)
"""Columns of :func:`lipschitz_curve`."""


def lipschitz_curve(
    full: RegimeNasForecaster,
    market: Market,
    folds: list[Fold],
    settings: LipschitzCurve,
    *,
    without_bound: Sequence[str] = (),
    seed: int,
    cache: PieceCache,
    n_jobs: int = 1,
) -> pd.DataFrame:
    """Train the network under every limit, and measure its errors and its steepness.

    Args:
        full: Forecaster with the architecture that was found.
        market: Prices to the end of the sample, with regimes where the forecaster needs them.
        folds: Who is trained when.
        settings: Limits, seeds and windows.
        without_bound: Parts of the network for which no constant is known; then no limit can be
            kept, and training without one is all that there is.
        seed: What the seeds are derived from.
        cache: Where finished folds and measurements are kept.
        n_jobs: Processes.

    Returns:
        One row per limit and seed: limit (blank for none), label, seed, ``validation_error``
        (mean squared error of scaled targets on the purged tail of the training window, best
        epoch, mean over folds; no change scores about 1), ``theil_u`` and ``r2_zero`` out of
        sample, ``forecast_size`` (root mean square of the forecasts over that of the outcomes),
        ``certified`` (upper bound, largest over folds, blank where there is none) and ``seen``
        (largest reaction that was found, largest over folds).
    """
    limits = _labelled_limits(settings, without_bound)
    prototypes = {
        label: clone(full).set_params(lipschitz_limit=limit) for label, limit in limits.items()
    }
    walks = walk_seeds(
        prototypes,
        market,
        folds,
        n_seeds=settings.seeds,
        seed=seed,
        cache=cache,
        n_jobs=n_jobs,
        name="Lipschitz curve",
    )
    tasks = [
        (with_seed(prototypes[run.name], seed, run.seed), walk, market, folds, settings, cache)
        for run, walk in walks.items()
    ]
    measured = parallel_map(
        _steepness, tasks, n_jobs=n_jobs, description="Lipschitz curve: steepness", unit="walk"
    )
    rows = [
        {
            "limit": limits[run.name],
            "label": run.name,
            "seed": run.seed,
            "validation_error": _validation_error(walk),
            **_accuracy(walk, market, folds, full),
            **steepness,
        }
        for (run, walk), steepness in zip(walks.items(), measured, strict=True)
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({name: float for name in COLUMNS if name not in {"label", "seed"}})


def _labelled_limits(
    settings: LipschitzCurve, without_bound: Sequence[str]
) -> dict[str, float | None]:
    limits: dict[str, float | None] = {NO_LIMIT: None}
    if not without_bound:
        limits |= {f"{limit:g}": limit for limit in settings.limits}
    return limits


def _validation_error(walk: WalkForwardForecasts) -> float:
    """Lowest error of each fold's epochs, which is that of the weights kept; mean over folds."""
    lowest = [
        min((point["validation_loss"] for curve in log["curves"] for point in curve), default=None)
        for log in walk.log
    ]
    known = [value for value in lowest if value is not None]
    return float(np.mean(known)) if known else float("nan")


def _accuracy(
    walk: WalkForwardForecasts, market: Market, folds: list[Fold], full: RegimeNasForecaster
) -> dict[str, Any]:
    dates = decision_dates(folds)
    rows = market.dates.get_indexer(dates)
    target = market.target(full.horizon, full.execution_lag)[rows]
    mean = forecast_arrays(walk.forecasts, market, dates)["mean"]
    figures = forecast_accuracy(mean, target, np.zeros(target.shape))
    known = np.isfinite(mean) & np.isfinite(target)
    outcome = np.sqrt(np.mean(target[known] ** 2)) if known.any() else np.nan
    size = np.sqrt(np.mean(mean[known] ** 2)) / outcome if known.any() else np.nan
    return {
        "theil_u": figures["theil_u"],
        "r2_zero": figures["r2_zero"],
        "forecast_size": float(size),
    }


def fitted_folds(
    forecaster: RegimeNasForecaster, walk: WalkForwardForecasts
) -> list[RegimeNasForecaster]:
    """The fitted forecaster of every fold, restored from the walk's checkpoints."""
    return [
        clone(forecaster).from_bundle(Bundle(walk.checkpoints.prefixed(f"fold{number:02d}"), facts))
        for number, facts in enumerate(walk.checkpoints.facts["folds"])
    ]


def _steepness(
    forecaster: RegimeNasForecaster,
    walk: WalkForwardForecasts,
    market: Market,
    folds: list[Fold],
    settings: LipschitzCurve,
    cache: PieceCache,
) -> dict[str, float | None]:
    """Certified constant and steepest reaction seen, the largest over folds."""
    certified: list[float | None] = []
    seen = []
    for fitted, fold in zip(fitted_folds(forecaster, walk), folds, strict=True):
        training = market.until(fold.train_end)
        state = fitted.to_bundle()
        key = content_hash(
            code_version(),
            "steepness",
            {name: str(value) for name, value in fitted.get_params(deep=False).items()},
            [settings.windows, settings.climb],
            *(part for name in sorted(state.arrays) for part in (name, state.arrays[name])),
            *market_content(training),
        )
        piece = cache.get_or_make(key, partial(_measure, fitted, training, settings))
        certified.append(piece.facts["certified"])
        seen.append(piece.facts["seen"])
    known = [value for value in certified if value is not None]
    return {"certified": max(known) if len(known) == len(folds) else None, "seen": max(seen)}


def _measure(fitted: RegimeNasForecaster, training: Market, settings: LipschitzCurve) -> Bundle:
    # Windows with a known target: every asset there is one that the certificate counts.
    last = len(training.dates) - 1 - fitted.execution_lag - fitted.horizon
    first = max(fitted.required_history() + training.min_history, last // 2)
    rows = np.unique(np.linspace(min(first, last), last, settings.windows).astype(int))
    batches = [fitted.example_batch(training.until(training.dates[row])) for row in rows]
    with single_threaded(0):
        seen = steepest_seen(fitted.networks_[0], batches, climb=settings.climb)
    return Bundle({}, {"certified": certified_constant(fitted), "seen": seen})
