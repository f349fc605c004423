"""The paper's claims on this market: both networks walked forward, each seed by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.params import Strict
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.metrics import UNLABELLED
from regime_nas_pipeline.verdict.paper_claims import claim_scores
from regime_nas_pipeline.walkforward.evaluation import decision_dates, forecast_arrays
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.seeded_walks import walk_seeds


class Claims(Strict):
    """How the paper's claims are put to the test.

    Attributes:
        seeds: Networks per forecaster and fold, each scored by itself.
        folds: Fits over the out-of-sample dates; None for all of the walk-forward's.
        execution_lag: Bars between decision and the price that the forecast return starts from;
            0 as in the paper, where the next price is forecast from the last one.
    """

    seeds: int = Field(5, ge=2)
    folds: int | None = Field(None, ge=1)
    execution_lag: int = Field(0, ge=0)


def forecast_claims(
    prototypes: Mapping[str, NeuralForecaster],
    market: Market,
    folds: list[Fold],
    *,
    n_seeds: int,
    seed: int,
    cache: PieceCache,
    n_jobs: int = 1,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forecasts of every forecaster on every seed, and what each fit took.

    Args:
        prototypes: Name to forecaster.
        market: Prices to the end of the sample, with regimes where a forecaster needs them.
        folds: Who is trained when.
        n_seeds: Networks per forecaster and fold.
        seed: What the seeds are derived from.
        cache: Where finished folds are kept.
        n_jobs: Processes.

    Returns:
        Forecasts (forecaster, seed, date, asset, mean, fold) and training (forecaster, seed,
        fold, train_end, epochs, gradient_samples, seconds, parameters).
    """
    walks = walk_seeds(
        prototypes,
        market,
        folds,
        n_seeds=n_seeds,
        seed=seed,
        cache=cache,
        n_jobs=n_jobs,
        name="claims",
    )
    forecasts, training = [], []
    for run, walk in walks.items():
        who: dict[str, Any] = {"forecaster": run.name, "seed": run.seed}
        forecasts.append(walk.forecasts[["date", "asset", "mean", "fold"]].assign(**who))
        kept = ("fold", "train_end", "epochs", "gradient_samples", "seconds", "parameters")
        training += [{**who, **{name: entry[name] for name in kept}} for entry in walk.log]
    columns = ["forecaster", "seed", "date", "asset", "mean", "fold"]
    return pd.concat(forecasts, ignore_index=True)[columns], pd.DataFrame(training)


def score_claims(
    forecasts: pd.DataFrame,
    market: Market,
    folds: list[Fold],
    *,
    horizon: int,
    execution_lag: int,
) -> pd.DataFrame:
    """Accuracy on returns and on price levels; see :func:`~.paper_claims.claim_scores`.

    Args:
        forecasts: What :func:`forecast_claims` returns.
        market: Prices to the end of the sample, with its regimes.
        folds: Who was trained when.
        horizon: Bars of the return that was forecast.
        execution_lag: Bars between decision and the price that the return starts from.
    """
    dates = decision_dates(folds)
    rows = market.dates.get_indexer(dates)
    means: dict[str, list[np.ndarray]] = {}
    for (name, _), table in forecasts.groupby(["forecaster", "seed"], sort=False):
        filled = table.assign(volatility=np.nan, seed_spread=np.nan)
        means.setdefault(str(name), []).append(forecast_arrays(filled, market, dates)["mean"])
    return claim_scores(
        means,
        market.target(horizon, execution_lag)[rows],
        _starting_prices(market, rows, execution_lag),
        assets=market.assets,
        regimes=regime_names_at(market, rows),
    )


def _starting_prices(market: Market, rows: np.ndarray, execution_lag: int) -> np.ndarray:
    """Close that each forecast return starts from, (D, N); blank beyond the last bar."""
    start = rows + execution_lag
    prices: np.ndarray = np.full((len(rows), len(market.assets)), np.nan)
    inside = start < len(market.dates)
    prices[inside] = market.close[start[inside]]
    return prices


def regime_names_at(market: Market, rows: np.ndarray) -> np.ndarray:
    """The likeliest regime at each row by its online label, (D,); ``unlabelled`` without one."""
    names = np.full(len(rows), UNLABELLED, dtype=object)
    if market.regimes is not None:
        probabilities = market.regimes[rows]
        known = np.isfinite(probabilities).all(axis=1)
        likeliest = probabilities[known].argmax(axis=1)
        names[known] = np.asarray(market.regime_names, dtype=object)[likeliest]
    return names


def training_costs(
    training: pd.DataFrame,
    searches: Mapping[str, Mapping[str, Any]],
    hours: Mapping[str, float | None],
) -> dict[str, dict[str, Any]]:
    """What a fit and the search before it took, per forecaster.

    Args:
        training: What :func:`forecast_claims` returns.
        searches: Forecaster to the facts of its search, with ``gradient_samples``.
        hours: Forecaster to the wall time of its search, None where unknown.

    Returns:
        Forecaster to ``epochs`` (mean of a fit), ``samples_per_fit``, ``samples_per_epoch``,
        ``search_samples`` and ``search_hours``.
    """
    costs = {}
    for name, rows in training.groupby("forecaster", sort=False):
        samples, epochs = float(rows["gradient_samples"].sum()), float(rows["epochs"].sum())
        costs[str(name)] = {
            "epochs": epochs / len(rows),
            "samples_per_fit": max(samples / len(rows), 1.0),
            # A budget that is spent within the first epoch still makes one.
            "samples_per_epoch": max(samples / max(epochs, 1.0), 1.0),
            "search_samples": int(searches[str(name)]["gradient_samples"]),
            "search_hours": hours.get(str(name)),
        }
    return costs
