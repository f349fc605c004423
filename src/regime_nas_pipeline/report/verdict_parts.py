"""What the results of the verdict contribute to the page: tables, and sentences before them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.names import display_name
from regime_nas_pipeline.report import economics_tables, verdict_tables
from regime_nas_pipeline.report.tables import Table

_MAKERS: dict[str, tuple[Callable[[Any], Table], ...]] = {
    "verdict": (verdict_tables.at_a_glance,),
    "comparison_tests": (verdict_tables.sharpe_tests, verdict_tables.forecast_tests),
    "superior_strategies": (verdict_tables.superior_ability, verdict_tables.confidence_set),
    "deflated_sharpes": (verdict_tables.deflated_sharpes,),
    "overfitting": (verdict_tables.overfitting,),
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
            ``overfitting`` (counts of trials) and ``participation`` (why there is no capacity).
    """
    words = {
        "tests": list(map(str, results.get("comparison_words", []))),
        "trials": _trials_counted(results.get("overfitting", {})),
        "costs": _no_capacity(results.get("participation")),
    }
    return {key: sentences for key, sentences in words.items() if sentences}


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
        f"Returns of trials are those above {display_name(found['reference']).lower()}: what the "
        "market earned for all of them alike is no one's skill."
    )
    return sentences


def _no_capacity(figures: pd.DataFrame | None) -> list[str]:
    if figures is None or figures["capacity"].notna().any():
        return []
    reasons = "; ".join(map(str, dict.fromkeys(figures["reason"])))
    return [f"Capacity cannot be told: {reasons}."]
