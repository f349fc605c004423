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

from regime_nas_pipeline.report.tables import (
    Table,
    facts_table,
    flatten,
    heading,
    make_table,
    measures_table,
    value_text,
)
from regime_nas_pipeline.report.text import FACT_LABELS, SECTIONS, TABLE_CAPTIONS, Section
from regime_nas_pipeline.report.theme import in_display_order, plain

_PACKAGE = "regime_nas_pipeline.report"
_DRAWN_APART = ("blocks",)


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
    trials: pd.DataFrame,
    limits: Sequence[str],
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
            ``sub_periods``, ``per_regime``, optionally ``claims``, ``calibration``, ``seeds``).
        figures: Name to figure; the names are those of the functions in ``figures``.
        quality: ``totals``, ``assets`` (asset to its facts) and ``notes`` about the prices.
        manifest: Where the run came from: any nesting of facts; ``seconds`` (pipeline to
            seconds) and ``versions`` become tables of their own.
        architecture: The architecture found; its choices other than ``blocks`` are listed.
        trials: One row per trial: forecaster, trial, score, budget_spent, state, strategy.
        limits: What the data cannot show; each is a sentence or two.

    Returns:
        HTML, self-contained.
    """
    ready = _ready_tables(summary, tables, quality, manifest, architecture, trials)
    slots = {key: _slot(key, figure) for key, figure in figures.items()}
    chapters = _chapters(ready, slots)
    scripts = {"plotly": get_plotlyjs(), "draw": _resource("page.js")}
    environment = Environment(
        loader=PackageLoader("regime_nas_pipeline", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        headline=headline,
        facts=_facts(summary, trials),
        chapters=chapters,
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


def _ready_tables(
    summary: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    quality: Mapping[str, Any],
    manifest: Mapping[str, Any],
    architecture: Mapping[str, Any],
    trials: pd.DataFrame,
) -> dict[str, Table]:
    """Every table of the page that has at least one row."""
    run = {**summary.get("run", {}), **manifest}
    seconds = run.pop("seconds", {})
    versions = run.pop("versions", {})
    choices = {key: value for key, value in architecture.items() if key not in _DRAWN_APART}
    assets = pd.DataFrame(
        [
            {"asset": asset, **dict(flatten(facts))}
            for asset, facts in quality.get("assets", {}).items()
        ]
    )
    caption = {**{key: heading(key) for key in tables}, **TABLE_CAPTIONS}
    made = [
        measures_table("strategies", caption["strategies"], summary.get("strategies", {})),
        measures_table("forecasts", caption["forecasts"], summary.get("forecasts", {})),
        facts_table("choices", caption["choices"], choices),
        make_table("search", caption["search"], _search_table(trials)),
        facts_table("quality_totals", caption["quality_totals"], quality.get("totals", {})),
        make_table("quality", caption["quality"], assets),
        make_table("notes", caption["notes"], _notes_table(quality.get("notes", []))),
        facts_table("manifest", caption["manifest"], run),
        make_table("seconds", caption["seconds"], _seconds_table(seconds)),
        facts_table("versions", caption["versions"], versions),
        *(make_table(key, caption[key], frame) for key, frame in tables.items()),
    ]
    return {table.name: table for table in made if table.rows}


def _search_table(trials: pd.DataFrame) -> pd.DataFrame:
    """Trials, trials with a score, best score and budget, per forecaster and search strategy."""
    if trials.empty:
        return pd.DataFrame()
    order = {name: place for place, name in enumerate(in_display_order(trials["forecaster"]))}
    groups = trials.groupby(["forecaster", "strategy"], sort=True)
    table = groups.agg(
        trials=("trial", "size"),
        with_a_score=("score", "count"),
        best_score=("score", "min"),
        budget_spent=("budget_spent", "sum"),
    )
    ranked = table.sort_index(level=0, key=lambda names: names.map(order), sort_remaining=False)
    return ranked.reset_index().rename(columns={"strategy": "search_strategy"})


def _seconds_table(seconds: Mapping[str, float] | float) -> pd.DataFrame:
    """Wall time per pipeline, with their sum."""
    if not isinstance(seconds, Mapping):
        return pd.DataFrame([{"pipeline": "all", "seconds": float(seconds)}])
    rows = [{"pipeline": key, "seconds": float(value)} for key, value in seconds.items()]
    if len(rows) > 1:
        rows.append({"pipeline": "all", "seconds": float(sum(seconds.values()))})
    return pd.DataFrame(rows)


def _notes_table(notes: Sequence[Any]) -> pd.DataFrame:
    return pd.DataFrame(
        [dict(note) if isinstance(note, Mapping) else {"note": str(note)} for note in notes],
        dtype=object,
    )


def _facts(summary: Mapping[str, Any], trials: pd.DataFrame) -> list[tuple[str, str]]:
    """The few numbers that a reader wants before anything else, as (value, label)."""
    sample = dict(summary.get("sample", {}))
    facts = []
    if "first_oos" in sample and "last_oos" in sample:
        span = f"{value_text(sample['first_oos'])} to {value_text(sample['last_oos'])}"
        facts.append((span, "out of sample"))
    if "risk_free" in sample:
        sample["risk_free"] = f"{float(sample['risk_free']):.2%}"
    sample["n_trials"] = len(trials)
    facts += [
        (value_text(sample[key]), label) for key, label in FACT_LABELS.items() if key in sample
    ]
    return facts


def _first_sentence(text: str) -> str:
    """The first sentence: what is repeated beside every comparison."""
    head, separator, _ = text.partition(". ")
    return head + "." if separator else text


def _chapters(tables: Mapping[str, Table], figures: Mapping[str, _FigureSlot]) -> list[_Chapter]:
    placed = {name for section in SECTIONS for name in (*section.tables, *section.figures)}
    chapters = []
    for section in SECTIONS:
        table_names: Sequence[str] = section.tables
        figure_names: Sequence[str] = section.figures
        if section.key == "more":
            table_names = [name for name in tables if name not in placed]
            figure_names = [name for name in figures if name not in placed]
            if not (table_names or figure_names):
                continue
        missing = [
            TABLE_CAPTIONS.get(name, heading(name))
            for name in (*table_names, *figure_names)
            if name not in tables and name not in figures and name not in section.optional
        ]
        chapters.append(
            _Chapter(
                section,
                tuple(tables[name] for name in table_names if name in tables),
                tuple(figures[name] for name in figure_names if name in figures),
                tuple(missing),
            )
        )
    return chapters
