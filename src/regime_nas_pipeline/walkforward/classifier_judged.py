"""A classifier of regimes beside forecasts that need none, on the dates that all of them have."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from regime_nas_pipeline.regimes.classifier_controls import (
    base_rate_switch,
    filter_forecast,
    hard_persistence,
    known_transitions,
    persistence_forecast,
    realised,
    transition_switch,
)
from regime_nas_pipeline.regimes.classifier_targets import SWITCH_CLASSES
from regime_nas_pipeline.verdict.classification import (
    classification_table,
    confusion_table,
    reliability_table,
)
from regime_nas_pipeline.verdict.classification_comparison import (
    classification_words,
    cumulative_gain,
    loss_comparison,
)
from regime_nas_pipeline.verdict.classification_events import (
    event_table,
    event_words,
    precision_recall,
)

CLASSIFIER = "classifier"
SWITCH = SWITCH_CLASSES[1]
_REFERENCE = "base_rate"


@dataclass(frozen=True, eq=False)
class JudgedLabels:
    """The classifier's forecasts of labels, judged.

    Attributes:
        forecasts: Forecaster to its probabilities, decision date x regime.
        outcome: Decision date to the regime that was said.
        tables: ``classification``, ``comparison``, ``confusion`` and ``reliability``.
        gain: Date x control, log loss saved so far.
        words: What it means.
    """

    forecasts: dict[str, pd.DataFrame]
    outcome: pd.Series
    tables: dict[str, pd.DataFrame]
    gain: pd.DataFrame
    words: list[str]


@dataclass(frozen=True, eq=False)
class JudgedSwitches:
    """The classifier's forecasts of a switch within some bars, judged.

    Attributes:
        table: One row per forecaster; see
            :func:`~regime_nas_pipeline.verdict.classification_events.event_table`.
        curves: Precision and recall at every threshold.
        words: What it means.
    """

    table: pd.DataFrame
    curves: pd.DataFrame
    words: str


def judge_labels(
    forecasts: pd.DataFrame, labels: pd.DataFrame, *, lead: int, level: float
) -> JudgedLabels:
    """Set the classifier against yesterday's label and against the filter's own forecast.

    Args:
        forecasts: The classifier's, decision date x regime.
        labels: Date x regime, probabilities as said at the time, without gaps.
        lead: Bars ahead that are forecast.
        level: Of the tests.

    Raises:
        DataError: There is no common date with a known outcome.
    """
    every = {
        CLASSIFIER: forecasts,
        "persistence": persistence_forecast(labels, lead=lead),
        "hard_persistence": hard_persistence(labels, lead=lead),
        "filter": filter_forecast(labels, known_transitions(labels), lead=lead),
    }
    outcome = realised(labels, target="label", lead=lead)
    table = classification_table(every, outcome)
    comparison = loss_comparison(every, outcome, subject=CLASSIFIER, horizon=lead, level=level)
    what = "the next bar's label" if lead == 1 else f"the label {lead} bars ahead"
    return JudgedLabels(
        every,
        outcome,
        {
            "classification": table,
            "comparison": comparison,
            "confusion": confusion_table(every, outcome),
            "reliability": reliability_table(every, outcome),
        },
        cumulative_gain(every, outcome, subject=CLASSIFIER),
        classification_words(table, comparison, what=what, level=level),
    )


def judge_switches(forecasts: pd.DataFrame, labels: pd.DataFrame, *, within: int) -> JudgedSwitches:
    """Set the classifier's probability of a switch against the chain's and the base rate.

    Args:
        forecasts: The classifier's, decision date x (stay, switch).
        labels: Date x regime, probabilities as said at the time, without gaps.
        within: Bars within which the label must change to another one.

    Raises:
        DataError: No label ever changed, or there is no common date.
    """
    every = {
        CLASSIFIER: forecasts,
        "transitions": transition_switch(labels, within=within),
        _REFERENCE: base_rate_switch(labels, within=within),
    }
    outcome = realised(labels, target="switch", lead=within)
    table = event_table(every, outcome, event=SWITCH, reference=_REFERENCE)
    return JudgedSwitches(
        table,
        precision_recall(every, outcome, event=SWITCH),
        event_words(
            table,
            subject=CLASSIFIER,
            reference=_REFERENCE,
            what=f"a switch within {within} bars",
        ),
    )
