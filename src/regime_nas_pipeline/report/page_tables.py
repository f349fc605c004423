"""Every table of the report, from the results of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from regime_nas_pipeline.report.cell_facts import CELL_FACTS
from regime_nas_pipeline.report.columns import Column, percent
from regime_nas_pipeline.report.tables import (
    Table,
    facts_table,
    flatten,
    heading,
    make_table,
    measures_table,
    value_text,
)
from regime_nas_pipeline.report.text import TABLE_CAPTIONS
from regime_nas_pipeline.report.theme import in_display_order

COST_OF_TRAINING = ("epochs", "gradient_samples", "seconds", "parameters")
_DRAWN_APART = ("blocks",)


def ready_tables(
    summary: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    quality: Mapping[str, Any],
    manifest: Mapping[str, Any],
    architecture: Mapping[str, Any],
    search: Mapping[str, Any],
) -> dict[str, Table]:
    """Every table of the page that has at least one row, by name."""
    caption = {**{key: heading(key) for key in tables}, **TABLE_CAPTIONS}
    run = run_facts(summary, manifest)
    seconds, versions = run.pop("seconds", {}), run.pop("versions", {})
    forecasts = summary.get("forecasts", {})
    frames = {
        "search": _by_name(search.get("forecasters", {})),
        "cells": cells_table(search.get("cells", {})),
        "quality": quality_table(quality.get("assets", {})),
        "notes": _notes_table(quality.get("notes", [])),
        "versions": pd.DataFrame(versions.items(), columns=["package", "version"]),
        **{key: frame for key, frame in tables.items() if key != "calibration"},
    }
    choices = {key: value for key, value in architecture.items() if key not in _DRAWN_APART}
    made = [
        measures_table("strategies", caption["strategies"], summary.get("strategies", {})),
        measures_table("forecasts", caption["forecasts"], accuracy(forecasts)),
        measures_table("training_cost", caption["training_cost"], training_cost(forecasts)),
        coverage_table(tables.get("calibration", pd.DataFrame())),
        facts_table("choices", caption["choices"], choices, what="Choice"),
        facts_table("quality_totals", caption["quality_totals"], _totals(quality)),
        facts_table("manifest", caption["manifest"], run),
        seconds_table(seconds),
        *(make_table(key, caption[key], frame) for key, frame in frames.items()),
    ]
    return {table.name: table for table in made if table.rows}


def run_facts(summary: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of the run and of its data; the same checksum is not said twice."""
    run = {**summary.get("run", {}), **manifest}
    if run.get("sha256") == run.get("data_sha256"):
        run.pop("sha256", None)
    if "seed" in run:
        run["seed"] = str(run["seed"])  # a name rather than a quantity: no thousands separators
    return run


def accuracy(forecasts: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Measures of accuracy; counts that say the same of every forecaster are left out."""
    left_out = set(COST_OF_TRAINING)
    if not any(measures.get("n_unforecast") for measures in forecasts.values()):
        left_out.add("n_unforecast")
    # No change ranks nothing, so that a nought is no news.
    if len({measures.get("n_rank_dates") or 0 for measures in forecasts.values()} - {0}) < 2:
        left_out.add("n_rank_dates")
    return {
        name: {key: value for key, value in measures.items() if key not in left_out}
        for name, measures in forecasts.items()
    }


def training_cost(forecasts: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What training took, of those forecasters that are trained."""
    costs = {
        name: {key: measures[key] for key in COST_OF_TRAINING if key in measures}
        for name, measures in forecasts.items()
    }
    return {name: cost for name, cost in costs.items() if cost}


def coverage_table(coverage: pd.DataFrame) -> Table:
    """One row per forecaster, for each level the share inside and its own interval.

    Args:
        coverage: forecaster, level, coverage (decimals), n; optional low and high, the interval
            of the coverage; empty where none is known.
    """
    caption = TABLE_CAPTIONS["calibration"]
    if coverage.empty:
        return make_table("calibration", caption, pd.DataFrame())
    columns: dict[str, Column] = {}
    parts = {}
    for level, rows in coverage.set_index("forecaster").groupby("level"):
        name = f"{100 * float(level):g} %"  # type: ignore[arg-type]
        columns[name] = percent(name, unit="% inside")
        parts[name] = rows["coverage"]
        if "low" in rows:
            columns[f"{name} interval"] = Column("95 % interval", "text", unit="of that share")
            parts[f"{name} interval"] = rows.apply(_interval_text, axis="columns")
    wide = pd.DataFrame(parts)
    wide["n"] = coverage.groupby("forecaster")["n"].max()
    return make_table(
        "calibration",
        caption,
        wide.loc[in_display_order(wide.index)].reset_index(),
        columns=columns,
    )


def _interval_text(row: pd.Series) -> str | None:
    known = pd.notna(row["low"]) and pd.notna(row["high"])
    return f"{100.0 * row['low']:.1f} to {100.0 * row['high']:.1f}" if known else None


def cells_table(cells: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """What is known of the search for cells, with a sentence on what each number means."""
    rows = []
    for facts in cells.values():
        for key, value in facts.items():
            known = CELL_FACTS.get(key)
            rows.append(
                {
                    "measure": known.name if known else heading(key),
                    "value": _written(known.form, value) if known else value_text(value),
                    "what_it_means": known.meaning if known else None,
                }
            )
    return pd.DataFrame(rows)


def _written(form: str, value: float) -> str:
    return form.format(value).replace("%", " %")


def quality_table(assets: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """One row per asset, without those columns in which no asset has anything."""
    table = pd.DataFrame(
        [{"asset": asset, **dict(flatten(facts))} for asset, facts in assets.items()]
    )
    return table[[key for key in table if any(_says_something(value) for value in table[key])]]


def _says_something(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(value) > 0
    return not pd.isna(value) and value != 0


def seconds_table(seconds: Mapping[str, float] | float) -> Table:
    """Wall time per pipeline, with their sum."""
    if isinstance(seconds, Mapping):
        rows = [{"pipeline": key, "seconds": float(value)} for key, value in seconds.items()]
        if len(rows) > 1:
            rows.append({"pipeline": "all", "seconds": float(sum(seconds.values()))})
    else:
        rows = [{"pipeline": "all", "seconds": float(seconds)}]
    time = {"seconds": Column("Time", digits=1, unit="s")}
    return make_table("seconds", TABLE_CAPTIONS["seconds"], pd.DataFrame(rows), columns=time)


def _totals(quality: Mapping[str, Any]) -> dict[str, Any]:
    """Totals, and from when on a run of equal closes or a jump is counted."""
    facts = dict(quality.get("totals", {}))
    limits = quality.get("thresholds", {})
    if "stale_bars" in limits:
        facts["A stale run has at least"] = f"{limits['stale_bars']} equal closes"
    if "jump" in limits:
        facts["A jump is larger than"] = f"{100 * limits['jump']:g} % in one bar"
    return facts


def _by_name(rows: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame([{"forecaster": name, **rows[name]} for name in in_display_order(rows)])


def _notes_table(notes: Sequence[Any]) -> pd.DataFrame:
    return pd.DataFrame(
        [dict(note) if isinstance(note, Mapping) else {"note": str(note)} for note in notes],
        dtype=object,
    )
