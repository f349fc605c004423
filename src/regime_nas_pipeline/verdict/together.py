"""The machine-readable verdict: what all tests say of each strategy, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.statistics import finite_or_none
from regime_nas_pipeline.verdict.comparison.superior import Measure
from regime_nas_pipeline.verdict.trials.counted import IN_SEARCH, OUT_OF_SAMPLE, RISK_FREE
from regime_nas_pipeline.verdict.withdrawal import (
    without_among_all,
    without_pairwise,
    without_probabilities,
)

CONFIDENCE_MEASURE: Measure = "sharpe"
"""Measure by which the verdict's confidence set and stepwise test compare strategies."""


def verdict_of(
    strategies: Sequence[str],
    *,
    comparison_tests: pd.DataFrame,
    superior_strategies: pd.DataFrame,
    deflated_sharpes: pd.DataFrame,
    overfitting: Mapping[str, Any],
    break_even_costs: pd.DataFrame,
    level: float,
    reference: str = "equal_weight",
    withdrawn: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Put the answers of all tests about each strategy beside each other, JSON-ready.

    Args:
        strategies: Their names.
        comparison_tests: Rows of
            :func:`~regime_nas_pipeline.verdict.comparison.table.comparison_table`.
        superior_strategies: Rows of
            :func:`~regime_nas_pipeline.verdict.comparison.superior.superior_strategies`.
        deflated_sharpes: Rows of :func:`~regime_nas_pipeline.verdict.trials.counted.deflate_all`.
        overfitting: Of :func:`~regime_nas_pipeline.verdict.trials.counted.overfitting_by_search`,
            and the counts of trials (n_trials_counted, n_effective, left_out).
        break_even_costs: Rows of
            :func:`~regime_nas_pipeline.portfolio.economics.costs.break_even_costs`.
        level: Of the tests.
        reference: What the strategies are held against.
        withdrawn: Test to the reason why it may not be used; its answers are null.

    Returns:
        ``level``, ``reference``, ``withdrawn``, ``n_trials``, ``n_effective``, ``n_left_out``,
        ``pbo``, ``pbo_by_forecaster`` and ``strategies``: name to its answers. Null is what is not
        known.
    """
    gone = withdrawn or {}
    deflated = without_probabilities(deflated_sharpes, gone)
    among_all = without_among_all(superior_strategies, gone)
    pairwise = without_pairwise(comparison_tests, gone)
    return {
        "level": level,
        "reference": reference,
        "withdrawn": dict(gone),
        "n_trials": overfitting["n_trials_counted"],
        "n_effective": overfitting["n_effective"],
        "n_left_out": sum(overfitting["left_out"].values()),
        "pbo": overfitting["probability"],
        "pbo_by_forecaster": {
            name: part["probability"] for name, part in overfitting["forecasters"].items()
        },
        "strategies": {
            name: {
                **_sharpe_answers(deflated, name, reference),
                **_answers_among_all(among_all, name),
                **_break_even(break_even_costs, name),
                "against": _p_values(pairwise, name),
            }
            for name in strategies
        },
    }


def _sharpe_answers(table: pd.DataFrame, name: str, reference: str) -> dict[str, Any]:
    lead = _row(table, strategy=name, scope=OUT_OF_SAMPLE, reference=reference)
    alone = _row(table, strategy=name, scope=OUT_OF_SAMPLE, reference=RISK_FREE)
    searched = _row(table, strategy=name, scope=IN_SEARCH, reference=reference)
    return {
        "psr": _number(alone, "psr_against_zero"),
        "psr_against_reference": _number(lead, "psr_against_zero"),
        "deflated_probability": _number(lead, "deflated_probability"),
        "minimum_track_record_years": _number(lead, "minimum_track_record_years"),
        "deflated_probability_in_search": _number(searched, "deflated_probability"),
    }


def _answers_among_all(table: pd.DataFrame, name: str) -> dict[str, Any]:
    row = _row(table, subject=name, measure=CONFIDENCE_MEASURE)
    return {
        "in_confidence_set": _answer(row, "in_confidence_set"),
        "p_confidence_set": _number(row, "p_confidence_set"),
        "beats_stepwise": _answer(row, "beats"),
    }


def _break_even(table: pd.DataFrame, name: str) -> dict[str, Any]:
    row = _row(table, strategy=name)
    return {
        "break_even_bps": _number(row, "break_even_bps"),
        "break_even_reason": None if row is None else str(row["reason"]),
    }


def _p_values(table: pd.DataFrame, name: str) -> dict[str, dict[str, Any]]:
    """Reference to test to p-values, of the rows whose subject is the strategy."""
    own: dict[str, dict[str, Any]] = {}
    for row in table[table["subject"] == name].to_dict("records"):
        own.setdefault(str(row["against"]), {})[str(row["test"])] = {
            key: finite_or_none(row[key])
            for key in ("statistic", "p_two_sided", "p_beats", "p_holm")
        }
    return own


def _row(table: pd.DataFrame, **wanted: str) -> pd.Series | None:
    rows = table
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    return None if rows.empty else rows.iloc[0]


def _number(row: pd.Series | None, column: str) -> float | None:
    return None if row is None or pd.isna(row[column]) else finite_or_none(row[column])


def _answer(row: pd.Series | None, column: str) -> bool | None:
    return None if row is None or pd.isna(row[column]) else bool(row[column])
