"""Does a forecaster see an event coming? Precision, recall and skill against the base rate."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, precision_recall_curve

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.verdict.classification import aligned, classes_of, in_sentence


def event_table(
    forecasts: Mapping[str, pd.DataFrame], outcome: pd.Series, *, event: str, reference: str
) -> pd.DataFrame:
    """How well forecasters tell dates before an event, such as a switch, from the others.

    Args:
        forecasts: Forecaster to its probabilities, decision date x class.
        outcome: Decision date to the class that came true.
        event: The class that is looked for.
        reference: The forecaster that skill is measured against, such as the base rate.

    Returns:
        One row per forecaster: forecaster; n dates; base_rate, the share of them before an event,
        which is the average precision of a forecast that knows nothing; average_precision;
        brier; brier_skill, 1 - brier ÷ that of the reference (blank where that is 0).

    Raises:
        DataError: The event is no class, the reference no forecaster, or the event never came or
            always; see :func:`class_losses`, too.

    Source: Davis, J. and Goadrich, M. (2006). The Relationship between Precision-Recall and ROC
    Curves. ICML.
    """
    tables, happened, column = _event(forecasts, outcome, event)
    if reference not in tables:
        raise DataError("no such forecaster to measure skill against", column=reference)
    brier = {
        name: float(((values[:, column] - happened) ** 2).mean()) for name, values in tables.items()
    }
    return pd.DataFrame(
        [
            {
                "forecaster": name,
                "n": len(happened),
                "base_rate": float(happened.mean()),
                "average_precision": float(average_precision_score(happened, values[:, column])),
                "brier": brier[name],
                "brier_skill": 1.0 - brier[name] / brier[reference]
                if brier[reference] > 0.0
                else np.nan,
            }
            for name, values in tables.items()
        ]
    )


def precision_recall(
    forecasts: Mapping[str, pd.DataFrame], outcome: pd.Series, *, event: str
) -> pd.DataFrame:
    """Precision and recall of an event at every threshold of its probability.

    Returns:
        Tidy table in the order of rising recall: forecaster, threshold (the event is called where
        its probability reaches it; infinite where it never is), precision, recall.

    Raises:
        DataError: See :func:`event_table`.
    """
    tables, happened, column = _event(forecasts, outcome, event)
    pieces = []
    for name, values in tables.items():
        precision, recall, thresholds = precision_recall_curve(happened, values[:, column])
        curve = {"threshold": np.append(thresholds, np.inf), "precision": precision}
        pieces.append(pd.DataFrame({"forecaster": name, **curve, "recall": recall})[::-1])
    return pd.concat(pieces, ignore_index=True)


def _event(
    forecasts: Mapping[str, pd.DataFrame], outcome: pd.Series, event: str
) -> tuple[dict[str, np.ndarray], np.ndarray, int]:
    """Aligned probabilities, whether the event came (D,) bool, and its column."""
    tables, truth = aligned(forecasts, outcome)
    names = classes_of(forecasts)
    if event not in names:
        raise DataError(f"'{event}' is none of the classes: {', '.join(names)}")
    happened = truth == names.index(event)
    if happened.all() or not happened.any():
        raise DataError(
            f"'{event}' came true on {'every' if happened.all() else 'no'} date: precision and "
            "recall are undefined",
            remedy="score over a longer sample.",
        )
    return tables, happened, names.index(event)


def event_words(table: pd.DataFrame, *, subject: str, reference: str, what: str) -> str:
    """Say in plain words how well a forecaster sees an event coming.

    Args:
        table: Rows of :func:`~.classification.event_table`.
        subject: The forecaster that the question is about.
        reference: The one that skill was measured against.
        what: The event, as it stands inside a sentence: ``"a switch within 5 bars"``.

    Raises:
        DataError: The subject is not in the table.
    """
    by_name = table.set_index("forecaster")
    if subject not in by_name.index:
        raise DataError(f"the table has no row of '{subject}'")
    own = {str(name): float(column[subject]) for name, column in by_name.items()}
    best = str(by_name["average_precision"].idxmax())
    skill, name = own["brier_skill"], in_sentence(subject)
    line = (
        f"{100.0 * own['base_rate']:.1f} % of {int(own['n']):,} dates came before {what}. The "
        f"average precision of {name} is {own['average_precision']:.3f}; a forecast that knows "
        f"nothing has {own['base_rate']:.3f}."
    )
    if subject != reference and np.isfinite(skill):
        line += (
            f" The Brier score of {name} is {100.0 * abs(skill):.1f} % "
            f"{'better' if skill > 0.0 else 'worse'} than that of {in_sentence(reference)}."
        )
    if best != subject:
        line += (
            f" The highest average precision is that of {in_sentence(best)}: "
            f"{by_name['average_precision'][best]:.3f}."
        )
    return line
