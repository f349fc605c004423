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
    detectable: pd.DataFrame,
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
            and the counts of trials (n_trials_counted, n_effective, left_out); the counts of
            what was evaluated out of sample under ``out_of_sample``.
        break_even_costs: Rows of
            :func:`~regime_nas_pipeline.portfolio.economics.costs.break_even_costs`.
        detectable: Rows of
            :func:`~regime_nas_pipeline.verdict.detectable.detectable_differences`.
        level: Of the tests.
        reference: What the strategies are held against.
        withdrawn: Test to the reason why it may not be used; its answers are null.

    Returns:
        ``level``, ``reference``, ``withdrawn``, ``years``, ``power``, ``n_tests``, ``n_trials``,
        ``n_effective``, ``n_left_out``, ``pbo``, ``pbo_by_forecaster``, ``out_of_sample`` and
        ``strategies``: name to its answers. Null is what is not known.
    """
    gone = withdrawn or {}
    deflated = without_probabilities(deflated_sharpes, gone)
    among_all = without_among_all(superior_strategies, gone)
    pairwise = without_pairwise(comparison_tests, gone)
    return {
        "level": level,
        "reference": reference,
        "withdrawn": dict(gone),
        **_of_sample(detectable),
        "n_trials": overfitting["n_trials_counted"],
        "n_effective": overfitting["n_effective"],
        "n_left_out": sum(overfitting["left_out"].values()),
        "pbo": overfitting["probability"],
        "pbo_by_forecaster": {
            name: part["probability"] for name, part in overfitting["forecasters"].items()
        },
        "out_of_sample": _evaluated(overfitting["out_of_sample"]),
        "strategies": {
            name: {
                **_sharpe_answers(deflated, name, reference),
                **_answers_among_all(among_all, name),
                **_break_even(break_even_costs, name),
                **_smallest_edge(detectable, name, reference),
                "against": _p_values(pairwise, name),
            }
            for name in strategies
        },
    }


def _evaluated(found: Mapping[str, Any]) -> dict[str, Any]:
    """Counts of what was ever evaluated on the out-of-sample bars."""
    return {
        "n_trials": found["n_trials_counted"],
        **{name: found[name] for name in ("n_strategies", "n_seeds", "n_earlier", "n_effective")},
        "n_by_origin": {name: own["n_trials_counted"] for name, own in found["origins"].items()},
        "n_left_out": sum(found["left_out"].values()),
        "pbo": found["probability"],
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


def _of_sample(table: pd.DataFrame) -> dict[str, float | int | None]:
    """What all pairs have in common: years of returns, power, and tests that are read."""
    first = None if table.empty else table.iloc[0]
    return {
        "years": _number(first, "years"),
        "power": _number(first, "power"),
        "n_tests": None if first is None else int(first["n_tests"]),
    }


def _smallest_edge(table: pd.DataFrame, name: str, reference: str) -> dict[str, float | None]:
    row = _row(table, subject=name, against=reference)
    return {
        "sharpe_difference": _number(row, "difference"),
        "sharpe_difference_error": _number(row, "standard_error"),
        "smallest_edge": _number(row, "smallest_edge"),
        "smallest_edge_holm": _number(row, "smallest_edge_holm"),
        "tracking_error": _number(row, "tracking_error"),
        "smallest_return": _number(row, "smallest_return"),
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
