"""What published figures and ours say about each other, in sentences that claim no more."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from operator import itemgetter
from typing import Any

import pandas as pd
from scipy.stats import kendalltau

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.names import name_in_sentence
from regime_nas_pipeline.verdict.comparison.words import SHARPE_TESTS
from regime_nas_pipeline.verdict.published import Experiment, Message

MIN_RANKED = 3
"""Strategies below which an order says nothing."""

_ROUNDED = 0.01
"""Two figures that are published with two decimals agree when they are closer than this."""
_RATIOS = {"sharpe": "Sharpe ratio", "calmar": "Calmar ratio"}


def dates_sentence(experiment: Experiment, first: date, last: date) -> str | None:
    """Which days the two samples have in common; None where the publication does not say.

    Args:
        experiment: What was published.
        first: Our first out-of-sample day.
        last: Our last one.
    """
    if experiment.first is None or experiment.last is None:
        return None
    start, end = max(experiment.first, first), min(experiment.last, last)
    published = (experiment.last - experiment.first).days + 1
    shared = max(0, (end - start).days + 1) / published
    common = (
        "no day in common, so that every figure may differ for that reason alone"
        if shared == 0.0
        else f"{100.0 * shared:.0f} % of the published days in common"
    )
    return (
        f"The published figures are from {experiment.first} to {experiment.last}, ours from "
        f"{first} to {last}: {common}."
    )


def arithmetic_sentences(experiment: Experiment) -> list[str]:
    """Whether the published ratios follow from the other published figures.

    A Sharpe ratio is reckoned again as (CAGR - risk-free rate) ÷ volatility, a Calmar ratio as
    CAGR ÷ maximum drawdown; figures with two decimals agree within 0.01.
    """
    known: dict[str, dict[str, float]] = {}
    for figure in experiment.figures:
        known.setdefault(figure.of, {})[figure.quantity] = figure.published
    rate = experiment.risk_free
    sentences = []
    if rate is not None:
        how = f"(CAGR \u2212 {100.0 * rate:.2f} %) ÷ volatility"
        sharpes = [
            each["sharpe"] - (each["cagr"] - rate) / each["volatility"]
            for each in known.values()
            if {"sharpe", "cagr"} <= set(each) and each.get("volatility")
        ]
        sentences += _agreement("sharpe", how, sharpes)
    calmars = [
        each["calmar"] - each["cagr"] / abs(each["max_drawdown"])
        for each in known.values()
        if {"calmar", "cagr"} <= set(each) and each.get("max_drawdown")
    ]
    return sentences + _agreement("calmar", "CAGR ÷ maximum drawdown", calmars)


def _agreement(ratio: str, how: str, gaps: Sequence[float]) -> list[str]:
    if not gaps:
        return []
    name, widest = _RATIOS[ratio], max(map(abs, gaps))
    if widest < _ROUNDED:
        return [
            f"Every published {name} follows from the other published figures as {how}, to "
            f"within {widest:.3f}."
        ]
    wrong = sum(abs(gap) >= _ROUNDED for gap in gaps)
    return [
        f"Of {len(gaps)} published {name}s {wrong} do not follow from the other published figures "
        f"as {how}; the widest gap is {widest:.2f}."
    ]


def sharpe_order(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The published order of strategies by Sharpe ratio beside ours, by the same definition.

    Args:
        rows: What :func:`~regime_nas_pipeline.verdict.published.published_rows` returns.

    Returns:
        ``definition``, ``published`` and ``ours`` (names, highest ratio first), ``kendall_tau``,
        ``p_value`` (two-sided, of no relation; these two are None where all ratios are equal) and
        ``same_winner``; None with fewer than :data:`MIN_RANKED` strategies that both have.

    Source: Kendall, M. G. (1938). A New Measure of Rank Correlation. Biometrika 30(1/2).
    """
    both = [row for row in rows if row["quantity"] == "sharpe" and row["ours"] is not None]
    if len(both) < MIN_RANKED:
        return None
    tau = kendalltau([row["published"] for row in both], [row["ours"] for row in both])
    orders = {
        side: [row["of"] for row in sorted(both, key=itemgetter(side), reverse=True)]
        for side in ("published", "ours")
    }
    known = math.isfinite(tau.statistic)
    return {
        "definition": both[0]["definition"],
        **orders,
        "kendall_tau": float(tau.statistic) if known else None,
        "p_value": float(tau.pvalue) if known else None,
        "same_winner": orders["published"][0] == orders["ours"][0],
    }


def order_sentence(order: Mapping[str, Any]) -> str:
    """Say what :func:`sharpe_order` found."""
    names = {side: ", ".join(map(name_in_sentence, order[side])) for side in ("published", "ours")}
    tau = order["kendall_tau"]
    alike = (
        "they have no order that could be compared"
        if tau is None
        else f"Kendall's tau is {_number(tau)} (1: the same order, {_number(-1.0, 0)}: the "
        f"reverse; p = {order['p_value']:.2f} of no relation)"
    )
    first = "the same strategy is" if order["same_winner"] else "another strategy is"
    return (
        "By Sharpe ratio, as the publication reckons it and the highest first, the published "
        f"order is {names['published']}; ours is {names['ours']}. {alike[0].upper()}{alike[1:]}, "
        f"and {first} first."
    )


def message_sentence(
    message: Message,
    sharpes: Mapping[str, float | None],
    tests: pd.DataFrame,
    *,
    level: float,
) -> str:
    """Whether what the publication says of its strategies holds for ours.

    It fails here only where a strategy has a higher Sharpe ratio than the reference and every
    test of the two stays below the level after Holm's correction. A higher ratio that may be luck
    leaves it open.

    Args:
        message: None of some strategies beats a reference.
        sharpes: Strategy to its yearly Sharpe ratio (mean excess ÷ its deviation).
        tests: Rows of
            :func:`~regime_nas_pipeline.verdict.comparison.table.comparison_table`, without those
            of withdrawn tests.
        level: Of the tests.

    Raises:
        DataError: A strategy is not among ours.
    """
    for name in (*message.strategies, message.reference):
        if name not in sharpes:
            raise DataError(
                f"a published message is about '{name}', and there is no such strategy",
                source="published figures",
                remedy=f"choose one of: {', '.join(sharpes)}.",
            )
    ours = {name: sharpes[name] for name in (*message.strategies, message.reference)}
    start = f"It says that {message.says}"
    if any(ratio is None for ratio in ours.values()):
        return f"{start}; here a Sharpe ratio is undefined, so that this cannot be asked."
    known = {name: float(ratio) for name, ratio in ours.items() if ratio is not None}
    reference = known.pop(message.reference)
    ahead = [name for name, ratio in known.items() if ratio > reference]
    p_values = {name: _holm(tests, name, message.reference) for name in ahead}
    proven = [name for name, found in p_values.items() if found and max(found) < level]
    listed = _listed(
        [f"{_number(ratio)} for {name_in_sentence(name)}" for name, ratio in known.items()]
    )
    beside = (
        f"the Sharpe ratio of {name_in_sentence(message.reference)} is {_number(reference)}, "
        f"beside {listed}"
    )
    if not ahead:
        return f"{start}, and here it holds: {beside}."
    if proven:
        return (
            f"{start}, and here it does not hold: {beside}, and every test calls the lead of "
            f"{_named(proven, p_values)} more than luck."
        )
    return (
        f"{start}, which is neither confirmed nor refuted here: {beside}, but the lead of "
        f"{_named(ahead, p_values)} is not proven to be more than luck."
    )


def _holm(tests: pd.DataFrame, name: str, reference: str) -> list[float]:
    """Corrected p-values of the tests of two Sharpe ratios; empty where none could be run."""
    pair = tests["subject"].isin([name, reference]) & tests["against"].isin([name, reference])
    rows = tests[pair & tests["test"].isin(SHARPE_TESTS)]
    return [float(p) for p in rows["p_holm"][rows["statistic"].notna()]]


def _named(names: Sequence[str], p_values: Mapping[str, Sequence[float]]) -> str:
    return _listed(
        [
            name_in_sentence(name)
            + (
                f" (Holm's p up to {max(p_values[name]):.2g})"
                if p_values[name]
                else " (no test could be run)"
            )
            for name in names
        ]
    )


def _number(value: float, digits: int = 2) -> str:
    text = f"{value:.{digits}f}"
    return text.replace("-", "\u2212") if float(text) != 0.0 else text.lstrip("-")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
