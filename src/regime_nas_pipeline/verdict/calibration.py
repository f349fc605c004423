"""Do forecasts claim as much as they know? Spread, reliability and coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from regime_nas_pipeline.core.clustered import (
    ClusteredEstimate,
    clustered_mean,
    clustered_slope,
)
from regime_nas_pipeline.core.errors import DataError, ParameterError


@dataclass(frozen=True)
class Reliability:
    """What happened, on average, after forecasts of similar size.

    Attributes:
        table: One row per bin, lowest forecasts first: predicted (mean), realised (mean), count,
            low and high (interval of the mean realised, clustered by date; blank with fewer than
            two dates).
        slope: Of the least-squares line of targets on forecasts: 1 is calibrated, below 1 claims
            too much, 0 knows nothing. None where all forecasts are equal.
        intercept: Of the same line.
        slope_error: Standard error of the slope, clustered by date; None where there is no slope
            or there are fewer than two dates.
    """

    table: pd.DataFrame
    slope: float | None
    intercept: float | None
    slope_error: float | None = None


def spread_calibration(
    forecasts: Mapping[str, tuple[np.ndarray, np.ndarray, pd.DatetimeIndex]],
) -> pd.DataFrame:
    """Spread across assets of what was forecast and of what happened, date by date.

    Args:
        forecasts: Forecaster to (mean, target, dates): arrays (D, N) in decimals, D dates.

    Returns:
        Tidy table: date, forecaster, predicted_spread, realised_spread: standard deviations
        (ddof 1) over the assets with both a forecast and a known target. Dates with fewer than
        two such assets have no spread and are left out.

    Raises:
        DataError: Shapes and dates do not fit together.
    """
    rows = []
    for name, (mean, target, dates) in forecasts.items():
        predicted, realised, compared = _compared(mean, target)
        if len(dates) != len(predicted):
            raise DataError(f"{name}: {len(predicted)} rows of forecasts and {len(dates)} dates")
        for row in np.flatnonzero(compared.sum(axis=1) >= 2).tolist():
            here = compared[row]
            rows.append(
                {
                    "date": dates[row],
                    "forecaster": name,
                    "predicted_spread": float(np.std(predicted[row, here], ddof=1)),
                    "realised_spread": float(np.std(realised[row, here], ddof=1)),
                }
            )
    columns = ["date", "forecaster", "predicted_spread", "realised_spread"]
    return pd.DataFrame(rows, columns=columns)


def reliability(
    mean: np.ndarray,
    target: np.ndarray,
    bins: int = 10,
    *,
    confidence: float = 0.95,
    lags: int = 0,
) -> Reliability:
    """Sort forecasts into bins of equal size and compare each with what happened.

    Args:
        mean: Forecasts, (D, N), in decimals, blank where there is none.
        target: What happened, (D, N), blank where not known.
        bins: Bins wanted; fewer where equal forecasts cannot be told apart.
        confidence: Chance that the interval of a bin holds the true mean of what happens there.
        lags: Decisions before one whose targets overlap with its own, for the errors.

    Raises:
        DataError: The shapes differ or nothing can be compared.
        ParameterError: Fewer than one bin is asked for, or the confidence is not between 0 and 1.

    Source: Mincer, J. and Zarnowitz, V. (1969). The Evaluation of Economic Forecasts.
    """
    if bins < 1:
        raise ParameterError(f"bins must be at least 1 and is {bins}.")
    predicted, realised, compared = _compared(mean, target)
    if not compared.any():
        raise DataError("there is no forecast with a known target")
    pairs = pd.DataFrame({"predicted": predicted[compared], "realised": realised[compared]})
    varied = float(np.ptp(pairs["predicted"].to_numpy())) > 0.0
    labels: pd.Series | np.ndarray = np.zeros(len(pairs), dtype=int)
    if varied:
        labels = pd.qcut(pairs["predicted"], bins, labels=False, duplicates="drop")
    binned = pairs.groupby(labels)
    dates = _dates(compared)
    table = binned.mean().assign(count=binned.size())
    table[["low", "high"]] = [
        _interval_of_mean(
            rows["realised"].to_numpy(), dates[rows.index], confidence=confidence, lags=lags
        )
        for _, rows in binned
    ]
    table = table.reset_index(drop=True)
    if not varied:
        return Reliability(table, None, None)
    slope, intercept = np.polyfit(pairs["predicted"], pairs["realised"], 1)
    line = clustered_slope(
        predicted[compared], realised[compared], dates, intercept=True, lags=lags
    )
    return Reliability(table, float(slope), float(intercept), line.error)


def cross_sectional_slope(
    mean: np.ndarray, target: np.ndarray, *, lags: int = 0
) -> ClusteredEstimate | None:
    """Slope of outcomes on forecasts, both as deviations from their mean over the date's assets.

    1 is calibrated: an asset that was forecast one percent above the others does earn one percent
    more. Above 1 the forecasts are under-confident across assets, below 1 they claim too much.
    What a forecaster says about the market as a whole does not count here. The spread of
    calibrated forecasts is smaller than that of outcomes, by the correlation of the two: a small
    ratio of spreads by itself is no fault.

    Args:
        mean: Forecasts, (D, N), in decimals, blank where there is none.
        target: What happened, (D, N), blank where not known.
        lags: Decisions before one whose targets overlap with its own.

    Returns:
        Slope through the origin and its error, clustered by date; None where no date has two
        assets or no forecast differs from another of its date.

    Raises:
        DataError: The shapes differ.

    Source: Mincer and Zarnowitz (1969), within dates.
    """
    predicted, realised, compared = _compared(mean, target)
    compared &= (compared.sum(axis=1) >= 2)[:, None]
    forecast, outcome = _deviations(predicted, compared), _deviations(realised, compared)
    # The mean of equal numbers can differ from them by rounding, so equality is what is asked.
    low = np.where(compared, predicted, np.inf).min(axis=1, initial=np.inf)
    high = np.where(compared, predicted, -np.inf).max(axis=1, initial=-np.inf)
    if not (low < high).any():
        return None
    return clustered_slope(forecast, outcome, _dates(compared), intercept=False, lags=lags)


def _deviations(values: np.ndarray, compared: np.ndarray) -> np.ndarray:
    """Deviations of the compared values from their mean over the row, flat."""
    kept = np.where(compared, values, 0.0)
    centre = kept.sum(axis=1) / np.maximum(compared.sum(axis=1), 1)
    deviations: np.ndarray = (values - centre[:, None])[compared]
    return deviations


def _dates(compared: np.ndarray) -> np.ndarray:
    """Number of the date of every compared value, flat."""
    return np.nonzero(compared)[0]


def volatility_coverage(
    mean: np.ndarray,
    volatility: np.ndarray,
    target: np.ndarray,
    levels: Sequence[float] = (0.5, 0.8, 0.95),
    *,
    confidence: float = 0.95,
    lags: int = 0,
) -> pd.DataFrame:
    """Share of targets within the central normal interval that a forecast implies.

    Args:
        mean: Forecast log returns, (D, N).
        volatility: Forecast standard deviations, (D, N), same unit.
        target: What happened, (D, N), blank where not known.
        levels: Probabilities that the intervals claim.
        confidence: Chance that an interval of the coverage itself holds the true one.
        lags: Decisions before one whose targets overlap with its own.

    Returns:
        Tidy table: level, coverage (share with |target - mean| <= z x volatility), n, low and high
        (interval of the coverage, its error clustered by date and cut at 0 and 1; blank with
        fewer than two dates).

    Raises:
        DataError: The shapes differ, nothing can be compared, or a volatility is not positive.
        ParameterError: A level is not between 0 and 1.

    Source: Christoffersen, P. F. (1998). Evaluating Interval Forecasts. International Economic
    Review 39(4).
    """
    wrong = [level for level in levels if not 0.0 < level < 1.0]
    if wrong:
        raise ParameterError(f"levels must lie between 0 and 1: {wrong[0]}.")
    predicted, realised, compared = _compared(mean, target)
    deviation = np.asarray(volatility, dtype=float)
    if deviation.shape != predicted.shape:
        raise DataError(f"volatility {deviation.shape} and forecasts {predicted.shape} differ")
    compared &= np.isfinite(deviation)
    if not compared.any():
        raise DataError("there is no volatility forecast with a known target")
    if (deviation[compared] <= 0.0).any():
        raise DataError("forecast volatility must be positive", column="volatility")
    score = np.abs(realised[compared] - predicted[compared]) / deviation[compared]
    rows = []
    for level in levels:
        inside = score <= norm.ppf(0.5 + level / 2.0)
        low, high = _interval_of_mean(
            inside.astype(float), _dates(compared), confidence=confidence, lags=lags
        )
        rows.append(
            {
                "level": float(level),
                "coverage": float(inside.mean()),
                "n": int(compared.sum()),
                "low": float(np.maximum(low, 0.0)),
                "high": float(np.minimum(high, 1.0)),
            }
        )
    return pd.DataFrame(rows)


def _interval_of_mean(
    values: np.ndarray, dates: np.ndarray, *, confidence: float, lags: int
) -> tuple[float, float]:
    """Interval of a mean that lets values of one date move together, blank where none is known."""
    # Dates without a value are passed over, which can only bring dates nearer to each other: all
    # whose targets overlap are still within the lags.
    return clustered_mean(values, dates, lags=lags).interval(confidence) or (np.nan, np.nan)


def _compared(mean: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    predicted, realised = np.asarray(mean, dtype=float), np.asarray(target, dtype=float)
    if predicted.ndim != 2 or predicted.shape != realised.shape:
        raise DataError(
            f"forecasts {predicted.shape} and targets {realised.shape} must both be decision "
            "dates x assets"
        )
    known: np.ndarray = np.isfinite(predicted) & np.isfinite(realised)
    return predicted, realised, known
