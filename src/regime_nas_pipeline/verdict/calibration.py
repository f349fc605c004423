"""Do forecasts claim as much as they know? Spread, reliability and coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from regime_nas_pipeline.core.errors import DataError, ParameterError


@dataclass(frozen=True)
class Reliability:
    """What happened, on average, after forecasts of similar size.

    Attributes:
        table: One row per bin, lowest forecasts first: predicted (mean), realised (mean), count.
        slope: Of the least-squares line of targets on forecasts: 1 is calibrated, below 1 claims
            too much, 0 knows nothing. None where all forecasts are equal.
        intercept: Of the same line.
    """

    table: pd.DataFrame
    slope: float | None
    intercept: float | None


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


def reliability(mean: np.ndarray, target: np.ndarray, bins: int = 10) -> Reliability:
    """Sort forecasts into bins of equal size and compare each with what happened.

    Args:
        mean: Forecasts, (D, N), in decimals, blank where there is none.
        target: What happened, (D, N), blank where not known.
        bins: Bins wanted; fewer where equal forecasts cannot be told apart.

    Raises:
        DataError: The shapes differ or nothing can be compared.
        ParameterError: Fewer than one bin is asked for.

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
    table = binned.mean().assign(count=binned.size()).reset_index(drop=True)
    if not varied:
        return Reliability(table, None, None)
    slope, intercept = np.polyfit(pairs["predicted"], pairs["realised"], 1)
    return Reliability(table, float(slope), float(intercept))


def volatility_coverage(
    mean: np.ndarray,
    volatility: np.ndarray,
    target: np.ndarray,
    levels: Sequence[float] = (0.5, 0.8, 0.95),
) -> pd.DataFrame:
    """Share of targets within the central normal interval that a forecast implies.

    Args:
        mean: Forecast log returns, (D, N).
        volatility: Forecast standard deviations, (D, N), same unit.
        target: What happened, (D, N), blank where not known.
        levels: Probabilities that the intervals claim.

    Returns:
        Tidy table: level, coverage (share with |target - mean| <= z x volatility), n.

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
    rows = [
        {
            "level": float(level),
            "coverage": float((score <= norm.ppf(0.5 + level / 2.0)).mean()),
            "n": int(compared.sum()),
        }
        for level in levels
    ]
    return pd.DataFrame(rows)


def _compared(mean: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    predicted, realised = np.asarray(mean, dtype=float), np.asarray(target, dtype=float)
    if predicted.ndim != 2 or predicted.shape != realised.shape:
        raise DataError(
            f"forecasts {predicted.shape} and targets {realised.shape} must both be decision "
            "dates x assets"
        )
    known: np.ndarray = np.isfinite(predicted) & np.isfinite(realised)
    return predicted, realised, known
