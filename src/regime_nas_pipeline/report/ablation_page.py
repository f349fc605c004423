"""The page of the ablations: what each part is worth, and the price of a Lipschitz limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.core.names import COMPARED_MEASURES
from regime_nas_pipeline.report.columns import Column
from regime_nas_pipeline.report.page import render_page
from regime_nas_pipeline.report.section import Section
from regime_nas_pipeline.report.tables import make_table
from regime_nas_pipeline.report.variant_tables import variant_tables

_CURVE = {
    "label": Column("Limit", "text"),
    "validation_error": Column("Validation", digits=4, unit="scaled squared error", better=-1),
    "theil_u": Column("Theil's U", digits=4, unit="out of sample", better=-1),
    "r2_zero": Column("R² vs zero", "percent", 2, "%, out of sample", 1),
    "forecast_size": Column("Size of forecasts", digits=3, unit="÷ outcomes"),
    "certified": Column("Certified", "text", unit="upper bound"),
    "seen": Column("Seen", "text", unit="lower bound"),
}


def render_ablation(
    table: Mapping[str, Any],
    curve: pd.DataFrame,
    figures: Mapping[str, go.Figure],
    *,
    labels: Mapping[str, str],
    limits: Sequence[str],
) -> str:
    """Write the page as one self-contained HTML text.

    Args:
        table: The comparison: ``comparison``, ``sentences``, ``searches`` and the facts of the
            run beside them.
        curve: One row per limit and seed.
        figures: ``ablation`` and ``lipschitz_curve``.
        labels: Variant to its name in words.
        limits: What the data cannot show.
    """
    comparison = pd.DataFrame(table["comparison"])
    tables = variant_tables(
        comparison,
        {metric: measure.label for metric, measure in COMPARED_MEASURES.items()},
        labels,
        key="ablation",
        reference="full",
        called="full network",
    )
    tables["lipschitz_curve"] = make_table(
        "lipschitz_curve", "Median over seeds under each limit", _medians(curve), columns=_CURVE
    )
    tables["searches"] = make_table(
        "searches", "The searches behind the variants", _searches(table["searches"], labels)
    )
    return render_page(
        title="RegimeNAS: ablations",
        brand="ablations",
        question="Which parts of the network that was found are worth anything?",
        headline=headline(comparison, table, labels),
        facts=[
            (str(table["env"]), "environment"),
            (f"{table['first_decision']} to {table['last_decision']}", "decisions scored"),
            (str(table["seeds"]), "seeds per variant"),
            (str(table["fits"]), "fits per seed"),
            (f"{table['max_samples']:,}", "gradient samples per fit"),
        ],
        sections=_sections(table, labels, list(tables)),
        tables=tables,
        figures=figures,
        limits=limits,
    )


def headline(comparison: pd.DataFrame, table: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """Which differences can be claimed, if any."""
    where = f"In the environment '{table['env']}'"
    tested = comparison[comparison["effect"] != "unknown"] if len(comparison) else comparison
    if tested.empty:
        return f"{where}, no variant could be compared with the full network."
    real = tested[tested["effect"] != "none"]
    size = f"{tested['variant'].nunique()} variants on {table['seeds']} seeds"
    if real.empty:
        return (
            f"{where}, none of {size} can be told apart from the full network on any measure: no "
            "part of it can be said to matter."
        )
    parts = [
        f"{labels[str(variant)]} ({', '.join(_effect(row) for row in rows.to_dict('records'))})"
        for variant, rows in real.groupby("variant", sort=False)
    ]
    return (
        f"{where}, of {size} these differ from the full network after Holm's correction: "
        f"{'; '.join(parts)}. All other differences may be luck."
    )


def _effect(row: Mapping[Any, Any]) -> str:
    return f"{row['effect']} on {COMPARED_MEASURES[str(row['metric'])].label}"


def _medians(curve: pd.DataFrame) -> pd.DataFrame:
    ordered = curve.sort_values("limit", na_position="last", kind="stable")
    names = [name for name in _CURVE if name != "label"]
    medians = ordered.groupby("label", sort=False)[names].median().reset_index()
    # Without a limit the bound has any number of digits.
    written = {key: [f"{value:.3g}" for value in medians[key]] for key in ("certified", "seen")}
    return medians.assign(**written).replace({"nan": None})


def _searches(searches: Mapping[str, Any], labels: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "variant": labels[name],
                "proposals": facts.get("strategy"),
                "cells": facts.get("cells", "as in the search"),
                "trials": facts.get("trials"),
                "best_score": facts.get("score"),
                "budget_spent": facts.get("gradient_samples"),
            }
            for name, facts in searches.items()
        ]
    )


def _sections(
    table: Mapping[str, Any], labels: Mapping[str, str], tables: Sequence[str]
) -> tuple[Section, ...]:
    compared = tuple(name for name in tables if name.startswith("ablation_"))
    return (
        Section(
            "parts",
            "One part left out at a time",
            "Dots are the mean difference to the full network under the same seeds, lines the "
            "interval of that mean. A difference counts only if its p-value stays below "
            f"{1.0 - table['level']:.2g} after Holm's correction for all variants; anything else "
            "is no difference. The seeds are those of the training alone: they say how sure the "
            "mean over networks is, and nothing about other dates or another search. "
            + " ".join(table["sentences"].values())
            + _remarks(table, labels),
            tables=compared,
            figures=("ablation",),
            figures_first=True,
            compares=True,
        ),
        Section(
            "lipschitz",
            "The price of a Lipschitz limit",
            "The certified constant holds for every input; the steepest reaction seen is a slope "
            "that was found, so the truth lies between the two. As the limit tightens, forecasts "
            "turn into one constant times each asset's volatility: where the network is then no "
            "worse than without a limit, what it reads from its inputs is worth nothing. The "
            "error in validation is the mean squared error of scaled targets, on "
            "which no change scores about 1." + _unbounded(table),
            tables=("lipschitz_curve",),
            figures=("lipschitz_curve",),
            figures_first=True,
        ),
        Section(
            "searches",
            "How the variants were found",
            "The full network and both variants that were searched again had the same budget in "
            "gradient samples. Each was searched once, so that its luck in the search is not in "
            "the intervals above.",
            tables=("searches",),
        ),
        Section("data", "The data", "What these prices cannot show."),
    )


def _remarks(table: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    said = ""
    if table["same_as_full"]:
        names = ", ".join(f"'{labels[name]}'" for name in table["same_as_full"])
        said += (
            f" Not trained, because the full network is that already: {names}; a difference would "
            "be zero by construction."
        )
    for name, reason in table["left_out"].items():
        said += f" '{labels[name]}' is left out: {reason}."
    return said


def _unbounded(table: Mapping[str, Any]) -> str:
    if not table["without_bound"]:
        return ""
    return (
        " No limit could be kept here, because these parts have no known bound: "
        f"{'; '.join(table['without_bound'])}."
    )
