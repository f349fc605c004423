"""Forecasts of labels that need no network: the last label, the filter, and the base rate.

Every forecast is indexed by its decision date, the last bar that it knows. For ``lead`` 1 and
more the label of that bar is known. For ``lead`` 0 that label is what is asked, so the controls
go by the label of the bar before.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.regimes.classifier_targets import (
    SWITCH_CLASSES,
    Target,
    class_names,
    outcomes,
    said_regimes,
)


def realised(labels: pd.DataFrame, *, target: Target, lead: int) -> pd.Series:
    """Name of the class that came true after each decision date.

    Args:
        labels: Date x regime, probabilities as said at the time, without gaps.
        target: What was asked.
        lead: How many bars ahead.

    Returns:
        Decision date to class name, without the last ``lead`` dates, whose answer is not known.

    Raises:
        ParameterError: The target cannot look that far ahead.
        DataError: A label is blank.
    """
    numbers = outcomes(_said(labels), target, lead)
    known = np.isfinite(numbers)
    names = np.array(class_names(target, tuple(map(str, labels.columns))), dtype=object)
    return pd.Series(names[numbers[known].astype(int)], index=labels.index[known], name="outcome")


def known_transitions(labels: pd.DataFrame, *, smoothing: float = 1.0) -> np.ndarray:
    """Transition matrix of the labels said so far, one for each date, (T, K, K).

    Row i, column j of the matrix of a date: how often label i was followed by label j up to that
    date, plus ``smoothing``, as a share of its row (Laplace's rule of succession for 1).

    Raises:
        ParameterError: ``smoothing`` is not positive.
        DataError: A label is blank.
    """
    if not smoothing > 0.0:
        raise ParameterError(f"smoothing must be positive and is {smoothing}.")
    said = _said(labels).astype(int)
    n_regimes = labels.shape[1]
    moves = np.zeros((len(said), n_regimes, n_regimes))
    moves[np.arange(1, len(said)), said[:-1], said[1:]] = 1.0
    counts = moves.cumsum(axis=0) + smoothing
    return np.asarray(counts / counts.sum(axis=2, keepdims=True))


def persistence_forecast(
    labels: pd.DataFrame, *, lead: int = 1, smoothing: float = 1.0
) -> pd.DataFrame:
    """The last label known, moved ahead by the transition matrix known with it, date x regime."""
    said = _one_hot(labels)
    return filter_forecast(said, known_transitions(labels, smoothing=smoothing), lead=lead)


def hard_persistence(labels: pd.DataFrame, *, lead: int = 1) -> pd.DataFrame:
    """The last label known, held to be certain, date x regime."""
    return filter_forecast(_one_hot(labels), np.eye(labels.shape[1]), lead=lead)


def filter_forecast(
    label_probabilities: pd.DataFrame, transition: np.ndarray, *, lead: int = 1
) -> pd.DataFrame:
    """What filtered probabilities and a transition matrix say of the regime ``lead`` bars ahead.

    For a hidden Markov model p_t A^lead is its own forecast of the state. For labellers without
    memory A is that of :func:`known_transitions`.

    Args:
        label_probabilities: Date x regime, filtered, (T, K).
        transition: Probability of regime j one bar after regime i in row i, column j: one matrix
            (K, K), or the one that was known at each date (T, K, K).
        lead: Bars ahead. With 0 a date is forecast one bar ahead from the date before it, and the
            first one has no forecast.

    Returns:
        Decision date x regime, rows summing to 1.

    Raises:
        ParameterError: ``lead`` is negative, the shapes do not fit, or a row of a matrix is no
            distribution.
    """
    values = label_probabilities.to_numpy(dtype=float)
    n_dates, n_regimes = values.shape
    matrices = np.asarray(transition, dtype=float)
    if lead < 0 or matrices.shape not in {
        (n_regimes, n_regimes),
        (n_dates, n_regimes, n_regimes),
    }:
        raise ParameterError(
            f"probabilities {values.shape} cannot be moved {lead} bars ahead by transitions "
            f"{matrices.shape}."
        )
    if (matrices < 0.0).any() or not np.allclose(matrices.sum(axis=-1), 1.0, rtol=0, atol=1e-8):
        raise ParameterError("every row of a transition matrix must be a distribution.")
    steps = np.linalg.matrix_power(matrices, max(lead, 1))
    ahead = np.einsum("tk,tkj->tj", values, np.broadcast_to(steps, (n_dates, *steps.shape[-2:])))
    forecast = pd.DataFrame(
        ahead, index=label_probabilities.index, columns=label_probabilities.columns
    )
    return forecast if lead else forecast.shift(1).iloc[1:]


def transition_switch(labels: pd.DataFrame, *, within: int, smoothing: float = 1.0) -> pd.DataFrame:
    """A switch within bars, if labels are the Markov chain known so far, date x (stay, switch).

    The chain stays all that time with the ``within``-th power of its chance of staying one bar.
    """
    said = _said(labels).astype(int)
    stay = known_transitions(labels, smoothing=smoothing)[np.arange(len(said)), said, said]
    return _binary(1.0 - stay**within, labels)


def base_rate_switch(labels: pd.DataFrame, *, within: int) -> pd.DataFrame:
    """How often a switch came within as many bars so far, date x (stay, switch).

    Only windows that were over by a date count, and one of each kind is added to them.
    """
    answers = outcomes(_said(labels), "switch", within)
    over = np.full(len(answers), np.nan)
    over[within:] = answers[: len(answers) - within]
    known = np.isfinite(over)
    rate = (np.where(known, over, 0.0).cumsum() + 1.0) / (known.cumsum() + 2.0)
    return _binary(rate, labels)


def _binary(switch: np.ndarray, labels: pd.DataFrame) -> pd.DataFrame:
    both = np.column_stack([1.0 - switch, switch])
    return pd.DataFrame(both, index=labels.index, columns=list(SWITCH_CLASSES))


def _said(labels: pd.DataFrame) -> np.ndarray:
    """Number of the likeliest regime of every date, (T,) float, without blanks."""
    said = said_regimes(labels.to_numpy(dtype=float))
    if np.isnan(said).any():
        raise DataError(
            "a label is blank, and forecasts of labels need every one of them",
            source="regimes",
            date=pd.Timestamp(labels.index[int(np.argmax(np.isnan(said)))]),
            remedy="hand over labels from the end of the burn-in on.",
        )
    return said


def _one_hot(labels: pd.DataFrame) -> pd.DataFrame:
    certain = np.eye(labels.shape[1])[_said(labels).astype(int)]
    return pd.DataFrame(certain, index=labels.index, columns=labels.columns)
