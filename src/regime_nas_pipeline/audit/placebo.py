"""How often tests find something where nothing is, and which of them must be withdrawn for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from scipy.stats import beta, binom
from statsmodels.stats.proportion import proportion_confint

from regime_nas_pipeline.audit.panel_runs import TEST_COLUMNS
from regime_nas_pipeline.audit.panels import NO_EDGE
from regime_nas_pipeline.core.errors import DataError, ParameterError

LEVELS = (0.01, 0.05, 0.10)
"""Levels at which rejections are counted."""

KEPT = "kept"
WITHDRAWN = "withdrawn"
NOT_JUDGED = "not judged"

_DETECTION_POWER = 0.8
_GROSS = 0.5

RATE_COLUMNS = (
    *TEST_COLUMNS,
    "level",
    "n_panels",
    "n_tested",
    "n_blank",
    "n_distinct",
    "n_rejected",
    "rate",
    "rate_low",
    "rate_high",
)
"""Columns of :func:`false_positives`."""

JUDGED_COLUMNS = (
    "n_tested",
    "n_blank",
    "n_rejected",
    "rate",
    "rate_low",
    "rate_high",
    "p_above",
    "p_bonferroni",
    "detectable_rate",
)
"""What a pair's rejections are judged by."""

VERDICT_COLUMNS = (*TEST_COLUMNS, *JUDGED_COLUMNS, "verdict", "reason")
"""Columns of :func:`judge_tests`."""


@dataclass(frozen=True)
class Proportion:
    """A share with its exact interval (Clopper and Pearson, 1934).

    Attributes:
        rate: The share; None of nothing.
        low: Lower end of the interval.
        high: Upper end.
    """

    rate: float | None
    low: float | None
    high: float | None


def proportion(count: int, n: int, *, confidence: float = 0.95) -> Proportion:
    """The share of ``count`` in ``n``, with an interval that covers it at least that often.

    Raises:
        ParameterError: The confidence is not between 0 and 1, or the count not between 0 and n.
    """
    if not 0.0 < confidence < 1.0:
        raise ParameterError(f"confidence must lie between 0 and 1 and is {confidence}.")
    if not 0 <= count <= n:
        raise ParameterError(f"a count must lie from 0 to n = {n} and is {count}.")
    if n == 0:
        return Proportion(None, None, None)
    low, high = proportion_confint(count, n, alpha=1.0 - confidence, method="beta")
    return Proportion(count / n, float(low), float(high))


def false_positives(
    p_values: pd.DataFrame, *, levels: Sequence[float] = LEVELS, confidence: float = 0.95
) -> pd.DataFrame:
    """Count on how many martingale panels each test said "beats", at each level.

    Args:
        p_values: Table of :func:`~regime_nas_pipeline.audit.panel_runs.p_value_table`, without
            planted edges.
        levels: A test says "beats" where p_beats is at most the level.
        confidence: Of the intervals.

    Returns:
        One row per test, pair and level: n_panels; n_tested and n_blank, the panels on which the
        test could and could not be made; n_distinct different p-values (few of them mean a test
        in coarse steps); n_rejected; rate = n_rejected / n_tested with its exact interval, blank
        where nothing was tested.

    Raises:
        DataError: A panel has an edge, or is there twice.
        ParameterError: A level or the confidence is not between 0 and 1.
    """
    _check_placebo(p_values)
    rows = []
    for names, group in p_values.groupby(list(TEST_COLUMNS), sort=False):
        known = group["p_beats"].dropna()
        for level in levels:
            _check_level(level)
            n_rejected = int((known <= level).sum())
            share = proportion(n_rejected, len(known), confidence=confidence)
            rows.append(
                {
                    **dict(zip(TEST_COLUMNS, names, strict=True)),
                    "level": level,
                    "n_panels": len(group),
                    "n_tested": len(known),
                    "n_blank": len(group) - len(known),
                    "n_distinct": known.nunique(),
                    "n_rejected": n_rejected,
                    "rate": share.rate,
                    "rate_low": share.low,
                    "rate_high": share.high,
                }
            )
    numbers = dict.fromkeys(("rate", "rate_low", "rate_high"), "float64")
    return pd.DataFrame(rows, columns=list(RATE_COLUMNS)).astype(numbers)


def judge_tests(
    p_values: pd.DataFrame,
    *,
    level: float = 0.05,
    familywise: float = 0.05,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Decide for each test of each pair whether it says "beats" too often where nothing is.

    The count of rejections on independent panels is binomial. If the true rate were the level,
    p_above is the exact probability of a count at least as high as the one seen; p_bonferroni is
    that times the number of rows with a test on any panel. At or below ``familywise`` the test
    is withdrawn.

    A pair belongs here only where the hypothesis "no better" holds on a martingale: Sharpe ratios
    before costs and above a rate of zero are all equal there, but after costs the one that trades
    less is truly better, and a shrunken forecast truly has smaller errors than a bold one.

    Args:
        p_values: Table of :func:`~regime_nas_pipeline.audit.panel_runs.p_value_table`, without
            planted edges.
        level: Nominal level of the tests.
        familywise: Probability of withdrawing any test if all keep their level.
        confidence: Of the intervals.

    Returns:
        One row per test and pair: n_tested, n_blank, n_rejected, rate with interval, p_above,
        p_bonferroni, detectable_rate (the true rate that these panels would have shown four times
        in five), verdict ("kept", "withdrawn", or "not judged" where these panels would not have
        shown even a test that is wrong half the time) and the reason.

    Raises:
        DataError: A panel has an edge, or is there twice.
        ParameterError: A level is not between 0 and 1.

    Source: Clopper, C. J. and Pearson, E. S. (1934). The Use of Confidence or Fiducial Limits
    Illustrated in the Case of the Binomial. Biometrika 26(4).
    """
    _check_level(familywise)
    table = false_positives(p_values, levels=(level,), confidence=confidence)
    n_rows = int((table["n_tested"] > 0).sum())
    rows = [_judged(row, level, familywise, n_rows) for row in table.to_dict("records")]
    numbers = ("rate", "rate_low", "rate_high", "p_above", "p_bonferroni", "detectable_rate")
    judged = pd.DataFrame(rows, columns=list(VERDICT_COLUMNS))
    return judged.astype(dict.fromkeys(numbers, "float64"))


def _judged(row: dict[Any, Any], level: float, familywise: float, n_rows: int) -> dict[str, Any]:
    n, count = int(row["n_tested"]), int(row["n_rejected"])
    needed = critical_count(n, level, familywise / max(n_rows, 1))
    detectable = (
        1.0 if needed is None else float(beta.ppf(_DETECTION_POWER, needed, n - needed + 1))
    )
    own = {name: row[name] for name in VERDICT_COLUMNS if name in row}
    blank = f"; on {row['n_blank']} more it could not be made" if row["n_blank"] else ""
    if needed is None or (count < needed and detectable > _GROSS):
        return {
            **own,
            "verdict": NOT_JUDGED,
            "reason": f"{n} panels are too few to show even a rate of {_percent(_GROSS)}{blank}",
        }
    p_above = float(binom.sf(count - 1, n, level))
    seen = (
        f"{count} of {n} panels ({_percent(count / n)}, interval {_percent(row['rate_low'])} to "
        f"{_percent(row['rate_high'])}){blank}"
    )
    withdrawn = count >= needed
    reason = (
        f"said 'beats' where nothing is on {seen}: more than the {_percent(level)} it claims"
        if withdrawn
        else f"said 'beats' on {seen}: not shown to exceed {_percent(level)}, which takes {needed}"
    )
    return {
        **own,
        "p_above": p_above,
        "p_bonferroni": min(1.0, p_above * n_rows),
        "detectable_rate": detectable,
        "verdict": WITHDRAWN if withdrawn else KEPT,
        "reason": reason,
    }


def critical_count(n: int, level: float, alpha: float) -> int | None:
    """Smallest count out of ``n`` whose probability of being reached at rate ``level`` is ≤ alpha.

    Returns:
        The count; None where even n out of n is likelier than that.
    """
    needed = int(binom.isf(alpha, n, level)) + 1 if n else 1
    return needed if needed <= n else None


def verdict_by_test(judged: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """One verdict per test over all pairs: withdrawn as soon as it is for one of them.

    Args:
        judged: Result of :func:`judge_tests`.

    Returns:
        Test to ``verdict`` and ``reason``, and ``pairs``: how many were kept, withdrawn and not
        judged. As JSON can hold it.
    """
    found: dict[str, dict[str, Any]] = {}
    for test, rows in judged.groupby("test", sort=False):
        counts = {
            verdict: int((rows["verdict"] == verdict).sum())
            for verdict in (KEPT, WITHDRAWN, NOT_JUDGED)
        }
        verdict = WITHDRAWN if counts[WITHDRAWN] else KEPT if counts[KEPT] else NOT_JUDGED
        reasons = [
            f"{row['subject']} against {row['against']}: {row['reason']}"
            for row in rows[rows["verdict"] == verdict].to_dict("records")
        ]
        found[str(test)] = {"verdict": verdict, "reason": "; ".join(reasons), "pairs": counts}
    return found


def _check_placebo(p_values: pd.DataFrame) -> None:
    planted = p_values["edge"] != NO_EDGE
    if planted.any():
        raise DataError(
            f"a placebo has no edge, and here is '{p_values.loc[planted, 'edge'].iloc[0]}'",
            source="p-values of the panels",
            remedy="hand over the martingale panels alone.",
        )
    # Two lengths of one panel share what is drawn, so that they would not be independent.
    key = ["panel", "seed", *TEST_COLUMNS]
    doubled = p_values.duplicated(key)
    if doubled.any():
        row = p_values[doubled].iloc[0]
        raise DataError(
            f"panel {row['panel']} of seed {row['seed']} is there twice for {row['test']}",
            source="p-values of the panels",
        )


def _check_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise ParameterError(f"a level must lie between 0 and 1 and is {level}.")


def _percent(share: float) -> str:
    return f"{100.0 * share:.3g} %"
