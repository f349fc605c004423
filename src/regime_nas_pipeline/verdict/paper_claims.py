"""The paper's figures as data, and the arithmetic that puts ours beside them.

On price levels a forecast is the last price times exp(forecast log return), and the no-change
forecast is the last price itself. Prices wander far, so almost any forecast that starts from the
last price explains almost all of their variance: R² on levels says little unless it stands beside
that of no change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.verdict.accuracy import NO_CHANGE

PAPER = "Devadiga and Shailesh (2025), arXiv 2508.11338"


@dataclass(frozen=True)
class PublishedFigure:
    """One figure of the paper.

    Attributes:
        key: Its name here.
        value: The figure.
        statement: What the paper says, in words.
        source: Where it says so.
    """

    key: str
    value: float
    statement: str
    source: str = PAPER


PUBLISHED = {
    figure.key: figure
    for figure in (
        PublishedFigure("mae_ratio", 0.197, "MAE 80.3 % below that of the best recurrent baseline"),
        PublishedFigure("r2", 0.993, "R² above 0.993"),
        PublishedFigure("epochs", 9.0, "converged within 9 epochs"),
        PublishedFigure("epochs_baseline", 50.0, "the baselines took more than 50 epochs"),
        PublishedFigure("search_gpu_hours", 3.0, "the search took 3 GPU-hours"),
    )
}
"""Key to figure, as published."""

POOLED = "pooled"
MEASURES = ("mae_returns", "r2_returns", "r2_zero_returns", "mae_levels", "r2_levels", "n")
"""Measures of :func:`level_and_return_accuracy`."""


def level_forecasts(last_price: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Forecast prices: last price times exp(forecast log return), any common shape."""
    forecast: np.ndarray = np.asarray(last_price, float) * np.exp(np.asarray(mean, float))
    return forecast


def r2_of(forecast: np.ndarray, realised: np.ndarray) -> float | None:
    """1 - sum of squared errors ÷ squared deviations of what happened from its own mean.

    The definition behind figures such as 0.993. The mean is that of the scored sample, which no
    forecaster knew. None where nothing varied or nothing can be compared.
    """
    known = np.isfinite(forecast) & np.isfinite(realised)
    outcome = realised[known]
    if outcome.size < 2 or np.ptp(outcome) == 0.0:
        return None
    error = forecast[known] - outcome
    return float(1.0 - (error @ error) / ((outcome - outcome.mean()) ** 2).sum())


def mae_of(forecast: np.ndarray, realised: np.ndarray) -> float | None:
    """Mean absolute error over what can be compared; None where nothing can."""
    known = np.isfinite(forecast) & np.isfinite(realised)
    return float(np.abs(forecast[known] - realised[known]).mean()) if known.any() else None


def level_and_return_accuracy(
    mean: np.ndarray, target: np.ndarray, last_price: np.ndarray
) -> dict[str, float | int | None]:
    """Accuracy on log returns and on price levels, over what can be compared.

    Args:
        mean: Forecast log returns, any shape, blank where there is none.
        target: What happened, same shape, blank where it is not known.
        last_price: Price that the return starts from, same shape.

    Returns:
        :data:`MEASURES`: ``mae_returns``; ``r2_returns`` against the mean of what happened and
        ``r2_zero_returns`` against zero; ``mae_levels`` in units of the prices; ``r2_levels``;
        ``n`` values compared. Undefined figures are None.

    Raises:
        DataError: The shapes differ.
    """
    predicted, realised = np.asarray(mean, float), np.asarray(target, float)
    price = np.asarray(last_price, float)
    if not predicted.shape == realised.shape == price.shape:
        raise DataError(
            f"forecasts {predicted.shape}, targets {realised.shape} and prices {price.shape} must "
            "have one shape"
        )
    known = np.isfinite(predicted) & np.isfinite(realised) & np.isfinite(price)
    predicted, realised, price = predicted[known], realised[known], price[known]
    squares = float(realised @ realised)
    error = predicted - realised
    levels, outcomes = level_forecasts(price, predicted), level_forecasts(price, realised)
    return {
        "mae_returns": mae_of(predicted, realised),
        "r2_returns": r2_of(predicted, realised),
        "r2_zero_returns": 1.0 - float(error @ error) / squares if squares > 0.0 else None,
        "mae_levels": mae_of(levels, outcomes),
        "r2_levels": r2_of(levels, outcomes),
        "n": int(known.sum()),
    }


def claim_scores(
    means: Mapping[str, Sequence[np.ndarray]],
    target: np.ndarray,
    last_price: np.ndarray,
    *,
    assets: Sequence[str],
    regimes: np.ndarray,
) -> pd.DataFrame:
    """Accuracy of every forecaster on every seed: pooled, per asset and per regime.

    All are scored on the same values, those that every forecaster has on every seed, and the
    no-change forecast stands beside them.

    Args:
        means: Forecaster to one array (D, N) of forecast log returns per seed.
        target: What happened, (D, N).
        last_price: Price that the return starts from, (D, N).
        assets: Names of the N assets.
        regimes: Name of the regime of each decision date, (D,).

    Returns:
        Tidy: scope (pooled, asset or regime), group, forecaster, seed (-1 for no change), then
        the measures of :func:`level_and_return_accuracy`.

    Raises:
        DataError: The shapes differ, or there is nothing that all of them forecast.
    """
    every = [mean for seeds in means.values() for mean in seeds]
    if any(mean.shape != target.shape for mean in every) or len(regimes) != len(target):
        raise DataError(f"forecasts and regimes must fit the targets' shape {target.shape}")
    common = np.isfinite(np.stack([*every, target, last_price])).all(axis=0)
    if not common.any():
        raise DataError("there is no date and asset that every forecaster has a forecast for")
    scored = {
        (name, seed): mean for name, seeds in means.items() for seed, mean in enumerate(seeds)
    }
    scored[NO_CHANGE, -1] = np.zeros(target.shape)
    rows = []
    for scope, group, here in _groups(common, assets, regimes):
        outcome = np.where(here, target, np.nan)
        for (name, seed), mean in scored.items():
            figures = level_and_return_accuracy(mean, outcome, last_price)
            rows.append(
                {"scope": scope, "group": group, "forecaster": name, "seed": seed, **figures}
            )
    table = pd.DataFrame(rows)
    return table.astype({name: float for name in MEASURES if name != "n"})


def _groups(
    common: np.ndarray, assets: Sequence[str], regimes: np.ndarray
) -> list[tuple[str, str, np.ndarray]]:
    """(scope, group, values that belong to it), groups without any left out."""
    columns, labels = np.arange(len(assets)), np.asarray(regimes, dtype=object)
    groups = [
        (POOLED, "all", common),
        *(("asset", str(asset), common & (columns == n)) for n, asset in enumerate(assets)),
        *(("regime", str(name), common & (labels == name)[:, None]) for name in pd.unique(labels)),
    ]
    return [group for group in groups if group[2].any()]


def ratios(scores: pd.DataFrame, measure: str, over: str, *, of: str) -> pd.DataFrame:
    """A measure of one forecaster over that of another, seed by seed, in every group.

    Args:
        scores: What :func:`claim_scores` returns.
        measure: Its column.
        over: Forecaster in the denominator; under the same seed, or the one no-change forecast.
        of: Forecaster in the numerator.

    Returns:
        scope, group, seed, ratio; in the order of ``scores``.
    """
    keys = ["scope", "group"] if NO_CHANGE in {over, of} else ["scope", "group", "seed"]
    above = scores.loc[scores["forecaster"] == of, ["scope", "group", "seed", measure]]
    below = scores.loc[scores["forecaster"] == over, ["scope", "group", "seed", measure]]
    below = below[[*keys, measure]].rename(columns={measure: "below"})
    both = above.merge(below, on=keys, how="left")
    return both.assign(ratio=both[measure] / both["below"])[["scope", "group", "seed", "ratio"]]


def figures_by_asset(scores: pd.DataFrame, *, subject: str, baseline: str) -> pd.DataFrame:
    """What the claims amount to on price levels, pooled and asset by asset, medians over seeds.

    Args:
        scores: What :func:`claim_scores` returns.
        subject: The forecaster that the claims are about.
        baseline: The recurrent baseline.

    Returns:
        Tidy: scope, group, figure, forecaster, value. Figures are ``over_no_change`` (MAE over
        that of no change), ``over_baseline`` (MAE of ``subject`` over the baseline's) and
        ``unexplained`` (1 - R²).
    """
    here = scores[scores["scope"] != "regime"]
    unexplained = here.assign(value=1.0 - here["r2_levels"], figure="unexplained")
    tables = [unexplained]
    for name in (subject, baseline):
        still = ratios(here, "mae_levels", NO_CHANGE, of=name)
        tables.append(still.assign(value=still["ratio"], figure="over_no_change", forecaster=name))
    other = ratios(here, "mae_levels", baseline, of=subject)
    tables.append(other.assign(value=other["ratio"], figure="over_baseline", forecaster=subject))
    keys = ["scope", "group", "figure", "forecaster"]
    return pd.concat(tables).groupby(keys, sort=False)["value"].median().reset_index()


def summarised(values: Sequence[float]) -> dict[str, Any]:
    """Median, smallest, largest and every value; None where there is none."""
    known = [float(value) for value in values if np.isfinite(value)]
    if not known:
        return {"median": None, "low": None, "high": None, "seeds": []}
    return {
        "median": float(np.median(known)),
        "low": min(known),
        "high": max(known),
        "seeds": known,
    }
