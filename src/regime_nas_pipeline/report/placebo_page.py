"""The pages of the placebo and of the power experiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.core.names import display_name
from regime_nas_pipeline.report.columns import Column, count, percent
from regime_nas_pipeline.report.page import render_page
from regime_nas_pipeline.report.page_tables import run_facts, seconds_table
from regime_nas_pipeline.report.placebo_words import (
    PLACEBO_LIMITS,
    PLACEBO_SECTIONS,
    POWER_LIMITS,
    POWER_SECTIONS,
    SHOWN,
    placebo_headline,
    power_headline,
    title_of_test,
)
from regime_nas_pipeline.report.tables import Table, facts_table, make_table

_TEST = Column("Test", "text")
_INTERVAL = "%, 95 % interval"
_RATES = {
    "set": Column("Panels", "text"),
    "test": _TEST,
    "pairs": count("Pairs"),
    "tested": count("Tested", "panels, fewest"),
}
_VERDICTS = {
    "test": _TEST,
    "verdict": Column("Verdict", "text"),
    "pairs": count("Pairs", "over all sets"),
    "set": Column("Worst: panels", "text"),
    "pair": Column("Worst: pair", "text"),
    "n_rejected": count('"Beats"', "panels"),
    "n_tested": count("Of", "panels"),
    "rate": percent("Rate"),
    "rate_low": percent("From", unit=_INTERVAL),
    "rate_high": percent("To", unit=_INTERVAL),
    "p_bonferroni": Column("p", "p_value", 3, "Bonferroni"),
    "detectable_rate": percent("Detectable rate", unit="% true, 4 times in 5"),
}
_SMALLEST = {
    "job": Column("Job", "text"),
    "edge": Column("Edge", "text"),
    "n_bars": count("Bars"),
    "test": _TEST,
    "strategy": Column("Strategy", "text"),
    "against": Column("Against", "text"),
    "smallest": Column("Smallest edge found", digits=3),
    "smallest_low": Column("From", digits=3, unit="95 % interval"),
    "smallest_high": Column("To", digits=3, unit="95 % interval"),
    "reason": Column("Why blank", "text"),
}


def render_placebo(
    *, rates: pd.DataFrame, verdicts: Mapping[str, Any], figures: Mapping[str, go.Figure]
) -> str:
    """Write the page of the placebo as one self-contained HTML text.

    Args:
        rates: ``set`` and the columns of a table of false positives.
        verdicts: ``run``, ``sample``, ``level``, ``withdrawn`` and ``tests``.
        figures: ``placebo_rates``.
    """
    sample = verdicts["sample"]
    panels = sum(one["n_panels"] for one in sample["sets"].values())
    return render_page(
        title="RegimeNAS: placebo",
        brand="placebo",
        question="How often does the job find something where nothing is?",
        headline=placebo_headline(verdicts),
        facts=[
            (f"{panels:,}", "panels"),
            (f"{sample['n_assets']}", "assets"),
            (f"{sample['n_bars']:,}", "bars"),
            (f"{sample['oos_bars']:,}", "bars out of sample"),
            (f"{len(verdicts['tests'])}", "tests counted"),
        ],
        sections=PLACEBO_SECTIONS,
        tables={
            "rates_by_test": _by_test(rates),
            "verdicts": make_table(
                "verdicts", "Verdict on each test", _judged(verdicts["tests"]), columns=_VERDICTS
            ),
            "panels": facts_table("panels", "Panels", _sets(sample)),
            **_run_tables(verdicts["run"]),
        },
        figures=figures,
        limits=PLACEBO_LIMITS,
    )


def render_power(
    *,
    rates: pd.DataFrame,
    smallest: pd.DataFrame,
    run: Mapping[str, Any],
    level: float,
    power: float,
    figures: Mapping[str, go.Figure],
) -> str:
    """Write the page of the power experiment as one self-contained HTML text.

    Args:
        rates: ``job`` and the columns of a table of detection rates.
        smallest: ``job`` and the columns of a table of smallest edges.
        run: Facts of the run.
        level: Of the tests.
        power: Probability with which the smallest edge is found.
        figures: ``power_detection``.
    """
    return render_page(
        title="RegimeNAS: power",
        brand="power",
        question="How large must an edge be before the job finds it?",
        headline=power_headline(smallest, power),
        facts=[
            (f"{rates['n_panels'].max():,}", "panels per edge and size"),
            (" and ".join(f"{n:,}" for n in sorted(rates["n_bars"].unique())), "bars"),
            (f"{100 * level:g} %", "level of the tests"),
            (f"{100 * power:g} %", "power asked for"),
        ],
        sections=POWER_SECTIONS,
        tables={
            "smallest": make_table(
                "smallest", "The smallest edge found", _shown(smallest), columns=_SMALLEST
            ),
            **_run_tables(run),
        },
        figures=figures,
        limits=POWER_LIMITS,
    )


def _by_test(rates: pd.DataFrame) -> Table:
    """One row per set and test; over its pairs the mean and the highest rate at each level."""
    levels = sorted(rates["level"].unique())
    columns = dict(_RATES)
    for level in levels:
        columns[f"mean {level}"] = percent("Mean", unit=f"% at {100 * level:g} %")
        columns[f"highest {level}"] = percent("Highest", unit=f"% at {100 * level:g} %")
    rows = []
    for (name, test), own in rates.groupby(["set", "test"], sort=False):
        row = {
            "set": name,
            "test": title_of_test(str(test)),
            "pairs": len(own[["subject", "against"]].drop_duplicates()),
            "tested": own["n_tested"].min(),
        }
        for level in levels:
            found = own.loc[own["level"] == level, "rate"]
            row |= {f"mean {level}": found.mean(), f"highest {level}": found.max()}
        rows.append(row)
    frame = pd.DataFrame(rows, columns=list(columns))
    return make_table("rates_by_test", "Rates by test, over its pairs", frame, columns=columns)


def _judged(tests: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for name, found in tests.items():
        worst = found["worst"]
        pair = f"{display_name(worst['subject'])} against {display_name(worst['against'])}"
        rows.append(
            {
                **worst,
                "test": title_of_test(name),
                "verdict": found["verdict"],
                "pairs": sum(sum(one["pairs"].values()) for one in found["sets"].values()),
                "pair": pair,
            }
        )
    return pd.DataFrame(rows, columns=list(_VERDICTS))


def _sets(sample: Mapping[str, Any]) -> dict[str, Any]:
    """What every set was drawn from; assets are the same in all of them."""
    facts: dict[str, Any] = {"dates": f"{sample['first']} to {sample['last']}"}
    for name, panels in sample["sets"].items():
        drawn = dict(panels["drawn_from"])
        facts["assets"] = drawn.pop("assets")
        own = {**panels, "seed": str(panels["seed"]), **drawn}
        own.pop("drawn_from")
        facts[name] = {key: value for key, value in own.items() if value is not None}
    return facts


def _shown(smallest: pd.DataFrame) -> pd.DataFrame:
    parts = [
        smallest[(smallest["test"] == test) & (smallest["against"] == against)]
        for test, against in SHOWN
    ]
    rows = pd.concat(parts, ignore_index=True).rename(columns={"subject": "strategy"})
    return rows[list(_SMALLEST)].assign(
        edge=rows["edge"].str.replace("_", " "),
        test=rows["test"].map(title_of_test),
        # The dataset has the whole sentence.
        reason=rows["reason"].str.partition(":")[0],
    )


def _run_tables(run: Mapping[str, Any]) -> dict[str, Table]:
    facts = run_facts({"run": run}, {})
    seconds, versions = facts.pop("seconds", {}), facts.pop("versions", {})
    return {
        "manifest": facts_table("manifest", "Run", facts),
        "seconds": seconds_table(seconds),
        "versions": make_table(
            "versions",
            "Versions",
            pd.DataFrame([{"package": key, "version": value} for key, value in versions.items()]),
        ),
    }
