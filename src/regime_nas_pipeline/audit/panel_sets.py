"""False positives of tests over several sets of panels, and the one verdict on each test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.audit.placebo import (
    JUDGED_COLUMNS,
    KEPT,
    LEVELS,
    NOT_JUDGED,
    WITHDRAWN,
    false_positives,
    judge_tests,
    verdict_by_test,
)
from regime_nas_pipeline.audit.report_tests import at_one_level
from regime_nas_pipeline.core.statistics import finite_or_none

_WORST = ("subject", "against", *JUDGED_COLUMNS)


def rates_by_set(p_values: pd.DataFrame, *, level: float = 0.05) -> pd.DataFrame:
    """How often each test said "beats" in each set of martingale panels.

    Args:
        p_values: ``set`` and the columns of
            :func:`~regime_nas_pipeline.audit.panel_runs.p_value_table`.
        level: Level of the report; it is counted beside 1, 5 and 10 %. A test that is a decision
            at this level is counted at no other.

    Returns:
        ``set`` and the columns of :func:`~regime_nas_pipeline.audit.placebo.false_positives`.

    Raises:
        DataError: A panel has an edge, or is there twice.
        ParameterError: The level is not between 0 and 1.
    """
    levels = sorted({*LEVELS, level})
    tables = []
    for name, group in p_values.groupby("set", sort=False):
        table = false_positives(group, levels=levels)
        elsewhere = table["test"].map(at_one_level) & ~np.isclose(table["level"], level)
        table = table[~elsewhere]
        table.insert(0, "set", str(name))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def judge_sets(
    p_values: pd.DataFrame, *, level: float = 0.05, familywise: float = 0.05
) -> dict[str, dict[str, Any]]:
    """One verdict per test over all sets: withdrawn as soon as one set withdraws it.

    Sets are judged apart, each at ``familywise`` over their number, so that all of them together
    withdraw any honest test with at most that probability.

    Args:
        p_values: As for :func:`rates_by_set`.
        level: Nominal level of the tests.
        familywise: Probability of withdrawing any test if all keep their level.

    Returns:
        Test to ``verdict`` ("kept", "withdrawn" or "not judged"), ``reason``, ``sets`` (set to
        the same with ``pairs``, the number of each verdict) and ``worst``: the pair and set with
        the smallest probability of its count, or the highest rate where nothing is judged. As JSON
        can hold it.

    Raises:
        DataError: A panel has an edge, or is there twice.
        ParameterError: A level is not between 0 and 1.
    """
    names = [str(name) for name in p_values["set"].unique()]
    judged = {
        name: judge_tests(
            p_values[p_values["set"] == name], level=level, familywise=familywise / len(names)
        )
        for name in names
    }
    by_set = {name: verdict_by_test(table) for name, table in judged.items()}
    every = pd.concat([table.assign(set=name) for name, table in judged.items()])
    return {
        str(test): {
            **_combined(
                {name: found[str(test)] for name, found in by_set.items() if str(test) in found}
            ),
            "worst": _worst(rows),
        }
        for test, rows in every.groupby("test", sort=False)
    }


def _combined(sets: dict[str, dict[str, Any]]) -> dict[str, Any]:
    said = [entry["verdict"] for entry in sets.values()]
    verdict = next((one for one in (WITHDRAWN, KEPT) if one in said), NOT_JUDGED)
    reasons = [
        f"{name}: {entry['reason']}" for name, entry in sets.items() if entry["verdict"] == verdict
    ]
    return {"verdict": verdict, "reason": "; ".join(reasons), "sets": sets}


def _worst(rows: pd.DataFrame) -> dict[str, Any]:
    row = rows.sort_values(["p_above", "rate"], ascending=[True, False], kind="stable").iloc[0]
    facts: dict[str, Any] = {"set": str(row["set"])}
    for name in _WORST:
        value = row[name]
        if isinstance(value, str):
            facts[name] = value
        elif name.startswith("n_"):
            facts[name] = int(value)
        else:
            facts[name] = finite_or_none(value)
    return facts
