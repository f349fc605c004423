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

_FIGURES = {
    "strategy": Column("Strategy", "text"),
    "sharpe": Column("Sharpe", better=1, unit="above cash"),
    "sharpe_zero": Column("Sharpe", better=1, unit="above nothing"),
    "cagr": percent("Growth", 1, unit="% a year"),
    "volatility": percent("Volatility", -1, unit="% a year"),
    "max_drawdown": percent("Max. drawdown", 1),
    "calmar": Column("Calmar", better=1, unit="ratio"),
    "total_return": percent("Total return"),
    "mean_exposure": percent("Held", unit="% of wealth, mean"),
    "turnover_per_year": Column("Traded", unit="times wealth a year"),
    "cost_per_year": percent("Costs", digits=2, unit="% a year"),
    "interest_per_year": percent("Interest", digits=2, unit="% a year"),
    "financing_per_year": percent("Financing", digits=2, unit="% a year"),
    "n_capped": count("At the cap", "bars"),
    "n_bars": count("Bars"),
}
_TESTS = {
    "strategy": Column("Strategy", "text"),
    "against": Column("Against", "text"),
    "difference": Column("Sharpe difference", unit="above cash, a year"),
    "standard_error": Column("Standard error", unit="a year"),
    "p_two_sided": Column("p", "p_value", 3, "Ledoit-Wolf"),
    "p_holm": Column("p", "p_value", 3, "Holm"),
}
_MEASURES = {
    "sharpe": Column("", unit="Sharpe above cash"),
    "sharpe_zero": Column("", unit="Sharpe above nothing"),
    "cagr": percent("", unit="% a year"),
    "max_drawdown": percent("", unit="max. drawdown, %"),
}
_PUBLISHED = {
    "total_return": ("Total return, %", 100.0),
    "sharpe_zero": ("Sharpe above nothing", 1.0),
    "mean_per_bar": ("Mean return per bar, %", 100.0),
    "volatility_per_bar": ("Volatility per bar, %", 100.0),
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


def exposure_figures(figures: pd.DataFrame) -> Table:
    """Figures of every strategy, best values marked.

    Args:
        figures: Rows of ``portfolio.exposure.results.figures_table``.
    """
    ordered = _in_order(figures)[list(_FIGURES)]
    if not ordered["n_capped"].any():
        ordered = ordered.drop(columns="n_capped")
    caption = "Exposure strategies after lag, costs, interest and financing"
    return make_table("exposure_figures", caption, ordered, mark_best=True, columns=_FIGURES)


def exposure_tests(tests: pd.DataFrame) -> Table:
    """Ledoit and Wolf's tests of every strategy against buy and hold.

    Args:
        tests: Rows of ``verdict.comparison.table.comparison_table``; Holm's correction counts all
            of its rows.
    """
    robust = tests[tests["test"] == "ledoit_wolf"].rename(columns={"subject": "strategy"})
    caption = "Is the Sharpe ratio another than that of buy and hold?"
    return make_table("exposure_tests", caption, _in_order(robust)[list(_TESTS)], columns=_TESTS)


def ladder_table(ladder: pd.DataFrame, labels: Mapping[str, str], measure: str) -> Table:
    """One measure on every rung: a row per labeller and rung, a column per strategy.

    Args:
        ladder: Rows of ``walkforward.exposures.Ladder.table``.
        labels: Rung to what it is called, in order.
        measure: sharpe, sharpe_zero, cagr or max_drawdown.
    """
    wide = _by_rung(ladder, labels, measure)
    columns = _wide_columns(wide, "What is done", _MEASURES[measure])
    caption = "The same strategies with one cheat less on every rung"
    return make_table(f"ladder_{measure}", caption, wide, columns=columns)


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
    columns = _wide_columns(wide, "Cheat", _MEASURES[measure])
    caption = "What each cheat was worth: the figure with it minus the figure without it"
    return make_table(f"worth_{measure}", caption, wide, columns=columns)


def published_exposures(
    ladder: pd.DataFrame, published: Sequence[Published], labels: Mapping[str, str]
) -> Table:
    """Published figures beside ours on every rung.

    Cumulative returns are over samples of different length; the others can be compared.

    Args:
        ladder: Rows of ``walkforward.exposures.Ladder.table``.
        published: The figures.
        labels: Rung to what it is called, in order.
    """
    rows = []
    for labeller in pd.unique(ladder["labeller"]):
        own = ladder[ladder["labeller"] == labeller].set_index(["strategy", "rung"])
        for each in published:
            theirs = {
                "total_return": each.total_return,
                "sharpe_zero": each.sharpe,
                "mean_per_bar": each.mean_per_bar,
                "volatility_per_bar": each.volatility_per_bar,
            }
            for key, (label, scale) in _PUBLISHED.items():
                values = own.loc[each.strategy, key]
                ours = {rung: scale * values[rung] for rung in labels}
                head = {"labeller": labeller, "figure": label, "strategy": each.strategy}
                rows.append({**head, "published": scale * theirs[key], **ours})
    columns = {
        "labeller": Column("Labels", "text"),
        "figure": Column("Figure", "text"),
        "strategy": Column("Strategy", "text"),
        "published": Column("Published", digits=4),
        **{rung: Column(label, digits=4) for rung, label in labels.items()},
    }
    caption = "Published figures beside ours on every rung"
    frame = pd.DataFrame(rows, columns=list(columns))
    return make_table("published_exposures", caption, frame, columns=columns)


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
    return make_table("exposure_resemblance", caption, frame, mark_best=True, columns=columns)


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


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    order = in_display_order(table["strategy"].astype(str))
    return table.set_index("strategy").loc[order].reset_index()
