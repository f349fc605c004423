"""What the results of the verdict contribute to the page: tables, and sentences before them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.names import name_in_sentence
from regime_nas_pipeline.report import economics_tables, published, verdict_tables
from regime_nas_pipeline.report.tables import Table
from regime_nas_pipeline.report.theme import in_display_order

_MAKERS: dict[str, tuple[Callable[[Any], Table], ...]] = {
    "verdict": (verdict_tables.at_a_glance, verdict_tables.smallest_edges),
    "comparison_tests": (verdict_tables.sharpe_tests, verdict_tables.forecast_tests),
    "superior_strategies": (verdict_tables.superior_ability, verdict_tables.confidence_set),
    "deflated_sharpes": (verdict_tables.deflated_sharpes,),
    "overfitting": (verdict_tables.overfitting, verdict_tables.evaluated),
    "break_even_costs": (economics_tables.break_even,),
    "cost_curve": (economics_tables.sharpe_at_costs,),
    "trading_figures": (economics_tables.trading,),
    "participation": (economics_tables.capacity,),
    "attribution": (economics_tables.attribution,),
    "attribution_by_year": (economics_tables.lead_by_year,),
    "attribution_by_asset": (economics_tables.lead_by_asset,),
    "group_exposures": (economics_tables.exposures,),
    "benchmark_regressions": (economics_tables.regressions,),
    "crises": (economics_tables.crises,),
    "published_figures": (
        published.figures_table,
        published.definitions_table,
        published.remarks_table,
    ),
}

SHOWN = (*_MAKERS, "comparison_words")
"""Datasets of the verdict that the page makes use of."""


def ready_verdict(results: Mapping[str, Any]) -> dict[str, Table]:
    """Every table of the verdict that has at least one row, by name.

    Args:
        results: Dataset of the verdict to its content; one that is missing or empty makes no
            table.
    """
    made = [
        make(results[name])
        for name, makers in _MAKERS.items()
        if name in results and len(results[name])
        for make in makers
    ]
    return {table.name: table for table in made if table.rows}


def verdict_words(results: Mapping[str, Any]) -> dict[str, list[str]]:
    """Sentences that open a chapter, by its key.

    Args:
        results: As for :func:`ready_verdict`; read are ``comparison_words`` (sentences),
            ``verdict`` (the smallest edge that would be found), ``overfitting`` (counts of trials),
            ``participation`` (why there is no capacity) and ``published_figures`` (what can be
            said of them).
    """
    words = {
        "tests": [
            *map(str, results.get("comparison_words", [])),
            *_smallest_edge(results.get("verdict", {})),
        ],
        "trials": _trials_counted(results.get("overfitting", {})),
        "costs": _no_capacity(results.get("participation")),
        "published": published.published_words(results.get("published_figures", [])),
    }
    return {key: sentences for key, sentences in words.items() if sentences}


def _smallest_edge(verdict: Mapping[str, Any]) -> list[str]:
    """How large an advantage had to be to be found, beside the largest that was seen."""
    answers = verdict.get("strategies", {})
    known = [
        name for name in in_display_order(answers) if answers[name].get("smallest_edge") is not None
    ]
    if not known:
        return []
    first = known[0]
    reference = name_in_sentence(str(verdict["reference"]))
    return [
        f"With {verdict['years']:.1f} years of returns, a true advantage of "
        f"{name_in_sentence(first)} over {reference} below "
        f"{answers[first]['smallest_edge']:.2f} Sharpe a year would have been missed more than "
        f"{100.0 * (1.0 - verdict['power']):.0f} % of the time, and one below "
        f"{answers[first]['smallest_edge_holm']:.2f} where Holm's correction for all "
        f"{verdict['n_tests']} tests has to be passed too; "
        + _largest_seen({name: answers[name]["sharpe_difference"] for name in known}, reference)
    ]


def _largest_seen(differences: Mapping[str, float], reference: str) -> str:
    best = max(differences, key=lambda name: differences[name])
    who, size = name_in_sentence(best), abs(differences[best])
    if differences[best] > 0.0:
        return f"the largest advantage seen was {size:.2f} ({who})."
    return f"no strategy was ahead, and the nearest ({who}) lay {size:.2f} below {reference}."


def _trials_counted(found: Mapping[str, Any]) -> list[str]:
    if "n_trials_counted" not in found:
        return []
    counted, in_ledger = found["n_trials_counted"], found["n_in_ledger"]
    sentences = [
        f"Of {in_ledger:,} trials in the ledger, {counted:,} can be held against each other: "
        f"they were scored on the same prices from {found['first']} to {found['last']}, before "
        f"the first out-of-sample day; {found['n_this_run']:,} of them belong to this run."
    ]
    if found["n_effective"] is not None:
        sentences.append(
            f"By how alike their returns are, they count as {found['n_effective']:,} different "
            "ones."
        )
    left_out = [f"{number:,} {reason}" for reason, number in found["left_out"].items() if number]
    if left_out:
        sentences.append(f"Left out are trials that cannot be compared: {'; '.join(left_out)}.")
    sentences.append(
        f"Returns of trials are those above {name_in_sentence(found['reference'])}: what the "
        "market earned for all of them alike is no one's skill."
    )
    return [*sentences, *_evaluated_out_of_sample(found["out_of_sample"])]


def _evaluated_out_of_sample(found: Mapping[str, Any]) -> list[str]:
    """How many series were ever evaluated on the out-of-sample bars, by where they come from."""
    sentence = (
        f"Out of sample, {found['n_trials_counted']:,} different series are the trials: "
        f"{found['n_strategies']:,} strategies of this run, {found['n_seeds']:,} single seeds of "
        f"its networks, and {found['n_earlier']:,} of earlier runs and of experiments on the same "
        "prices"
    )
    if found["n_effective"] is not None:
        sentence += f"; by how alike they are, they count as {found['n_effective']:,}"
    others = [f"{number:,} {reason}" for reason, number in found["left_out"].items() if number]
    if others:
        sentence += f"; not among them are {' and '.join(others)}"
    return [f"{sentence}."]


def _no_capacity(figures: pd.DataFrame | None) -> list[str]:
    if figures is None or figures["capacity"].notna().any():
        return []
    reasons = "; ".join(map(str, dict.fromkeys(figures["reason"])))
    return [f"Capacity cannot be told: {reasons}."]
