"""How close forecasts come to what happened, beside forecasts that know nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.statistics import finite_or_none

MIN_RANKED_ASSETS = 3
"""Assets that a date needs before their ranking says anything."""

NO_CHANGE = "no_change"
"""Name of the forecast that expects a zero log return everywhere."""


def forecast_accuracy(
    mean: np.ndarray, target: np.ndarray, training_mean: np.ndarray
) -> dict[str, float | int | None]:
    """Accuracy of one forecaster over decision dates x assets with a known target.

    Args:
        mean: Forecast log returns, (D, N), in decimals, blank where there is no forecast.
        target: What happened, (D, N), blank where it is not known (yet).
        training_mean: Mean target that was known when the forecaster of that date was fitted;
            anything that broadcasts to (D, N).

    Returns:
        ``mae`` and ``rmse``; ``r2`` = 1 - squared errors ÷ those of the training mean;
        ``r2_zero``, the same against zero; ``theil_u`` = RMSE ÷ RMSE of the no-change forecast;
        ``rank_ic``, the mean over dates of the Spearman correlation across assets (dates with at
        least three assets on which neither side is constant, ``n_rank_dates`` of them);
        ``spread_ratio``, the mean over dates of the forecasts' standard deviation across assets ÷
        that of the targets; ``n`` values compared; ``n_unforecast`` known targets without a
        forecast, which no figure includes. Undefined figures are None.

    Raises:
        DataError: The shapes differ, or a training mean is blank where a forecast is compared.

    Source: out-of-sample R² as in Campbell, J. Y. and Thompson, S. B. (2008). Predicting Excess
    Stock Returns Out of Sample. Review of Financial Studies 21(4). U as in Theil, H. (1966).
    Applied Economic Forecasting.
    """
    predicted, realised, reference = _aligned(mean, target, training_mean)
    compared = np.isfinite(predicted) & np.isfinite(realised)
    blank_reference = compared & ~np.isfinite(reference)
    if blank_reference.any():
        row, column = np.argwhere(blank_reference)[0]
        raise DataError(f"the training mean is blank at row {row}, asset {column}")
    n = int(compared.sum())
    error = predicted[compared] - realised[compared]
    squares = float(error @ error)
    rank_ic, n_rank_dates = _rank_ic(predicted, realised, compared)
    from_reference = realised[compared] - reference[compared]
    from_zero = float(realised[compared] @ realised[compared])
    explained = _one_minus(squares, float(from_reference @ from_reference))
    return {
        "mae": finite_or_none(np.abs(error).mean()) if n else None,
        "rmse": finite_or_none(np.sqrt(squares / n)) if n else None,
        "r2": explained,
        "r2_zero": _one_minus(squares, from_zero),
        "theil_u": finite_or_none(np.sqrt(squares / from_zero)) if from_zero > 0.0 else None,
        "rank_ic": rank_ic,
        "spread_ratio": _spread_ratio(predicted, realised, compared),
        "n": n,
        "n_rank_dates": n_rank_dates,
        "n_unforecast": int((np.isfinite(realised) & ~compared).sum()),
    }


def accuracy_table(
    means: Mapping[str, np.ndarray],
    target: np.ndarray,
    training_means: Mapping[str, np.ndarray],
    groups: np.ndarray | None = None,
) -> pd.DataFrame:
    """Accuracy of every forecaster and, as a yardstick, of expecting no change.

    Args:
        means: Forecaster to forecasts, each (D, N).
        target: What happened, (D, N).
        training_means: Forecaster to training means, each broadcasting to (D, N).
        groups: Label of each decision date, (D,), such as its year or regime; or None for one
            group of all dates.

    Returns:
        Tidy table: group ("all" without labels), forecaster, then the figures of
        :func:`forecast_accuracy`. The ``no_change`` rows cover every known target.
    """
    realised = np.asarray(target, dtype=float)
    labels = np.full(len(realised), "all", dtype=object) if groups is None else np.asarray(groups)
    if labels.shape != (len(realised),):
        raise DataError(f"there are {len(realised)} decision dates and {labels.shape} labels")
    rows = []
    for group in pd.unique(labels):
        here = labels == group
        for name, mean in means.items():
            reference = np.broadcast_to(training_means[name], realised.shape)
            figures = forecast_accuracy(mean[here], realised[here], reference[here])
            rows.append({"group": group, "forecaster": name, **figures})
        nothing = np.zeros_like(realised[here])
        figures = forecast_accuracy(nothing, realised[here], nothing)
        # Against itself the no-change forecast has no skill to report.
        rows.append({"group": group, "forecaster": NO_CHANGE, **figures, "r2": None})
    return pd.DataFrame(rows)


def _aligned(
    mean: np.ndarray, target: np.ndarray, training_mean: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    predicted, realised = np.asarray(mean, dtype=float), np.asarray(target, dtype=float)
    if predicted.ndim != 2 or predicted.shape != realised.shape:
        raise DataError(
            f"forecasts {predicted.shape} and targets {realised.shape} must both be decision "
            "dates x assets"
        )
    reference = np.broadcast_to(np.asarray(training_mean, dtype=float), realised.shape)
    return predicted, realised, reference


def _one_minus(squares: float, reference_squares: float) -> float | None:
    return 1.0 - squares / reference_squares if reference_squares > 0.0 else None


def _rank_ic(
    predicted: np.ndarray, realised: np.ndarray, compared: np.ndarray
) -> tuple[float | None, int]:
    correlations = []
    for row in range(len(predicted)):
        here = compared[row]
        if here.sum() < MIN_RANKED_ASSETS:
            continue
        forecast, outcome = rankdata(predicted[row, here]), rankdata(realised[row, here])
        if np.ptp(forecast) > 0.0 and np.ptp(outcome) > 0.0:
            correlations.append(np.corrcoef(forecast, outcome)[0, 1])
    return (float(np.mean(correlations)) if correlations else None), len(correlations)


def _spread_ratio(
    predicted: np.ndarray, realised: np.ndarray, compared: np.ndarray
) -> float | None:
    rows = np.flatnonzero(compared.sum(axis=1) >= 2)
    forecast = [float(np.std(predicted[row, compared[row]], ddof=1)) for row in rows]
    outcome = [float(np.std(realised[row, compared[row]], ddof=1)) for row in rows]
    if sum(outcome) <= 0.0:
        return None
    return sum(forecast) / sum(outcome)
