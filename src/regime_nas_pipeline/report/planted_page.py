"""The report page of the planted experiment, and its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.report.columns import Column, count, percent
from regime_nas_pipeline.report.figures_planted import SUBJECT, TRACK_NAMES
from regime_nas_pipeline.report.page import render_page
from regime_nas_pipeline.report.page_tables import run_facts, seconds_table
from regime_nas_pipeline.report.planted_words import headline, limits, sections
from regime_nas_pipeline.report.tables import Table, facts_table, make_table
from regime_nas_pipeline.report.theme import in_display_order

_SHARE = "÷ best possible R²"
_TRACK = Column("Inputs", "text")
_COLUMNS = {
    "track": _TRACK,
    "versus": Column("RegimeNAS minus", "text"),
    "median": Column("Median", unit=_SHARE),
    "lowest": Column("Lowest", unit=_SHARE),
    "highest": Column("Highest", unit=_SHARE),
    "n_better": count("Ahead on", "markets"),
    "n_markets": count("Of", "markets"),
    "r2": percent("R² vs zero", 1, 2),
    "search_samples": count("Search", "gradient samples"),
    "gradient_samples": count("Training", "gradient samples"),
    "seconds": Column("Training", digits=1, unit="s"),
    "minus_linear": percent("Minus linear", 1, 2),
    "n_above": count("Above chance", "markets"),
    "gate": percent("RegimeNAS", digits=0, unit="% of bars"),
    "filter": percent("Hamilton filter", digits=0, unit="% of bars"),
    "commonest": percent("Commonest state", digits=0, unit="% of bars"),
    "block": Column("Block", "text"),
    "operations": Column("Operations, over all markets", "text"),
}
_COSTS = ("search_samples", "gradient_samples", "epochs", "seconds", "parameters")


def render_planted_report(
    summary: Mapping[str, Any], found: Mapping[str, Any], figures: Mapping[str, go.Figure]
) -> str:
    """Write the whole page as one HTML text that loads nothing from anywhere.

    Args:
        summary: The summary of the experiment.
        found: Track to forecaster to market seed to what the search found.
        figures: Name to figure; the names are those in ``planted_words.SECTIONS``.
    """
    sample = summary["sample"]
    facts = [
        (f"{len(sample['seeds'])}", "simulated markets"),
        (f"{sample['n_assets']}", "assets"),
        (f"{sample['fit_bars']:,}", "bars fitted on"),
        (f"{sample['scored_bars']:,}", "bars scored"),
        (f"{sample['budget']:,}", "gradient samples for each search"),
    ]
    return render_page(
        title="RegimeNAS: planted regimes",
        brand="planted regimes",
        question="Does regime-aware search find regimes that are known to be there?",
        headline=headline(summary),
        facts=facts,
        sections=sections(summary),
        tables={table.name: table for table in _tables(summary, found) if table.rows},
        figures=figures,
        limits=limits(summary),
    )


def _tables(summary: Mapping[str, Any], found: Mapping[str, Any]) -> list[Table]:
    frames = {
        "planted_efficiency": ("Oracle efficiency", _efficiency(summary["oracle_efficiency"])),
        "planted_margins": ("Market by market", _margins(summary["paired_margins"])),
        "planted_recovery": (
            "Bars at which the strongest weight stands at the true state",
            _recovery(summary["regime_recovery"]),
        ),
        "planted_operations": ("Operations chosen for RegimeNAS", _operations(found)),
        "planted_forecasts": ("Forecast measures", _figures(summary["forecasts"], cost=False)),
        "planted_cost": ("What search and training cost", _figures(summary["forecasts"])),
        "planted_no_regime": ("Markets without regimes", _control(summary["no_regime"])),
        "planted_martingale": ("Martingales", _control(summary["martingale"])),
        "versions": ("Versions", _versions(summary)),
    }
    run = run_facts(summary, {})
    seconds = run.pop("seconds", {})
    run.pop("versions", None)
    return [
        *(
            make_table(name, caption, pd.DataFrame(rows), columns=_COLUMNS)
            for name, (caption, rows) in frames.items()
        ),
        facts_table("planted_protocol", "Protocol", summary["sample"]),
        facts_table("manifest", "Run", run),
        seconds_table(seconds),
    ]


def _efficiency(tracks: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for track, table in tracks.items():
        for name in in_display_order(table):
            known = [value for value in table[name]["seeds"] if value is not None]
            yield {
                "track": TRACK_NAMES[track],
                "forecaster": name,
                "median": table[name]["median"],
                "lowest": min(known, default=None),
                "highest": max(known, default=None),
            }


def _margins(tracks: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for track, table in tracks.items():
        for name in in_display_order(table):
            low, high = table[name]["range"] or (None, None)
            yield {
                "track": TRACK_NAMES[track],
                "versus": name,
                "median": table[name]["median"],
                "lowest": low,
                "highest": high,
                "n_better": table[name]["n_better"],
                "n_markets": len(table[name]["seeds"]),
            }


def _recovery(tracks: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for track, table in tracks.items():
        yield {
            "track": TRACK_NAMES[track],
            "gate": table[SUBJECT]["median"],
            "filter": table["oracle"]["median"],
            "commonest": table["commonest_state"]["median"],
        }


def _operations(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """How often each operation was chosen for the edges of each block, over all markets."""
    for track, searched in found.items():
        chosen: dict[str, Counter[str]] = {}
        for entry in searched.get(SUBJECT, {}).values():
            for block, nodes in entry["parameters"].get("blocks", {}).items():
                names = [edge["operation"] for node in nodes for edge in node["edges"]]
                chosen.setdefault(block, Counter()).update(names)
        for block, counter in chosen.items():
            parts = [f"{name.replace('_', ' ')} {n}" for name, n in sorted_counts(counter)]
            yield {
                "track": TRACK_NAMES[track],
                "block": block.capitalize(),
                "operations": ", ".join(parts),
            }


def sorted_counts(counter: Mapping[str, int]) -> list[tuple[str, int]]:
    """The commonest first, equals by name."""
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))


def _figures(
    tracks: Mapping[str, Mapping[str, Any]], *, cost: bool = True
) -> Iterator[dict[str, Any]]:
    for track, table in tracks.items():
        for name in in_display_order(table):
            chosen = {key: value for key, value in table[name].items() if (key in _COSTS) == cost}
            if chosen:
                yield {"track": TRACK_NAMES[track], "forecaster": name, **chosen}


def _control(tracks: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for track, table in tracks.items():
        for name in in_display_order(table):
            entry = table[name]
            row = {
                "track": TRACK_NAMES[track],
                "forecaster": name,
                "r2": entry["r2"]["median"],
                "minus_linear": entry.get("minus_linear", {}).get("median"),
            }
            band = entry.get("chance_band")
            if band is not None:
                pairs = zip(band["r2"], band["high"], strict=True)
                row["n_above"] = sum(r2 > high for r2, high in pairs)
            yield {**row, "n_markets": len(entry["r2"]["seeds"])}


def _versions(summary: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for package, version in summary["run"]["versions"].items():
        yield {"package": package, "version": version}
