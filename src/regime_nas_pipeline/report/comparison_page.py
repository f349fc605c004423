"""The page of the search comparison: what searching cleverly and cheaply is worth here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.report.columns import Column, count, percent
from regime_nas_pipeline.report.figures_comparison import CONTROL, shortcut_name
from regime_nas_pipeline.report.page import render_page
from regime_nas_pipeline.report.section import Section
from regime_nas_pipeline.report.tables import Table, make_table
from regime_nas_pipeline.report.theme import strategy_style

_SHORTCUTS = {
    "shortcut": Column("Evaluation", "text"),
    "samples_saved": percent("Samples saved", 1, 0),
    "seconds_saved": percent("Time saved", 1, 0),
    "kendall": Column("Kendall τ", better=1),
    "kendall_low": Column("τ from", unit="95 % interval"),
    "kendall_high": Column("τ to", unit="95 % interval"),
    "spearman": Column("Spearman", better=1),
    "spearman_low": Column("Spearman from", unit="95 % interval"),
    "spearman_high": Column("Spearman to", unit="95 % interval"),
    "regret": Column("Regret of its pick", digits=4, unit="of no change", better=-1),
}
_STRATEGIES = {
    "bed": Column("Data", "text"),
    "score": Column("Validation", digits=4, unit="÷ no change, median"),
    "r2": percent("R²", 1, 2, "% out of sample, median"),
    "r2_low": percent("From", 0, 2, "% over seeds"),
    "r2_high": percent("To", 0, 2, "% over seeds"),
    "r2_margin": percent("To random", 0, 2, "points, median of pairs"),
    "wins": count("First", "seeds"),
    "seeds": count("Seeds"),
    "gradient_samples": count("Gradient samples", "per search"),
    "seconds": Column("Seconds", digits=1, unit="per search"),
}
_REGRET = {
    "landscape": count("Market"),
    "evaluations": count("Evaluated", "candidates"),
    "regret": Column("Regret", digits=4, unit="of no change"),
    "ratio": Column("To random", digits=2, unit="ratio"),
}
_BEDS = {"planted": "planted markets", "prices": "the run's own prices"}


def comparison_headline(contest: Mapping[str, Mapping[str, Any]]) -> str:
    """Whose median out of sample was the highest on each bed, whoever won, in two lines.

    Args:
        contest: Bed to ``first``, ``r2``, ``random_r2``, ``wins`` and ``seeds``.
    """
    parts = []
    for bed, found in contest.items():
        random = found["random_r2"]
        beside = "" if random is None or found["first"] == CONTROL else f", random {random:.2%}"
        first = strategy_style(found["first"]).label
        parts.append(f"{first} on {_BEDS.get(bed, bed)} ({found['r2']:.2%}{beside})")
    return f"Highest median R²: {', '.join(parts)}.".replace("%", " %")


def wins_words(contest: Mapping[str, Mapping[str, Any]]) -> str:
    """In how many seeds the strategy with the highest median was the first.

    Args:
        contest: As for :func:`comparison_headline`.
    """
    parts = [
        f"on {_BEDS.get(bed, bed)}, {strategy_style(found['first']).label} in {found['wins']} of "
        f"{found['seeds']}"
        for bed, found in contest.items()
    ]
    return f"Seeds in which the one with the highest median came first: {'; '.join(parts)}."


def regret_words(claim: Mapping[str, Mapping[str, Any]]) -> str:
    """On how many landscapes each strategy left at most half of random search's regret.

    Args:
        claim: Strategy to ``halved``, ``landscapes`` and ``median_ratio``.

    Returns:
        A sentence, empty where nothing was claimed of any strategy.
    """
    halved = [
        f"{strategy_style(name).label} {found['halved']} of {found['landscapes']}"
        for name, found in claim.items()
    ]
    if not halved:
        return ""
    return (
        "Landscapes on which a strategy left at most half of random search's regret: "
        f"{', '.join(halved)}."
    )


def render_comparison(
    *,
    shortcuts: pd.DataFrame,
    strategies: pd.DataFrame,
    regret: pd.DataFrame,
    summary: Mapping[str, Any],
    figures: Mapping[str, go.Figure],
) -> str:
    """Write the page as one self-contained HTML text.

    Args:
        shortcuts: One row per way to evaluate, the full one first.
        strategies: One row per bed and strategy, medians over seeds.
        regret: One row per landscape and strategy, at the end of the curves.
        summary: ``claim``, ``contest`` and ``facts`` ((value, label) pairs).
        figures: ``shortcut_scores``, ``strategy_comparison`` and ``search_regret``.
    """
    return render_page(
        title="RegimeNAS: searching",
        brand="search comparison",
        question="Is a clever search worth more than a random one, and a cheap one worth as much?",
        headline=comparison_headline(summary["contest"]),
        facts=[(str(value), str(label)) for value, label in summary["facts"]],
        sections=_sections(summary),
        tables=_tables(shortcuts, strategies, regret),
        figures=figures,
        limits=_LIMITS,
    )


def _sections(summary: Mapping[str, Any]) -> tuple[Section, ...]:
    """The chapters, with what came of this comparison written into theirs."""
    said = {
        "strategies": wins_words(summary["contest"]),
        "regret": regret_words(summary["claim"]),
    }
    return tuple(
        replace(section, explanation=f"{section.explanation} {said[section.key]}".strip())
        if section.key in said
        else section
        for section in _SECTIONS
    )


def _tables(
    shortcuts: pd.DataFrame, strategies: pd.DataFrame, regret: pd.DataFrame
) -> dict[str, Table]:
    named = shortcuts.assign(shortcut=[shortcut_name(name) for name in shortcuts["shortcut"]])
    beds = strategies.assign(bed=[_BEDS.get(bed, bed) for bed in strategies["bed"]])
    markets = regret.assign(landscape=regret["landscape"] + 1)
    captions = {
        "shortcuts": "Every shortcut beside a second full evaluation",
        "strategies": "Strategies at equal budget",
        "regret": "Regret when the searches stop",
    }
    return {
        "shortcuts": make_table("shortcuts", captions["shortcuts"], named, columns=_SHORTCUTS),
        "strategies": make_table("strategies", captions["strategies"], beds, columns=_STRATEGIES),
        "regret": make_table("regret", captions["regret"], markets, columns=_REGRET),
    }


_SECTIONS = (
    Section(
        "strategies",
        "Strategies at equal budget",
        "Every search had the same number of candidates and gradient samples. What it found was "
        "fitted once to all data that the search could see and judged on what came after, so "
        "this is no walk-forward. A strategy that does not beat random by more than its own "
        "spread over seeds has shown nothing. R² is against the forecast of zero.",
        tables=("strategies",),
        figures=("strategy_comparison",),
        compares=True,
    ),
    Section(
        "regret",
        "Where the best candidate is known",
        "On these spaces every candidate was trained and scored on several seeds, so the best "
        "one is known and searches can be replayed by looking scores up. Regret is what the best "
        "candidate so far lacks. Thin lines are single markets. The random control is exact: its "
        "mean over all orders of drawing without replacement. A ratio of 0.5 or less is what a "
        "strategy was expected to reach.",
        tables=("regret",),
        figures=("search_regret",),
        figures_first=True,
        compares=True,
    ),
    Section(
        "shortcuts",
        "What cheap evaluations know",
        "The same random candidates, evaluated in full on several seeds and by each shortcut on "
        "another seed. The rank correlations of Kendall and Spearman say how far a shortcut ranks "
        "them as one full evaluation does. The first row is the ceiling: full evaluations that "
        "differ by their seed alone. Intervals are bootstrapped over candidates. Regret is judged "
        "by the mean of the full evaluations. The surrogate predicts each half of the candidates "
        "from full evaluations of the other half, so it saves half; ranks are compared within "
        "halves only.",
        tables=("shortcuts",),
        figures=("shortcut_scores",),
        compares=True,
    ),
    Section(
        "data",
        "What this cannot show",
        "Limits of the comparison, which hold for every table above.",
    ),
)

_LIMITS = (
    "Budgets are small: with ten times the gradient samples the order of strategies may be "
    "another.",
    "The tables of scores come from one small space and small simulated markets, and are means "
    "over few seeds, so part of what searches are measured on is noise.",
    "Seconds are those of one process on the machine of this run and depend on what else it did.",
)
