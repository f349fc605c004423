"""Exposure strategies against buy and hold, and what each cheat of a backtest is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.portfolio.exposure.engine import Terms
from regime_nas_pipeline.portfolio.exposure.results import (
    FIGURES,
    ExposureResults,
    decide_all,
    excess_returns,
    figures_table,
    first_common_bar,
    run_all,
)
from regime_nas_pipeline.portfolio.exposure.rules import (
    BUY_AND_HOLD,
    ExposureRule,
    Known,
    Wanted,
)
from regime_nas_pipeline.verdict.comparison.ledoit_wolf import N_RESAMPLES
from regime_nas_pipeline.verdict.comparison.table import comparison_table

WORTH = ("sharpe", "sharpe_zero", "cagr")
"""Figures of which the ladder says how much each cheat was worth."""


@dataclass(frozen=True)
class Rung:
    """One way to run the same strategies; each rung has one cheat less than the one before.

    Attributes:
        name: Key.
        label: What is done, for people.
        removes: The cheat that the rung before has and this one has not; empty for the first.
    """

    name: str
    label: str
    removes: str = ""


RUNGS = (
    Rung("same_bar", "Whole-sample labels earn their own bar, nothing is paid"),
    Rung("own_close", "Traded at the close that the label is made of", "earning the label's bar"),
    Rung("lagged", "Traded after the execution lag", "trading at the label's own close"),
    Rung("costs", "Trading costs paid", "trading for nothing"),
    Rung(
        "financing",
        "Interest on cash, financing of leverage",
        "borrowing for nothing, and cash without interest",
    ),
    Rung("online", "Labels known on the day, parameters refitted", "labels from the whole sample"),
)
"""From the published kind of backtest to one that could have been traded."""


@dataclass(frozen=True, eq=False)
class Ladder:
    """Every strategy on every rung with the labels of every labeller, all on the same bars.

    Attributes:
        table: One row per labeller, rung and strategy: ``labeller``, ``rung``, ``strategy``, the
            figures of :func:`~regime_nas_pipeline.portfolio.exposure.results.figures_table`, and
            ``worth_`` of the Sharpe ratios and the growth: the figure one rung before minus that
            of this one, which is what the cheat was worth; blank on the first rung.
        net: Labeller and rung to net returns, date x strategy.
    """

    table: pd.DataFrame
    net: Mapping[tuple[str, str], pd.DataFrame]


def exposure_tests(
    results: ExposureResults, terms: Terms, *, n_resamples: int = N_RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Test the Sharpe ratio of every strategy against that of buy and hold.

    Ratios are of returns above the cash rate of each bar.

    Args:
        results: The strategies, buy and hold among them.
        terms: Give the cash rate and the bars of a year.
        n_resamples: Resamples of Ledoit and Wolf's bootstrap.
        seed: Of its blocks.

    Returns:
        See :func:`~regime_nas_pipeline.verdict.comparison.table.comparison_table`.

    Raises:
        DataError: Buy and hold is not among the strategies, or there are fewer than 30 bars.
    """
    excess = excess_returns(results.column("net"), terms.cash_rate, terms.bars_per_year)
    return comparison_table(
        excess,
        [BUY_AND_HOLD],
        risk_free=0.0,
        bars_per_year=terms.bars_per_year,
        n_resamples=n_resamples,
        seed=seed,
    )


def cheat_ladder(
    returns: pd.Series,
    rules: Sequence[ExposureRule],
    terms: Terms,
    *,
    hindsight: Mapping[str, pd.DataFrame],
    online: Mapping[str, pd.DataFrame],
    max_exposure: float,
) -> Ladder:
    """Run the same strategies with one cheat less on every rung of :data:`RUNGS`.

    All rungs of all labellers earn the same bars, so that only the cheat differs: from the first
    that the online labels of every labeller and the honest lag allow.

    Args:
        returns: Simple return of the index per bar, (T,), by date.
        rules: The strategies.
        terms: Honest lag, costs and rates; rungs before theirs run without them. Sharpe ratios
            are above this cash rate on every rung.
        hindsight: Labeller to date x regime, labels of a model fitted on the whole sample.
        online: Labeller to date x regime, labels of models fitted before each date.
        max_exposure: Largest exposure allowed.

    Raises:
        DataError: Labels or returns cannot be used, or there is no bar that all can earn.
        ParameterError: The labellers of the two kinds of labels differ, or a rule wants more
            exposure than is allowed.
    """
    if not online or set(hindsight) != set(online):
        raise ParameterError(
            "the ladder needs whole-sample and online labels of the same labellers; they are of "
            f"{', '.join(hindsight) or 'none'} and of {', '.join(online) or 'none'}."
        )
    decided: dict[tuple[str, bool], dict[str, Wanted]] = {}
    for name, labels in online.items():
        for honest, regimes in ((False, hindsight[name]), (True, labels)):
            known = Known(returns, regimes, terms.bars_per_year)
            decided[name, honest] = decide_all(rules, known, max_exposure=max_exposure)
    first = max(first_common_bar(returns, wanted, terms) for wanted in decided.values())
    tables, net = [], {}
    for name in online:
        before: pd.DataFrame | None = None
        for rung in RUNGS:
            results = run_all(
                returns,
                decided[name, rung.name == "online"],
                rung_terms(rung.name, terms),
                first=first,
                same_bar=rung.name == "same_bar",
            )
            figures = figures_table(
                results, cash_rate=terms.cash_rate, bars_per_year=terms.bars_per_year
            )
            figures.insert(0, "labeller", name)
            figures.insert(1, "rung", rung.name)
            tables.append(_with_worth(figures, before))
            net[name, rung.name], before = results.column("net"), figures
    return Ladder(pd.concat(tables, ignore_index=True), net)


def rung_terms(name: str, honest: Terms) -> Terms:
    """The terms of a rung: what an investor has to live with, less what the rung leaves out.

    Raises:
        DataError: There is no such rung.
    """
    names = [rung.name for rung in RUNGS]
    if name not in names:
        raise DataError(f"no rung is called '{name}'", remedy=f"choose one of: {', '.join(names)}.")
    place = names.index(name)
    terms = honest
    if place < names.index("financing"):
        terms = replace(terms, cash_rate=0.0, financing_spread=0.0)
    if place < names.index("costs"):
        terms = replace(terms, cost_bps=0.0)
    if place < names.index("lagged"):
        terms = replace(terms, execution_lag=0)
    return terms


def _with_worth(figures: pd.DataFrame, before: pd.DataFrame | None) -> pd.DataFrame:
    columns = ["labeller", "rung", "strategy", *FIGURES]
    table = figures[columns].copy()
    for key in WORTH:
        table[f"worth_{key}"] = float("nan") if before is None else before[key] - figures[key]
    return table
