"""Tables of exposure strategies: figures, tests, the ladder of cheats, published figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import pandas as pd

from regime_nas_pipeline.core.names import display_name
from regime_nas_pipeline.report.columns import Column, count, percent
from regime_nas_pipeline.report.tables import Table, make_table
from regime_nas_pipeline.report.theme import in_display_order

_STRATEGIES = {
    "labels": Column("Labels", "text"),
    "strategy": Column("Strategy", "text"),
    "cagr": percent("Growth", 1, unit="% a year"),
    "volatility": percent("Volatility", -1, unit="% a year"),
    "max_drawdown": percent("Max. drawdown", 1),
    "sharpe": Column("Sharpe", better=1, unit="ratio"),
    "difference": Column("Gain", unit="of Sharpe"),
    "p_holm": Column("p", "p_value", 3, "Holm"),
}
_ACCOUNTS = {
    "labels": Column("Labels", "text"),
    "strategy": Column("Strategy", "text"),
    "mean_exposure": percent("Held", unit="%, mean"),
    "turnover_per_year": Column("Traded", unit="times a year"),
    "cost_per_year": percent("Costs", digits=2, unit="% a year"),
    "interest_per_year": percent("Interest", digits=2, unit="% a year"),
    "financing_per_year": percent("Financing", digits=2, unit="% a year"),
    "n_capped": count("At the cap", "bars"),
}
_MEASURES = {
    "sharpe": ("Sharpe ratio above cash", Column("")),
    "sharpe_zero": ("Sharpe ratio above nothing", Column("")),
    "cagr": ("growth in % a year", percent("", unit="")),
    "max_drawdown": ("largest drawdown in %", percent("", unit="")),
}
_PUBLISHED = {
    "sharpe_zero": ("Sharpe ratio above nothing", 1.0),
    "total_return": ("Total return, %", 1e2),
    "mean_per_bar": ("Mean return per bar, basis points", 1e4),
    "volatility_per_bar": ("Volatility per bar, basis points", 1e4),
}


class Published(Protocol):
    """Published figures of one strategy, in decimals."""

    @property
    def strategy(self) -> str:
        """The rule of ours that it is."""

    @property
    def total_return(self) -> float:
        """Cumulative return over the whole sample."""

    @property
    def sharpe(self) -> float:
        """Yearly Sharpe ratio above nothing."""

    @property
    def mean_per_bar(self) -> float:
        """Mean return per bar."""

    @property
    def volatility_per_bar(self) -> float:
        """Standard deviation per bar."""


def exposure_strategies(figures: pd.DataFrame) -> Table:
    """What every strategy earned on every source of labels, and whether that is more than luck.

    Args:
        figures: Rows of ``walkforward.exposure_study.ExposureStudy.figures``, sources named for
            people.
    """
    caption = "Every strategy on every source of labels, after lag, costs, interest and financing"
    return make_table(
        "exposure_strategies",
        caption,
        figures[list(_STRATEGIES)],
        mark_best=True,
        columns=_STRATEGIES,
    )


def exposure_accounts(figures: pd.DataFrame) -> Table:
    """What every strategy held and traded, and what that cost.

    Args:
        figures: As in :func:`exposure_strategies`.
    """
    shown = figures[list(_ACCOUNTS)]
    if not shown["n_capped"].any():
        shown = shown.drop(columns="n_capped")
    return make_table("exposure_accounts", "What they held and paid", shown, columns=_ACCOUNTS)


def ladder_table(ladder: pd.DataFrame, labels: Mapping[str, str], measure: str) -> Table:
    """One measure on every rung: a row per labeller and rung, a column per strategy.

    Args:
        ladder: Rows of ``walkforward.exposures.Ladder.table``.
        labels: Rung to what it is called, in order.
        measure: sharpe, sharpe_zero, cagr or max_drawdown.
    """
    wide = _by_rung(ladder, labels, measure)
    title, written = _MEASURES[measure]
    columns = _wide_columns(wide, "What is done", written)
    caption = f"The same strategies with one cheat less on every rung: {title}"
    return make_table(f"ladder_{measure}", caption, wide, columns=columns, grouped=True)


def worth_table(ladder: pd.DataFrame, removes: Mapping[str, str], measure: str) -> Table:
    """What each cheat was worth: a row per labeller and cheat, a column per strategy.

    Args:
        ladder: Rows of ``walkforward.exposures.Ladder.table``.
        removes: Rung to the cheat that it takes away, in order; the first rung, which takes none,
            is left out.
        measure: sharpe, sharpe_zero or cagr.
    """
    taken = {rung: cheat[:1].upper() + cheat[1:] for rung, cheat in removes.items() if cheat}
    rows = ladder[ladder["rung"].isin(list(taken))]
    wide = _by_rung(rows, taken, f"worth_{measure}")
    title, written = _MEASURES[measure]
    columns = _wide_columns(wide, "Cheat", written)
    caption = f"What each cheat was worth: {title} with it minus that without it"
    return make_table(f"worth_{measure}", caption, wide, columns=columns, grouped=True)


def published_exposures(
    ladder: pd.DataFrame, published: Sequence[Published], labels: Mapping[str, str]
) -> Table:
    """Published figures above ours on every rung, with the labels of one labeller.

    Cumulative returns are over samples of different length; the others can be compared.

    Args:
        ladder: Rows of ``walkforward.exposures.Ladder.table`` of one labeller.
        published: The figures.
        labels: Rung to what it is called, in order.
    """
    own = ladder.pivot(index="rung", columns="strategy", values=list(_PUBLISHED))
    names = [each.strategy for each in published]
    rows: list[dict[str, object]] = []
    for key, (figure, scale) in _PUBLISHED.items():
        theirs = {
            "sharpe_zero": [each.sharpe for each in published],
            "total_return": [each.total_return for each in published],
            "mean_per_bar": [each.mean_per_bar for each in published],
            "volatility_per_bar": [each.volatility_per_bar for each in published],
        }[key]
        lines = {"Published": theirs} | {
            label: own[key].loc[rung, names].tolist() for rung, label in labels.items()
        }
        rows += [
            {"figure": figure, "rung": what}
            | {name: scale * value for name, value in zip(names, values, strict=True)}
            for what, values in lines.items()
        ]
    columns = {
        "figure": Column("Figure", "text"),
        "rung": Column("What is done", "text"),
        **{name: Column(display_name(name)) for name in names},
    }
    frame = pd.DataFrame(rows, columns=list(columns))
    caption = "Published figures above ours on every rung"
    return make_table("published_exposures", caption, frame, columns=columns, grouped=True)


def resemblance_table(distances: pd.DataFrame, labels: Mapping[str, str]) -> Table:
    """How far the published figures are from those of every rung.

    Args:
        distances: Rows of ``walkforward.exposure_resemblance.resemblance``.
        labels: Rung to what it is called.
    """
    columns = {
        "labeller": Column("Labels", "text"),
        "rung": Column("What is done", "text"),
        "distance": Column("Distance", better=-1, unit="standard errors, all figures"),
        "p_value": Column("p", "p_value", 3, "all figures"),
        "sharpe_distance": Column("Distance", better=-1, unit="standard errors, Sharpe"),
        "sharpe_p_value": Column("p", "p_value", 3, "Sharpe"),
    }
    frame = distances.assign(rung=distances["rung"].map(labels))[list(columns)]
    caption = "How far the published figures are from ours on every rung"
    return make_table(
        "exposure_resemblance", caption, frame, mark_best=True, columns=columns, grouped=True
    )


def _by_rung(rows: pd.DataFrame, labels: Mapping[str, str], measure: str) -> pd.DataFrame:
    """Labeller and rung in words, and the measure of every strategy in a column of its own."""
    strategies = in_display_order(rows["strategy"].astype(str))
    wide = rows.pivot(index=["labeller", "rung"], columns="strategy", values=measure)
    order = [(who, rung) for who in pd.unique(rows["labeller"]) for rung in labels]
    frame = wide.reindex(order)[strategies].reset_index()
    return frame.assign(rung=frame["rung"].map(labels))


def _wide_columns(wide: pd.DataFrame, what: str, written: Column) -> dict[str, Column]:
    columns = {"labeller": Column("Labels", "text"), "rung": Column(what, "text")}
    for name in wide.columns[2:]:
        columns[name] = replace(written, label=display_name(name))
    return columns
