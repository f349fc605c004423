"""Every exposure strategy on the labels of every source, all on the same bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from regime_nas_pipeline.core.names import name_in_sentence
from regime_nas_pipeline.portfolio.exposure.engine import Terms
from regime_nas_pipeline.portfolio.exposure.results import (
    ExposureResults,
    decide_all,
    figures_table,
    first_common_bar,
    run_all,
)
from regime_nas_pipeline.portfolio.exposure.rules import ExposureRule, Known, Wanted
from regime_nas_pipeline.verdict.comparison.words import p_words
from regime_nas_pipeline.walkforward.exposures import exposure_tests

NO_LABELS = "none"
"""Source of labels of strategies that look at none."""

SEPARATOR = "."


@dataclass(frozen=True, eq=False)
class ExposureStudy:
    """What every strategy earned.

    Attributes:
        net: Date x ``source.strategy``, simple returns per bar after everything.
        exposure: The same, share of wealth in the index during the bar.
        figures: One row per source and strategy: labels, strategy, figures, and from Ledoit and
            Wolf's test against buy and hold: difference (of Sharpe ratios above cash), p_value
            (two-sided), p_holm and effect (``better``, ``worse``, ``open``; blank for buy and
            hold itself).
    """

    net: pd.DataFrame
    exposure: pd.DataFrame
    figures: pd.DataFrame


def study_exposures(
    returns: pd.Series,
    rules: Sequence[ExposureRule],
    labels: Mapping[str, pd.DataFrame],
    terms: Terms,
    *,
    max_exposure: float,
    resamples: int,
    seed: int,
    level: float,
) -> ExposureStudy:
    """Run every rule on every source of labels; rules without labels run once.

    Args:
        returns: Simple return of the index per bar, by date.
        rules: The strategies, buy and hold among them.
        labels: Source to date x regime, as known on the day.
        terms: Lag, costs and rates.
        max_exposure: Leverage cap.
        resamples: Of the bootstrap test.
        seed: Of its blocks.
        level: Below it a p-value after Holm's correction, over all strategies of all sources,
            counts.

    Raises:
        DataError: Labels or returns cannot be used.
        ParameterError: A rule wants more than ``max_exposure``.
    """
    wanted: dict[str, Wanted] = {}
    plain = [rule for rule in rules if not rule.uses_labels]
    labelled = [rule for rule in rules if rule.uses_labels]
    known = Known(returns, None, terms.bars_per_year)
    wanted |= decide_all(plain, known, max_exposure=max_exposure)
    for source, regimes in labels.items():
        known = Known(returns, regimes, terms.bars_per_year)
        for name, each in decide_all(labelled, known, max_exposure=max_exposure).items():
            wanted[f"{source}{SEPARATOR}{name}"] = each
    first = first_common_bar(returns, wanted, terms)
    results = run_all(returns, wanted, terms, first=first)
    figures = figures_table(results, cash_rate=terms.cash_rate, bars_per_year=terms.bars_per_year)
    tested = _tested(results, terms, resamples=resamples, seed=seed, level=level)
    figures = figures.merge(tested, on="strategy", how="left", validate="one_to_one")
    sources, strategies = zip(*map(_parted, figures["strategy"]), strict=True)
    figures["strategy"] = strategies
    figures.insert(0, "labels", sources)
    return ExposureStudy(results.column("net"), results.column("exposure"), figures)


def _parted(name: str) -> tuple[str, str]:
    source, _, strategy = name.rpartition(SEPARATOR)
    return source or NO_LABELS, strategy


def _tested(
    results: ExposureResults, terms: Terms, *, resamples: int, seed: int, level: float
) -> pd.DataFrame:
    tests = exposure_tests(results, terms, n_resamples=resamples, seed=seed)
    robust = tests[tests["test"] == "ledoit_wolf"].rename(
        columns={"subject": "strategy", "p_two_sided": "p_value"}
    )
    sure = robust["p_holm"] < level
    effect = pd.Series("open", index=robust.index)
    effect[sure & (robust["difference"] > 0)] = "better"
    effect[sure & (robust["difference"] < 0)] = "worse"
    columns = ["strategy", "difference", "p_value", "p_holm", "effect"]
    return robust.assign(effect=effect)[columns].reset_index(drop=True)


def survivors(figures: pd.DataFrame, *, level: float) -> list[str]:
    """What survives of the strategies, in plain words.

    Args:
        figures: ``ExposureStudy.figures``.
        level: Of the tests.
    """
    tested = figures[figures["effect"].notna()]
    held = figures[figures["effect"].isna()]
    best = figures.sort_values("sharpe", ascending=False, kind="stable").iloc[0]
    lines = []
    if len(held):
        lines.append(
            f"Buy and hold has a Sharpe ratio of {held['sharpe'].iloc[0]:.2f} above cash; the "
            f"highest of {len(figures)} strategies is {best['sharpe']:.2f}: {_who(best)}."
        )
    better = tested[tested["effect"] == "better"]
    worse = tested[tested["effect"] == "worse"]
    if better.empty:
        lines.append(
            f"Nothing survives: none of the other {len(tested)} has a Sharpe ratio above that of "
            "buy and hold by more than chance explains (Ledoit and Wolf's test: after Holm's "
            f"correction the smallest has {p_words(tested['p_holm'].min())}, and below {level:g} "
            "would count)."
        )
    else:
        named = "; ".join(_who(row) for _, row in better.iterrows())
        lines.append(f"Better than buy and hold by more than chance: {named}.")
    if len(worse):
        lines.append(
            f"Worse by more than chance: {'; '.join(_who(r) for _, r in worse.iterrows())}."
        )
    shallow = (tested["max_drawdown"] > held["max_drawdown"].iloc[0]).sum() if len(held) else 0
    lines.append(
        f"{shallow} of {len(tested)} lost less from their highest wealth than buy and hold did, "
        "which holding less does by itself."
    )
    return lines


def _who(row: pd.Series) -> str:
    name = name_in_sentence(str(row["strategy"]))
    if row["labels"] == NO_LABELS:
        return name
    return f"{name} on the labels of {name_in_sentence(str(row['labels']))}"
