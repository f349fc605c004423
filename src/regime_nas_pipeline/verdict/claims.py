"""The headline: two sentences that say what the results allow, whichever way they fall."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.names import display_name

SUBJECT = "regime_nas"
"""The forecaster that the question is about."""

REFERENCES = ("equal_weight", "mvo_flat", "buy_and_hold")
"""Portfolios that need no forecast; every other strategy is a forecaster."""

OPPONENTS = ("equal_weight", "momentum")
"""What the subject has to beat before anything can be claimed for it."""

LEVEL = 0.05

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ORDINALS = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
# What a sentence calls by a common noun rather than by a name.
_COMMON_NOUNS = {"momentum", "equal_weight", "mvo_flat", "buy_and_hold"}


def headline(
    summary: Mapping[str, Any], significance: pd.DataFrame, *, benchmark: str = "benchmark"
) -> str:
    """Exactly two sentences: who came first and where RegimeNAS stands; what may be claimed.

    Where RegimeNAS stands is said beside the other forecasters, and beside equal weight and the
    benchmark, which need no forecast.

    Args:
        summary: The verdict with ``sample`` (``first_oos``, ``last_oos``) and ``strategies``
            (name to figures with ``sharpe`` and ``cagr``; None where undefined).
        significance: Rows of :func:`~regime_nas_pipeline.verdict.sharpe.compare_sharpes`.
        benchmark: What buy-and-hold holds.

    Raises:
        DataError: regime_nas is not among the strategies, or a comparison is missing.
    """
    return f"{_standing(summary, benchmark)} {_claim(summary, significance)}"


def closing_line(summary: Mapping[str, Any]) -> str:
    """One line for the end of a run: who had the highest Sharpe ratio, reference or not."""
    strategies = summary["strategies"]
    known = {name: _rounded(figures["sharpe"]) for name, figures in strategies.items()}
    ranked = [value for value in known.values() if value is not None]
    if not ranked:
        return "No strategy has a defined Sharpe ratio."
    best = [name for name, value in known.items() if value == max(ranked)]
    winners = _listed([_with_figures(name, strategies) for name in best])
    subject = "" if SUBJECT in best else f"; {_with_figures(SUBJECT, strategies)}"
    return f"Highest Sharpe ratio net of costs: {winners}{subject}."


def _standing(summary: Mapping[str, Any], benchmark: str) -> str:
    strategies, sample = summary["strategies"], summary["sample"]
    if SUBJECT not in strategies:
        raise DataError("the summary has no such strategy", column=SUBJECT)
    sharpes = {
        name: _rounded(figures["sharpe"])
        for name, figures in strategies.items()
        if name not in REFERENCES
    }
    period = f"Net of costs, from {sample['first_oos']} to {sample['last_oos']}"
    if all(value is None for value in sharpes.values()):
        return f"{period}, no forecaster has a defined Sharpe ratio."
    beside = _beside_references(strategies, benchmark)
    return f"{period}, {_order(sharpes, strategies)}{', ' + beside if beside else ''}."


def _order(sharpes: Mapping[str, float | None], strategies: Mapping[str, Any]) -> str:
    """Who leads the forecasters, and the place of the subject, whose name always ends the text."""
    ranked = [value for value in sharpes.values() if value is not None]
    best = [name for name, value in sharpes.items() if value == max(ranked)]
    field = f"of {_count(len(sharpes))} forecasters"
    own, subject = sharpes[SUBJECT], _with_figures(SUBJECT, strategies)
    if best == [SUBJECT]:
        return f"{subject} had the highest Sharpe ratio {field}"
    if SUBJECT in best:
        others = _listed([_plain(name) for name in best if name != SUBJECT])
        return f"{subject} shared the highest Sharpe ratio {field} with {others}"
    leaders = _listed([_with_figures(name, strategies) for name in best])
    verb = "had" if len(best) == 1 else "shared"
    place = "is unranked"
    if own is not None:
        level = [
            _plain(name) for name, value in sharpes.items() if value == own and name != SUBJECT
        ]
        place = f"came {_ordinal(1 + sum(value > own for value in ranked))}"
        place += f", level with {_listed(level)}" if level else ""
    return f"{leaders} {verb} the highest Sharpe ratio {field} and {subject} {place}"


def _beside_references(strategies: Mapping[str, Any], benchmark: str) -> str:
    """Whether the subject's Sharpe ratio lies below, level with or above those of no forecast."""
    own = _rounded(strategies[SUBJECT]["sharpe"])
    sides: dict[str, list[str]] = {"below": [], "level with": [], "above": [], "beside": []}
    for name, title in (
        ("equal_weight", _plain("equal_weight")),
        ("buy_and_hold", f"the {benchmark} buy-and-hold"),
    ):
        if name not in strategies:
            continue
        other = _rounded(strategies[name]["sharpe"])
        side = "beside"
        if own is not None and other is not None:
            side = "below" if own < other else "above" if own > other else "level with"
        sides[side].append(f"{title} ({_sharpe(other)})")
    return " and ".join(f"{side} {_listed(names)}" for side, names in sides.items() if names)


def _claim(summary: Mapping[str, Any], significance: pd.DataFrame) -> str:
    opponents = [name for name in OPPONENTS if name in summary["strategies"]]
    if not opponents:
        return f"Nothing was tested against {_plain(SUBJECT)}: no difference can be claimed."
    outcomes: dict[str, list[str]] = {"higher": [], "lower": [], "chance": []}
    for name in opponents:
        difference, p_value = _comparison(significance, name)
        figures = f"{_plain(name)} ({_signed(difference)}, {_p(p_value)})"
        if not p_value < LEVEL:
            outcomes["chance"].append(figures)
        else:
            outcomes["higher" if difference > 0.0 else "lower"].append(figures)
    parts = [
        f"is significantly {way} than that of {_listed(outcomes[way])}"
        for way in ("higher", "lower")
        if outcomes[way]
    ]
    if outcomes["chance"]:
        parts.append(f"cannot be told apart from that of {_listed(outcomes['chance'])}")
    nothing = not (outcomes["higher"] or outcomes["lower"])
    return (
        f"At the 5 % level, with Holm's correction for {len(significance)} "
        f"comparison{'' if len(significance) == 1 else 's'}, the Sharpe ratio of "
        f"{_plain(SUBJECT)} {_listed(parts)}{': no difference can be claimed' if nothing else ''}."
    )


def _comparison(significance: pd.DataFrame, opponent: str) -> tuple[float, float]:
    """Yearly difference (subject minus opponent) and Holm-adjusted p, whichever way tested."""
    for first, second, sign in ((SUBJECT, opponent, 1.0), (opponent, SUBJECT, -1.0)):
        rows = significance[
            (significance["strategy"] == first) & (significance["against"] == second)
        ]
        if len(rows):
            return sign * float(rows["difference"].iloc[0]), float(rows["p_holm"].iloc[0])
    raise DataError(
        f"there is no comparison of {SUBJECT} with {opponent}",
        source="significance",
        remedy=f"compare against {opponent} too.",
    )


def _with_figures(name: str, strategies: Mapping[str, Any]) -> str:
    sharpe, cagr = _rounded(strategies[name]["sharpe"]), strategies[name]["cagr"]
    growth = "CAGR undefined" if cagr is None else f"CAGR {_number(100.0 * cagr, 1)} %"
    return f"{_plain(name)} ({_sharpe(sharpe)}, {growth})"


def _sharpe(rounded: float | None) -> str:
    return "Sharpe undefined" if rounded is None else f"Sharpe {_number(rounded)}"


def _rounded(value: float | None) -> float | None:
    """To the two decimals that are printed, so that a printed tie is called a tie."""
    return None if value is None else round(float(value), 2) + 0.0


def _number(value: float, digits: int = 2) -> str:
    return f"{round(value, digits) + 0.0:.{digits}f}"


def _signed(value: float) -> str:
    if math.isnan(value):
        return "undefined"
    return ("+" if round(value, 2) > 0.0 else "") + _number(value)


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.0005 else f"p = {value:.3f}"


def _plain(name: str) -> str:
    shown = display_name(name)
    return shown.lower() if name in _COMMON_NOUNS else shown


def _count(number: int) -> str:
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number)


def _ordinal(rank: int) -> str:
    return _ORDINALS[rank] if rank < len(_ORDINALS) else f"number {rank}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
