"""How good are probabilities of classes? Scores, confusion and reliability."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
)

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.names import name_in_sentence

BINS = 10
"""Bins of a reliability table."""

_SUM_TOLERANCE = 1e-6
_INSIDE_SENTENCES = {
    "persistence": "the last label moved ahead by its transitions",
    "hard_persistence": "the last label held to be certain",
    "filter": "the filter",
    "base_rate": "the base rate so far",
    "transitions": "the transition matrix",
}


def class_losses(
    forecasts: Mapping[str, pd.DataFrame], outcome: pd.Series
) -> dict[str, pd.DataFrame]:
    """Loss of every forecast on every date that all of them and the outcome have.

    Args:
        forecasts: Forecaster to its probabilities, decision date x class.
        outcome: Decision date to the name of the class that came true.

    Returns:
        Two tables, date x forecaster. ``log_loss``: -log of the probability of what came true, in
        nats; infinite where that was held to be impossible. ``brier``: half the sum over classes
        of the squared difference between the probability and what came true (1 or 0); from 0 to
        1, and with two classes the squared error of the probability of either.

    Raises:
        DataError: Forecasts have different classes, are no probabilities, share no date, or an
            outcome is none of their classes.

    Source: Brier, G. W. (1950). Verification of Forecasts Expressed in Terms of Probability.
    Monthly Weather Review 78(1).
    """
    tables, truth = aligned(forecasts, outcome)
    log_loss, brier = {}, {}
    for name, values in tables.items():
        with np.errstate(divide="ignore"):
            log_loss[name] = -np.log(values[np.arange(len(truth)), truth])
        brier[name] = 0.5 * ((values - np.eye(values.shape[1])[truth]) ** 2).sum(axis=1)
    dates = common_dates(forecasts, outcome)
    return {
        "log_loss": pd.DataFrame(log_loss, index=dates),
        "brier": pd.DataFrame(brier, index=dates),
    }


def common_dates(forecasts: Mapping[str, pd.DataFrame], outcome: pd.Series) -> pd.DatetimeIndex:
    """Dates on which every forecast and the outcome are known.

    Raises:
        DataError: There is none.
    """
    dates = pd.DatetimeIndex(outcome.dropna().index)
    for table in forecasts.values():
        dates = dates.intersection(pd.DatetimeIndex(table.dropna().index))
    if not forecasts or not len(dates):
        raise DataError(
            "there is no date with a known outcome and every forecast",
            remedy="hand over forecasts and outcomes of the same decision dates.",
        )
    return dates.sort_values()


def classification_table(
    forecasts: Mapping[str, pd.DataFrame], outcome: pd.Series, *, bins: int = BINS
) -> pd.DataFrame:
    """Scores of every forecaster on the dates that all of them have.

    Args:
        forecasts: Forecaster to its probabilities, decision date x class.
        outcome: Decision date to the class that came true.
        bins: Of the calibration error.

    Returns:
        One row per forecaster: forecaster; n dates; accuracy of the likeliest class (the first of
        equals); balanced_accuracy, its mean over the classes that came true; log_loss and brier,
        means of :func:`class_losses` (a log loss is infinite where what came true was held to be
        impossible); calibration_error, the mean over classes of the expected calibration error on
        :func:`reliability_table`.

    Raises:
        ParameterError: ``bins`` is below 1.
        DataError: See :func:`class_losses`.

    Source: classwise calibration error as in Kull, M. et al. (2019). Beyond Temperature Scaling.
    NeurIPS, here on bins of equal count.
    """
    tables, truth = aligned(forecasts, outcome)
    losses = {name: table.mean() for name, table in class_losses(forecasts, outcome).items()}
    reliability = reliability_table(forecasts, outcome, bins=bins)
    rows = []
    for name, values in tables.items():
        said = values.argmax(axis=1)
        of_name = reliability[reliability["forecaster"] == name]
        gaps = (of_name["predicted"] - of_name["realised"]).abs() * of_name["count"]
        rows.append(
            {
                "forecaster": name,
                "n": len(truth),
                "accuracy": float(accuracy_score(truth, said)),
                "balanced_accuracy": float(
                    np.mean([(said[truth == each] == each).mean() for each in np.unique(truth)])
                ),
                "log_loss": float(losses["log_loss"][name]),
                "brier": float(losses["brier"][name]),
                "calibration_error": float(gaps.sum() / of_name["count"].sum()),
            }
        )
    return pd.DataFrame(rows)


def confusion_table(forecasts: Mapping[str, pd.DataFrame], outcome: pd.Series) -> pd.DataFrame:
    """How often each class was held likeliest when each class came true.

    Returns:
        Tidy table: forecaster, truth, said, count (dates), share (of the dates of that truth;
        blank where there are none).

    Raises:
        DataError: See :func:`class_losses`.
    """
    tables, truth = aligned(forecasts, outcome)
    names = classes_of(forecasts)
    rows = []
    for name, values in tables.items():
        counts = confusion_matrix(truth, values.argmax(axis=1), labels=range(len(names)))
        rows += [
            {
                "forecaster": name,
                "truth": names[true],
                "said": names[said],
                "count": int(counts[true, said]),
                "share": counts[true, said] / total if (total := counts[true].sum()) else np.nan,
            }
            for true in range(len(names))
            for said in range(len(names))
        ]
    return pd.DataFrame(rows)


def reliability_table(
    forecasts: Mapping[str, pd.DataFrame], outcome: pd.Series, *, bins: int = BINS
) -> pd.DataFrame:
    """How often a class came true after probabilities of each size.

    The dates are put into bins of equal count by the probability of the class; dates with equal
    probabilities stay together, so that some bins may be fuller and others missing.

    Returns:
        Tidy table: forecaster, class, bin, predicted (mean probability), realised (share of dates
        on which the class came true), count (dates).

    Raises:
        ParameterError: ``bins`` is below 1.
        DataError: See :func:`class_losses`.
    """
    if bins < 1:
        raise ParameterError(f"bins must be at least 1 and is {bins}.")
    tables, truth = aligned(forecasts, outcome)
    pieces = []
    for name, values in tables.items():
        for number, each in enumerate(classes_of(forecasts)):
            place = (rankdata(values[:, number]) - 0.5) / len(truth)
            pairs = pd.DataFrame(
                {
                    "bin": np.minimum((place * bins).astype(int), bins - 1),
                    "predicted": values[:, number],
                    "realised": (truth == number).astype(float),
                }
            )
            grouped = pairs.groupby("bin")
            table = grouped.mean().assign(count=grouped.size()).reset_index()
            table.insert(0, "class", each)
            table.insert(0, "forecaster", name)
            pieces.append(table)
    return pd.concat(pieces, ignore_index=True)


def classes_of(forecasts: Mapping[str, pd.DataFrame]) -> list[str]:
    """Names of the classes, which must be those of every forecast.

    Raises:
        DataError: They differ.
    """
    names = {name: [str(each) for each in table.columns] for name, table in forecasts.items()}
    first = next(iter(names.values()))
    for name, classes in names.items():
        if classes != first:
            raise DataError(
                f"{name} forecasts {', '.join(classes)} and others {', '.join(first)}",
                remedy="compare forecasts of the same classes in the same order.",
            )
    return first


def aligned(
    forecasts: Mapping[str, pd.DataFrame], outcome: pd.Series
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Probabilities (D, K) on the common dates, and the number of what came true, (D,) int.

    Raises:
        DataError: See :func:`class_losses`.
    """
    dates = common_dates(forecasts, outcome)
    names = classes_of(forecasts)
    truth = np.array([names.index(each) if each in names else -1 for each in outcome[dates]])
    if (truth < 0).any():
        raise DataError(
            f"'{outcome[dates].iloc[int(np.argmax(truth < 0))]}' came true, which is none of the "
            f"classes that were forecast: {', '.join(names)}"
        )
    tables = {name: table.loc[dates].to_numpy(float) for name, table in forecasts.items()}
    for name, values in tables.items():
        wrong = ~(np.abs(values.sum(axis=1) - 1.0) < _SUM_TOLERANCE) | (values < 0.0).any(axis=1)
        if wrong.any():
            raise DataError(
                f"{name} gives probabilities that are negative or do not sum to 1",
                date=dates[int(np.argmax(wrong))],
            )
    return tables, truth


def in_sentence(name: str) -> str:
    """Name of a forecaster of classes, as it stands inside a sentence."""
    return _INSIDE_SENTENCES.get(name, name_in_sentence(name))
