"""Are the forecasts of one forecaster more accurate than those of another by more than chance?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.comparison.dependence import is_constant

BARTLETT_NOTE = "the rectangular kernel gave no positive variance; Bartlett's was used"
EQUAL_NOTE = "the losses differ by the same amount on every date: nothing to test"


@dataclass(frozen=True)
class AccuracyTest:
    """Test of equal expected loss of two forecasters on the same dates.

    Attributes:
        difference: Mean loss of the other minus that of the subject: positive if the subject is
            more accurate.
        standard_error: Of the difference, with the small-sample correction; NaN where the
            differences never vary.
        statistic: Difference ÷ standard error; NaN where the differences never vary.
        p_two_sided: Two-sided, Student's t; 1 where ``statistic`` is NaN.
        p_beats: One-sided, small if the subject is more accurate; 1 where ``statistic`` is NaN.
        lags: Lags at which targets overlap.
        n: Dates compared.
        note: What had to be done differently, or empty.
    """

    difference: float
    standard_error: float
    statistic: float
    p_two_sided: float
    p_beats: float
    lags: int
    n: int
    note: str


def diebold_mariano(
    subject_loss: pd.DataFrame | np.ndarray,
    other_loss: pd.DataFrame | np.ndarray,
    *,
    horizon: int,
    every: int,
) -> AccuracyTest:
    """Test that two forecasters have the same expected loss.

    All assets of one date become one number, the mean difference of losses over those with both
    losses known, since errors of one date are correlated across assets. Its variance over
    dates adds the autocovariances at the ceil(horizon / every) - 1 lags at which targets
    overlap, with equal weights; where that is not positive, Bartlett's weights on the
    same lags are used and the note says so. The statistic is corrected for small samples and held
    against Student's t with n - 1 degrees of freedom. Assumed is that the mean and spread of the
    differences do not change over time.

    Args:
        subject_loss: Loss such as the squared error, (D,) or dates x assets (D, N), blank where
            unknown.
        other_loss: The same of the forecaster to compare with.
        horizon: Bars of the return that is forecast.
        every: Bars from one forecast to the next.

    Raises:
        ParameterError: ``horizon`` or ``every`` is below 1.
        DataError: The losses are not on the same dates and assets, a date between two compared
            ones cannot be compared, or there are too few dates for the lags.

    Source: Diebold, F. X. and Mariano, R. S. (1995). Comparing Predictive Accuracy. Journal of
    Business and Economic Statistics 13(3); Harvey, D., Leybourne, S. and Newbold, P. (1997).
    Testing the Equality of Prediction Mean Squared Errors. International Journal of Forecasting
    13(2).
    """
    if horizon < 1 or every < 1:
        raise ParameterError(f"horizon and every must be at least 1; they are {horizon}, {every}.")
    differences = loss_differences(subject_loss, other_loss)
    n, lags = len(differences), math.ceil(horizon / every) - 1
    if n < max(3, 2 * (lags + 1)):
        raise DataError(
            f"{n} dates are too few to compare forecasts whose targets overlap at {lags} lags",
            remedy=f"compare on at least {max(3, 2 * (lags + 1))} dates.",
        )
    mean = float(differences.mean())
    if is_constant(differences, float(np.abs(differences).max())):
        return AccuracyTest(mean, math.nan, math.nan, 1.0, 1.0, lags, n, EQUAL_NOTE)
    covariances = _autocovariances(differences - mean, lags)
    weights = np.r_[1.0, np.full(lags, 2.0)]
    variance, note = float(weights @ covariances), ""
    if variance <= 0.0:
        weights[1:] *= 1.0 - np.arange(1, lags + 1) / (lags + 1)
        variance, note = float(weights @ covariances), BARTLETT_NOTE
    steps = lags + 1
    small_sample = math.sqrt((n + 1 - 2 * steps + steps * (steps - 1) / n) / n)
    error = math.sqrt(variance / n)
    statistic = small_sample * mean / error
    return AccuracyTest(
        difference=mean,
        standard_error=error / small_sample,
        statistic=statistic,
        p_two_sided=float(2.0 * student.sf(abs(statistic), n - 1)),
        p_beats=float(student.sf(statistic, n - 1)),
        lags=lags,
        n=n,
        note=note,
    )


def loss_differences(
    subject_loss: pd.DataFrame | np.ndarray, other_loss: pd.DataFrame | np.ndarray
) -> np.ndarray:
    """Other minus subject, averaged over the assets of each date, from first to last known date.

    Args:
        subject_loss: (D,) or dates x assets (D, N), blank where unknown.
        other_loss: The same of the forecaster to compare with.

    Returns:
        (n,), one value per date, without the blank dates before the first and after the last.

    Raises:
        DataError: The losses are not on the same dates and assets, no date can be compared, or
            one in between cannot.
    """
    subject, other = np.asarray(subject_loss, dtype=float), np.asarray(other_loss, dtype=float)
    same = subject.shape == other.shape and subject.ndim in {1, 2}
    if isinstance(subject_loss, pd.DataFrame) and isinstance(other_loss, pd.DataFrame):
        same &= subject_loss.index.equals(other_loss.index)
        same &= subject_loss.columns.equals(other_loss.columns)
    if not same:
        raise DataError(
            f"the losses to compare, {subject.shape} and {other.shape}, are not on the same dates "
            "and assets"
        )
    gap = (other - subject).reshape(len(subject), -1)
    known = np.isfinite(gap)
    counts = known.sum(axis=1)
    rows = np.flatnonzero(counts)
    if rows.size == 0:
        raise DataError("no date has a known loss of both forecasters")
    inside = slice(int(rows[0]), int(rows[-1]) + 1)
    if (counts[inside] == 0).any():
        row = int(rows[0]) + int(np.argmin(counts[inside]))
        raise DataError(
            "no asset has a known loss of both forecasters, between dates that have",
            date=str(subject_loss.index[row]) if isinstance(subject_loss, pd.DataFrame) else None,
            remedy="hand over forecasts at regular distances.",
        )
    return np.asarray(np.where(known, gap, 0.0)[inside].sum(axis=1) / counts[inside])


def _autocovariances(centred: np.ndarray, lags: int) -> np.ndarray:
    n = len(centred)
    return np.array([centred[lag:] @ centred[: n - lag] / n for lag in range(lags + 1)])
