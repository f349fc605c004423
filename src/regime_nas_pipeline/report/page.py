"""The report page: one self-contained HTML file that loads nothing from anywhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from regime_nas_pipeline.report.bars_words import bars_words
from regime_nas_pipeline.report.closures import closure_words, closures_table
from regime_nas_pipeline.report.page_tables import ready_tables
from regime_nas_pipeline.report.section import Section
from regime_nas_pipeline.report.tables import Table, heading, value_text
from regime_nas_pipeline.report.text import FACT_LABELS, SECTIONS, TABLE_CAPTIONS
from regime_nas_pipeline.report.theme import plain
from regime_nas_pipeline.report.verdict_parts import ready_verdict, verdict_words

_PACKAGE = "regime_nas_pipeline.report"


@dataclass(frozen=True)
class _FigureSlot:
    """A figure's place in the page: its data as JSON that cannot end the script element."""

    key: str
    title: str
    height: int
    json: Markup


@dataclass(frozen=True)
class _Chapter:
    section: Section
    words: tuple[str, ...]
    tables: tuple[Table, ...]
    figures: tuple[_FigureSlot, ...]
    missing: tuple[str, ...]


def render_report(
    *,
    headline: str,
    summary: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    figures: Mapping[str, go.Figure],
    quality: Mapping[str, Any],
    manifest: Mapping[str, Any],
    architecture: Mapping[str, Any],
    search: Mapping[str, Any],
    limits: Sequence[str],
    verdict: Mapping[str, Any] | None = None,
    closures: pd.DataFrame | None = None,
) -> str:
    """Write the whole report as one HTML text.

    Sections, their order and their explanations are data: ``text.SECTIONS``. A table or figure
    that a section expects and the run lacks is named as missing; one that no section expects is
    shown at the end. Every text is escaped, and the page's own security policy lets no script
    run but its own and nothing be fetched.

    Args:
        headline: The verdict in two sentences.
        summary: ``run``, ``sample``, ``strategies`` and ``forecasts`` of the evaluation.
        tables: Name to table; the names expected are in ``text.SECTIONS`` (``significance``,
            ``sub_periods``, ``per_regime``, optionally ``claims``, ``calibration``,
            ``fit_failures``, ``seeds``).
        figures: Name to figure; the names are those of the functions in ``figures``.
        quality: ``totals``, ``assets`` (asset to its facts) and ``notes`` about the prices.
        manifest: Where the run came from: any nesting of facts; ``seconds`` (pipeline to
            seconds) and ``versions`` become tables of their own.
        architecture: The architecture found; its choices other than ``blocks`` are listed.
        search: What :func:`~regime_nas_pipeline.report.searches.search_summary` returns.
        limits: What the data cannot show; each is a sentence or two.
        verdict: Name to result of the pipeline ``verdict``: the tables named in
            :mod:`~regime_nas_pipeline.report.verdict_parts`, ``overfitting`` (JSON) and
            ``comparison_words`` (sentences).
        closures: Positions that had to end, with their prices; None leaves the chapter out.

    Returns:
        HTML, self-contained.
    """
    results = verdict or {}
    ready = ready_tables(summary, tables, quality, manifest, architecture, search)
    words = verdict_words(results) | {"data": bars_words(quality, manifest)}
    if closures is not None:
        words["closures"] = closure_words(closures)
        ready |= {"closures": closures_table(closures)} if len(closures) else {}
    return render_page(
        title="RegimeNAS: the verdict",
        brand="walk-forward report",
        question="Does regime-aware architecture search earn more than simpler forecasts?",
        headline=headline,
        facts=_facts(summary, search),
        sections=SECTIONS,
        tables=ready | ready_verdict(results),
        figures=figures,
        limits=limits,
        words=words,
    )


def render_page(
    *,
    title: str,
    brand: str,
    question: str,
    headline: str,
    facts: Sequence[tuple[str, str]],
    sections: Sequence[Section],
    tables: Mapping[str, Table],
    figures: Mapping[str, go.Figure],
    limits: Sequence[str],
    words: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Write a page of these sections as one HTML text that loads nothing from anywhere.

    Args:
        title: Of the browser's window.
        brand: What kind of report this is, above the contents.
        question: What it answers, above the headline.
        headline: The answer in a few sentences.
        facts: The few numbers that a reader wants first, as (value, label).
        sections: In order. One with the key ``data`` lists the limits; one with the key ``more``
            takes whatever no other section expects.
        tables: Name to table.
        figures: Name to figure.
        limits: What the data cannot show. The first sentence of each stands below every section
            that compares.
        words: Key of a section to the sentences that stand before its tables and figures.

    Returns:
        HTML, self-contained.
    """
    slots = {key: _slot(key, figure) for key, figure in figures.items()}
    scripts = {"plotly": get_plotlyjs(), "draw": _resource("page.js")}
    environment = Environment(
        loader=PackageLoader("regime_nas_pipeline", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        title=title,
        brand=brand,
        question=question,
        # A number and its unit stay on one line.
        headline=headline.replace(" %", "\u00a0%"),
        facts=list(facts),
        chapters=_chapters(sections, words or {}, tables, slots),
        limits=list(limits),
        caveats=[_first_sentence(limit) for limit in limits],
        style=Markup(_resource("page.css")),  # noqa: S704 - the package's own file
        scripts={key: Markup(script) for key, script in scripts.items()},  # noqa: S704 - as above
        script_hashes=[_policy_hash(script) for script in scripts.values()],
    )


def _resource(name: str) -> str:
    return files(_PACKAGE).joinpath(name).read_text(encoding="utf-8")


def _policy_hash(script: str) -> str:
    """The script's source expression in a content security policy."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _slot(key: str, figure: go.Figure) -> _FigureSlot:
    ready = plain(figure)
    text = ready.to_json()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    title = ready.layout.title.text or heading(key)
    return _FigureSlot(key, title, int(ready.layout.height or 420), Markup(text))  # noqa: S704


def _facts(summary: Mapping[str, Any], search: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The few numbers that a reader wants before anything else, as (value, label)."""
    sample = dict(summary.get("sample", {}))
    facts = []
    if "first_oos" in sample and "last_oos" in sample:
        span = f"{value_text(sample['first_oos'])} to {value_text(sample['last_oos'])}"
        facts.append((span, "out of sample"))
    if "risk_free" in sample:
        sample["risk_free"] = f"{100.0 * float(sample['risk_free']):.2f} %"
    known = {**sample, **search}
    facts += [(value_text(known[key]), label) for key, label in FACT_LABELS.items() if key in known]
    return facts


def _first_sentence(text: str) -> str:
    """The first sentence: what is repeated beside every comparison."""
    head, separator, _ = text.partition(". ")
    return head + "." if separator else text


def _chapters(
    sections: Sequence[Section],
    words: Mapping[str, Sequence[str]],
    tables: Mapping[str, Table],
    figures: Mapping[str, _FigureSlot],
) -> list[_Chapter]:
    placed = {name for section in sections for name in (*section.tables, *section.figures)}
    chapters = []
    for section in sections:
        table_names: Sequence[str] = section.tables
        figure_names: Sequence[str] = section.figures
        if section.key == "more":
            table_names = [name for name in tables if name not in placed]
            figure_names = [name for name in figures if name not in placed]
            if not (table_names or figure_names):
                continue
        filled = {*tables, *figures} & {*table_names, *figure_names}
        if section.hidden_if_empty and not (filled or words.get(section.key)):
            continue
        missing = [
            TABLE_CAPTIONS.get(name, heading(name))
            for name in (*table_names, *figure_names)
            if name not in tables and name not in figures and name not in section.optional
        ]
        chapters.append(
            _Chapter(
                section,
                tuple(sentence.replace(" %", "\u00a0%") for sentence in words.get(section.key, ())),
                tuple(tables[name] for name in table_names if name in tables),
                tuple(figures[name] for name in figure_names if name in figures),
                tuple(missing),
            )
        )
    return chapters
