"""What may be said of the uses of regime labels, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.names import COMPARED_MEASURES, name_in_sentence
from regime_nas_pipeline.verdict.ablation import BETTER, UNKNOWN, WORSE
from regime_nas_pipeline.verdict.comparison.words import p_words
from regime_nas_pipeline.verdict.regime_uses import CONTROLS, NO_LABELS, SHUFFLED

USE_WORDS = {
    "overlay": "how much of a strategy to hold",
    "covariance": "which bars an allocator's covariance is made of",
    "supervision": "what RegimeNAS's detector is taught",
}
"""Use to what labels decide in it."""

_WAY_WORDS = {
    "by_label": "by the most probable regime",
    "by_probability": "by the probabilities",
    "volatility_target": "by trailing volatility",
    "in_the_loss": "in the loss",
}


def headline(comparison: pd.DataFrame, *, env: str) -> str:
    """Which uses help more than chance, if any.

    Args:
        comparison: What :func:`~.regime_uses.compare_uses` returns.
        env: Environment.
    """
    labelled = comparison[~comparison["labels"].isin(CONTROLS)]
    better, worse = (labelled[labelled["effect"] == effect] for effect in (BETTER, WORSE))
    where = f"In the environment '{env}'"
    tests = f"{len(labelled)} differences in Sharpe ratio"
    if better.empty:
        return (
            f"{where}, no use of regime labels helps more than chance: none of {tests} is a gain "
            f"after Holm's correction, and {_count(len(worse), 'a loss', 'losses')}."
        )
    kinds = better.groupby("use", sort=False).size()
    named = "; ".join(f"{USE_WORDS[str(use)]} ({count})" for use, count in kinds.items())
    return (
        f"{where}, of {tests} {_count(len(better), 'a gain', 'gains')} by more than chance after "
        f"Holm's correction, and {_count(len(worse), 'a loss', 'losses')}. Labels helped to "
        f"decide {named}."
    )


def _count(number: int, one: str, many: str) -> str:
    if number == 0:
        return f"none is {one}"
    return f"1 is {one}" if number == 1 else f"{number} are {many}"


def sentences(comparison: pd.DataFrame, supervision: pd.DataFrame) -> dict[str, list[str]]:
    """What each use is worth.

    Args:
        comparison: What :func:`~.regime_uses.compare_uses` returns.
        supervision: What :func:`~.regime_uses.compare_supervision` returns.

    Returns:
        Use to its sentences.
    """
    said: dict[str, list[str]] = {}
    for use, rows in comparison.groupby("use", sort=False):
        labelled = rows[~rows["labels"].isin(CONTROLS)]
        said[str(use)] = [
            *_of_rows(labelled, len(comparison)),
            *_of_controls(rows[rows["labels"].isin(CONTROLS)], labelled),
        ]
    said.setdefault("supervision", []).extend(_against_shuffled(supervision))
    return said


def _of_rows(rows: pd.DataFrame, n_tests: int) -> list[str]:
    tested = rows[rows["effect"] != UNKNOWN]
    if tested.empty:
        return ["No difference could be tested."]
    spread = f"from {tested['difference'].min():+.2f} to {tested['difference'].max():+.2f}"
    mean = float(tested["difference"].mean())
    side = "higher" if mean >= 0.0 else "lower"
    lines = [
        f"With labels the Sharpe ratio is {abs(mean):.2f} {side} on average over {len(tested)} "
        f"differences, {spread}."
    ]
    found = tested[tested["effect"].isin([BETTER, WORSE])]
    if found.empty:
        lines.append(
            f"None is more than chance: after Holm's correction for all {n_tests} tests the "
            f"smallest has {p_words(tested['p_holm'].min())}. Nothing can be said for labels here, "
            "or against them."
        )
        return lines
    for effect in (BETTER, WORSE):
        own = found[found["effect"] == effect]
        if len(own):
            named = "; ".join(_named(row) for row in own.to_dict("records"))
            lines.append(f"{effect.capitalize()} by more than chance: {named}.")
    rest = len(tested) - len(found)
    if rest:
        lines.append(f"The other {rest} may be chance.")
    return lines


def _named(row: Mapping[Any, Any]) -> str:
    strategy, labels = (name_in_sentence(str(row[key])) for key in ("strategy", "labels"))
    way = _WAY_WORDS.get(str(row["way"]), str(row["way"]))
    return f"{strategy} with labels of {labels} {way} ({row['difference']:+.2f})"


def _of_controls(controls: pd.DataFrame, labelled: pd.DataFrame) -> list[str]:
    lines = []
    for name, rows in controls.groupby("labels", sort=False):
        who = "trailing volatility without labels" if name == NO_LABELS else "shuffled labels"
        verdicts = rows["effect"].value_counts()
        paired = labelled.merge(rows[["strategy", "difference"]], on="strategy", suffixes=("", "_"))
        above = int((paired["difference"] > paired["difference_"]).sum())
        lines.append(
            f"The control, {who}: {rows['difference'].mean():+.2f} on average, "
            f"{verdicts.get(BETTER, 0)} of {len(rows)} better and {verdicts.get(WORSE, 0)} worse "
            f"by more than chance. {above} of {len(paired)} uses of labels lie above it, which by "
            "itself is no test."
        )
    return lines


def _against_shuffled(supervision: pd.DataFrame) -> list[str]:
    lines = []
    for against, words in ((NO_LABELS, "no labels"), (SHUFFLED, "shuffled labels")):
        rows = supervision[
            (supervision["against"] == against) & ~supervision["variant"].isin(CONTROLS)
        ]
        found = rows[rows["effect"].isin([BETTER, WORSE])]
        if found.empty:
            lines.append(
                "On no measure can networks taught by labels be told apart from those taught by "
                f"{words}; differences may be the luck of the seeds."
            )
            continue
        named = "; ".join(
            f"{name_in_sentence(str(row['variant']))} is {row['effect']} on "
            f"{COMPARED_MEASURES[str(row['metric'])].label}"
            for row in found.to_dict("records")
        )
        lines.append(f"Against networks taught by {words}: {named}.")
    return lines
