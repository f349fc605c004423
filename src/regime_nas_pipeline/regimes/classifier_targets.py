"""What the regime classifier is asked about the bars after a window."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market

Target = Literal["label", "switch"]
"""``label``: which regime is said ``lead`` bars later. ``switch``: whether another regime than at
the bar itself is said on any of the ``lead`` bars after it."""

SWITCH_CLASSES = ("stay", "switch")
"""Classes of the target ``switch``, in the order of their numbers."""


def said_regimes(probabilities: np.ndarray) -> np.ndarray:
    """Number of the likeliest regime of each bar, (T,) float, the first of equals; blank if none.

    Args:
        probabilities: Regime probabilities, (T, K), blank where there is no label.
    """
    known = np.isfinite(probabilities).all(axis=1)
    said: np.ndarray = np.full(len(probabilities), np.nan)
    said[known] = probabilities[known].argmax(axis=1)
    return said


def check_target(target: str, lead: int) -> None:
    """Refuse a question that cannot be asked.

    Raises:
        ParameterError: There is no such target, or it cannot look ``lead`` bars ahead.
    """
    if target not in get_args(Target):
        raise ParameterError(f"target '{target}' is none of {', '.join(get_args(Target))}.")
    least = 0 if target == "label" else 1
    if lead < least:
        raise ParameterError(f"target '{target}' needs lead >= {least} and it is {lead}.")


def outcomes(said: np.ndarray, target: Target, lead: int) -> np.ndarray:
    """Number of the class that came true after each bar, (T,) float; blank where not known yet.

    Args:
        said: Regime of each bar, (T,), blank where there is none; see :func:`said_regimes`.
        target: What is asked.
        lead: How many bars ahead.

    Raises:
        ParameterError: See :func:`check_target`.
    """
    check_target(target, lead)
    result: np.ndarray = np.full(len(said), np.nan)
    n_known = max(len(said) - lead, 0)
    if target == "label":
        result[:n_known] = said[lead:]
        return result
    now = said[:n_known]
    later = np.stack([said[step : step + n_known] for step in range(1, lead + 1)])
    known = np.isfinite(now) & np.isfinite(later).all(axis=0)
    changed = (later != now).any(axis=0)
    result[:n_known] = np.where(known, changed, np.nan)
    return result


def class_names(target: Target, regime_names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the classes of a target, in the order of their numbers."""
    return regime_names if target == "label" else SWITCH_CLASSES


def labelled_regimes(market: Market) -> np.ndarray:
    """Regime of each bar as the market's labels said it at the time; see :func:`said_regimes`.

    Raises:
        DataError: The market has no labels.
    """
    if market.regimes is None or not np.isfinite(market.regimes).any():
        raise DataError(
            "the regime classifier needs a labelled market and there are no labels",
            source="regimes",
            remedy="hand over labels that a labeller gave online, and a longer burn-in than its.",
        )
    return said_regimes(market.regimes)


def check_classes(answers: np.ndarray, classes: tuple[str, ...], date: pd.Timestamp) -> None:
    """Refuse training windows from which nothing can be learned.

    Args:
        answers: Number of the class that came true, of each training window.
        classes: Names of the classes.
        date: Where training ends.

    Raises:
        DataError: The same class came true in all of them.
    """
    found = np.unique(answers)
    if len(found) < 2:
        raise DataError(
            f"'{classes[int(found[0])]}' is all that came true in the {len(answers)} training "
            "windows, and nothing can be learned from one class",
            source="regimes",
            date=date,
            remedy="lengthen the burn-in, start the data earlier, or label with fewer regimes.",
        )
