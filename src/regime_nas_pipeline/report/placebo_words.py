"""What the pages of the placebo and of the power experiment say, whatever came out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.names import display_name
from regime_nas_pipeline.report.section import Section

_TITLES = {
    "jobson_korkie_memmel": "Jobson-Korkie-Memmel",
    "ledoit_wolf": "Ledoit-Wolf",
    "diebold_mariano": "Diebold-Mariano against no change",
    "holm": "Any Sharpe ratio, after Holm",
    "spa_mean": "Hansen's SPA, mean return",
    "spa_sharpe": "Hansen's SPA, Sharpe ratio",
    "stepwise_mean": "Stepwise, mean return",
    "stepwise_sharpe": "Stepwise, Sharpe ratio",
    "confidence_set_mean": "Confidence set, mean return",
    "confidence_set_sharpe": "Confidence set, Sharpe ratio",
    "probabilistic_sharpe": "Probabilistic Sharpe ratio",
    "deflated_sharpe": "Deflated Sharpe ratio",
    "deflated_sharpe_search": "Deflated Sharpe ratio of the search",
}

SHOWN = (("ledoit_wolf", "equal_weight"), ("diebold_mariano", "no_change"))
"""Tests, and what they test against, that the page of the power experiment shows."""

PLACEBO_SECTIONS = (
    Section(
        "rates",
        "How often tests find what is not there",
        "Every panel is a martingale: nothing about it can be forecast, nothing costs anything, "
        "and all Sharpe ratios are zero. The whole job ran on each, searches included, and every "
        "test of the report that can declare a winner was counted. A dot is a pair of strategies; "
        "the bar is the exact 95 % interval of the pair with the highest rate. A test keeps its "
        "word where dots lie at or left of the dashed line, give or take the chance that a bar "
        "shows. Far left of it a test is cautious, which costs power and is no error.",
        tables=("rates_by_test",),
        figures=("placebo_rates",),
        figures_first=True,
    ),
    Section(
        "verdicts",
        "Which tests may be used",
        "A test is withdrawn where its rejections are more than its level explains, after paying "
        "for all pairs and sets that were looked at; one such pair is enough. Kept means that "
        "too high a rate was not shown, not that there is none: the detectable rate is the true "
        "rate that these panels would have shown four times in five. Not judged means that there "
        "were too few panels, or that the test could not be made.",
        tables=("verdicts",),
    ),
    Section(
        "manifest",
        "Panels and run",
        "The same code, data, seeds and versions give the same results.",
        tables=("panels", "manifest", "seconds", "versions"),
        optional=("seconds", "versions"),
    ),
    Section(
        "data",
        "What this cannot show",
        "Limits of the placebo, which hold for every table above.",
    ),
)

PLACEBO_LIMITS = (
    "Panels have turbulent spells, fat tails and correlated assets, but no drift, no skewness and "
    "no costs. On real prices, which have all three, a test may err more often.",
    "Budgets are smaller than those of the default run, so that the searches choose among fewer "
    "and less trained networks.",
    "Tests of one panel are not independent of each other; rates of different pairs rise and fall "
    "together.",
)

POWER_SECTIONS = (
    Section(
        "power",
        "How large an edge must be to be found",
        "The same panels with something predictable planted in a known size; panels of different "
        "sizes share their moves. A point is the share of panels on which the test said that the "
        "strategy beats equal weight, with its exact 95 % interval; at size 0 it is the rate of "
        "false alarms. The dotted line is the power that is asked for. Where even the largest "
        "edge stays below it, finding nothing in a sample of this length says little.",
        tables=("smallest",),
        figures=("power_detection",),
        figures_first=True,
    ),
    Section(
        "manifest",
        "The run",
        "The same code, data, seeds and versions give the same results.",
        tables=("manifest", "seconds", "versions"),
        optional=("seconds", "versions"),
    ),
    Section(
        "data",
        "What this cannot show",
        "Limits of the experiment, which hold for every table above.",
    ),
)

POWER_LIMITS = (
    "The edges are of the simplest kinds and stay what they are. Real ones come and go, and a "
    "sample that could show these may miss those.",
    "Nothing costs anything here. After costs an edge must be larger to be worth anything.",
    "A rate of one test on one pair is shown. The report reads many side by side and corrects for "
    "it, which takes a larger edge still.",
)


def title_of_test(name: str) -> str:
    """A test's name for people."""
    return _TITLES.get(name, name.replace("_", " "))


def against_phrase(name: str) -> str:
    """What is tested against, inside a sentence."""
    title = display_name(name)
    return title[:1].lower() + title[1:]


def placebo_headline(verdicts: Mapping[str, Any]) -> str:
    """Which tests are withdrawn, kept and not judged, in a few sentences."""
    tests = verdicts["tests"]
    groups = {
        kind: [name for name, found in tests.items() if found["verdict"] == kind]
        for kind in ("withdrawn", "kept", "not judged")
    }
    n_panels = sum(panels["n_panels"] for panels in verdicts["sample"]["sets"].values())
    where = f"On {n_panels} panels where nothing is to be found"
    sentences = []
    for name in groups["withdrawn"]:
        worst = tests[name]["worst"]
        sentences.append(
            f'{where}, {title_of_test(name)} said "beats" on {worst["n_rejected"]} of '
            f"{worst['n_tested']} for {display_name(worst['subject'])} against "
            f"{display_name(worst['against'])}, more than its {100 * verdicts['level']:g} %: it "
            "is withdrawn."
        )
    if not groups["withdrawn"]:
        sentences.append(f"{where}, no test was shown to reject too often.")
    if groups["kept"]:
        sentences.append(f"{len(groups['kept'])} of {len(tests)} tests are kept.")
    if groups["not judged"]:
        names = ", ".join(map(title_of_test, groups["not judged"]))
        sentences.append(f"Not judged, for want of panels or tests: {names}.")
    return " ".join(sentences)


def placebo_closing_line(verdicts: Mapping[str, Any]) -> str:
    """One sentence for the end of a run."""
    withdrawn = [title_of_test(name) for name in verdicts["withdrawn"]]
    tests = verdicts["tests"].values()
    judged = sum(found["verdict"] != "not judged" for found in tests)
    if not judged:
        return f"Placebo: too few panels to judge any of {len(verdicts['tests'])} tests."
    said = f"withdrawn: {', '.join(withdrawn)}" if withdrawn else "none is withdrawn"
    return f"Placebo: of {judged} tests judged, {said}."


def power_headline(smallest: pd.DataFrame, power: float) -> str:
    """The smallest edges that a test against equal weight finds, strategy by strategy."""
    test, against = SHOWN[0]
    shown = smallest[(smallest["test"] == test) & (smallest["against"] == against)]
    found = shown.dropna(subset="smallest")
    asked = f"with a probability of {100 * power:g} %"
    if found.empty:
        return (
            f"{title_of_test(test)} found no planted edge {asked}: an edge of these sizes would go "
            "unnoticed in samples of these lengths."
        )
    best = found.sort_values("smallest").groupby(["edge", "n_bars"], sort=True).head(1)
    told = [
        f"{str(edge).replace('_', ' ')} "
        + ", ".join(
            f"{row['smallest']:.2g} in {row['n_bars']:,} bars ({display_name(row['subject'])})"
            for row in rows.to_dict("records")
        )
        for edge, rows in best.sort_values(["edge", "n_bars"]).groupby("edge")
    ]
    return (
        f"The smallest edges that {title_of_test(test)} found {asked}, each by the strategy that "
        f"finds it most easily: {'; '.join(told)}."
    )


def power_closing_line(smallest: pd.DataFrame) -> str:
    """One sentence for the end of a run."""
    test, against = SHOWN[0]
    shown = smallest[(smallest["test"] == test) & (smallest["against"] == against)]
    found = int(shown["smallest"].notna().sum())
    return (
        f"Power: {title_of_test(test)} against {against_phrase(against)} reaches it within the "
        f"sizes tried in {found} of {len(shown)} combinations of job, edge, length and strategy."
    )
