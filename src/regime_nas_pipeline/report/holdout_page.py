"""The page of the sealed part: what it showed, and how often it was looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from regime_nas_pipeline.report.openings import history, openings_table
from regime_nas_pipeline.report.page import render_page
from regime_nas_pipeline.report.page_tables import accuracy
from regime_nas_pipeline.report.section import Section
from regime_nas_pipeline.report.tables import facts_table, measures_table
from regime_nas_pipeline.report.text import TABLE_CAPTIONS
from regime_nas_pipeline.report.verdict_parts import ready_verdict, verdict_words

_LEFT_OUT = ("seconds", "versions")
_SECTIONS = (
    Section(
        "openings",
        "How often the seal was opened",
        "Every opening is written down before a sealed price is handed on, also one that was "
        "broken off. A first opening is a test on bars that played no part in any choice; a later "
        "one with other parameters, data or code is one more look at the same bars, and the best "
        "of several looks is too good.",
        tables=("openings",),
    ),
    Section(
        "strategies",
        "The strategies in the sealed part",
        "The folds begin again at the seal: every forecaster is fitted on what was known before "
        "it and refitted on schedule, with the architecture and the choices that the search found "
        "before the first out-of-sample day. Nothing was searched again, every portfolio starts "
        "in cash and pays for its first purchase. Bold marks the best of each column.",
        tables=("strategies",),
        figures=("equity_curves", "drawdowns"),
        compares=True,
    ),
    Section(
        "tests",
        "Could it be luck?",
        "The tests of the main report, on these bars alone. A sealed part is short, so that a "
        "difference has to be large to be told from luck.",
        tables=("sharpe_tests", "forecast_tests", "superior_ability", "confidence_set"),
        optional=("sharpe_tests", "forecast_tests", "superior_ability", "confidence_set"),
        compares=True,
    ),
    Section(
        "forecasts",
        "How good were the forecasts?",
        "Skill needs Theil's U below 1 and R² above 0 together; no change is the forecast that "
        "expects a return of zero for everything.",
        tables=("forecasts",),
        compares=True,
    ),
    Section("data", "The data", "What these prices cannot show."),
    Section("manifest", "How to get these numbers again", "", tables=("manifest",)),
)


def render_holdout(
    summary: Mapping[str, Any],
    results: Mapping[str, Any],
    figures: Mapping[str, go.Figure],
    *,
    limits: Sequence[str],
) -> str:
    """Write the page as one self-contained HTML text.

    Args:
        summary: ``run``, ``sample``, ``strategies``, ``forecasts``, ``headline`` and
            ``openings`` (from :func:`~regime_nas_pipeline.report.openings.openings_of`, this one
            last).
        results: ``comparison_tests``, ``superior_strategies`` and ``comparison_words``.
        figures: ``equity_curves`` and ``drawdowns``.
        limits: What the data cannot show.
    """
    found, sample = summary["openings"], summary["sample"]
    run = {
        key: value for key, value in summary["run"].items() if key not in ("seconds", "versions")
    }
    run["sealed_sha256"] = found[-1]["sealed_sha256"]
    # A name rather than a quantity: no thousands separators.
    run["seed"] = str(run["seed"])
    made = (
        openings_table(found),
        measures_table("strategies", TABLE_CAPTIONS["strategies"], summary["strategies"]),
        measures_table("forecasts", TABLE_CAPTIONS["forecasts"], accuracy(summary["forecasts"])),
        facts_table("manifest", TABLE_CAPTIONS["manifest"], run),
    )
    return render_page(
        title="RegimeNAS: the sealed part",
        brand="the sealed part",
        question="What happened on the bars that were kept apart until the end?",
        headline=_headline(summary),
        facts=[
            (f"{sample['first_oos']} to {sample['last_oos']}", "sealed part"),
            (f"{found[-1]['n_bars']:,}", "sealed bars"),
            (f"{len(found):,}", "openings" if len(found) > 1 else "opening"),
            (str(sample["n_rebalances"]), "rebalances"),
            (str(sample["n_refits"]), "refits"),
        ],
        sections=_SECTIONS,
        tables={table.name: table for table in made} | ready_verdict(results),
        figures=figures,
        limits=limits,
        words={"openings": [history(found)], **verdict_words(results)},
    )


def _headline(summary: Mapping[str, Any]) -> str:
    number = len(summary["openings"])
    if number == 1:
        return str(summary["headline"])
    return (
        f"The sealed part was opened {number} times; it was unseen at the first opening alone. "
        f"{summary['headline']}"
    )
