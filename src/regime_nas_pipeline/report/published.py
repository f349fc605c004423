"""The chapter that sets published figures beside ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from regime_nas_pipeline.core.names import name_in_sentence
from regime_nas_pipeline.report.columns import Column
from regime_nas_pipeline.report.section import Section
from regime_nas_pipeline.report.tables import Table, make_table
from regime_nas_pipeline.report.theme import in_display_order, strategy_style

PUBLISHED_SECTION = Section(
    "published",
    "Published figures",
    "What others have published of strategies like these, beside ours. Ours come from other "
    "prices, dates or networks, so a difference refutes nothing by itself, and an equal figure "
    "proves nothing either: look at the order of the strategies, and at the reasons why figures "
    "may differ. Where a publication does not say how it reckoned a figure, ours stands there by "
    "the definition that fits its other figures; the second table has the others.",
    tables=("published_figures", "published_definitions", "published_remarks"),
    optional=("published_figures", "published_definitions", "published_remarks"),
    compares=True,
    hidden_if_empty=True,
)

PUBLISHED_CAPTIONS = {
    "published_figures": "Published figures and ours",
    "published_definitions": "Ours by every definition",
    "published_remarks": "Why figures may differ, and what is doubtful in the source",
}

_MONTHS = "monthly"
_SHARPE, _GROWTH = "mean excess ÷ deviation", "(CAGR \u2212 rf) ÷ volatility"
_QUANTITIES = {
    "cagr": ("Growth, % a year", 100.0),
    "total_return": ("Total return, %", 100.0),
    "volatility": ("Volatility, % a year", 100.0),
    "sharpe": ("Sharpe ratio", 1.0),
    "max_drawdown": ("Max. drawdown, %", 100.0),
    "calmar": ("Calmar ratio", 1.0),
    "turnover": ("Turnover, % a rebalance", 100.0),
    "mean_weight": ("Mean weight, %", 100.0),
    "sharpe_test": ("z of equal Sharpe ratios", 1.0),
    "predicted_spread": ("Spread of forecasts, %", 100.0),
    "realised_spread": ("Spread of outcomes, %", 100.0),
    "mae": ("MAE, % log return", 100.0),
    "rmse": ("RMSE, % log return", 100.0),
    "r2": ("R², %", 100.0),
    "rank_ic": ("Rank IC", 1.0),
}
"""Quantity to its heading and what its figures are multiplied by."""
_DEFINITIONS = {
    "volatility": "of returns per bar",
    "volatility_monthly": "of monthly returns",
    "sharpe": _SHARPE,
    "sharpe_cagr": _GROWTH,
    "sharpe_monthly": f"{_SHARPE}, {_MONTHS}",
    "sharpe_cagr_monthly": f"{_GROWTH}, {_MONTHS}",
    "max_drawdown": "bar by bar",
    "max_drawdown_monthly": "at month ends",
    "calmar": "drawdown bar by bar",
    "calmar_monthly": "drawdown at month ends",
    "jobson_korkie_memmel": "Jobson-Korkie-Memmel",
    "ledoit_wolf": "Ledoit-Wolf",
    "r2": "against the training mean",
    "r2_zero": "against zero",
}
"""Definition to its name; quantities with one definition need none."""
_EXPERIMENT = {"experiment": Column("Publication", "text")}
_COLUMNS = {
    **_EXPERIMENT,
    "figure": Column("Figure", "text"),
    "strategy": Column("Strategy", "text"),
    "beside": Column("Group, or against", "text"),
    "published": Column("Published"),
    "ours": Column("Ours"),
    "difference": Column("Difference", unit="ours \u2212 published"),
}
_REMARKS = {
    **_EXPERIMENT,
    "about": Column("About", "text"),
    "remark": Column("Remark", "text"),
}
_IN_THE_SOURCE = "Doubtful in the source"


def figures_table(entries: Sequence[Mapping[str, Any]]) -> Table:
    """One row per published figure, those of one quantity together.

    Args:
        entries: Publications with ``title`` and ``figures`` (rows with quantity, of, beside,
            published, ours, definition, others, difference).
    """
    frame = pd.DataFrame(
        [
            {
                "experiment": entry["title"],
                "figure": _heading(row),
                "strategy": row["of"],
                "beside": _beside(row),
                **{key: _scaled(row, row[key]) for key in ("published", "ours", "difference")},
            }
            for entry in entries
            for row in entry["figures"]
        ],
        columns=list(_COLUMNS),
    )
    # Rows of one quantity stand together, wherever the publication's list has them.
    order = frame.groupby(["experiment", "figure"], sort=False).ngroup()
    frame = frame.loc[order.sort_values(kind="stable").index].reset_index(drop=True)
    numbers = ["published", "ours", "difference"]
    return _table("published_figures", frame.astype(dict.fromkeys(numbers, float)), _COLUMNS)


def definitions_table(entries: Sequence[Mapping[str, Any]]) -> Table:
    """One row per definition of the quantities that have several, one column per strategy.

    Args:
        entries: As for :func:`figures_table`.
    """
    values: dict[tuple[str, str], dict[str, float | None]] = {}
    for entry in entries:
        for row in (row for row in entry["figures"] if row["others"]):
            against = f" against {_beside(row)}" if row["beside"] else ""
            what = f"{_QUANTITIES[row['quantity']][0]}{against}"
            known = {row["definition"]: row["ours"], **row["others"]}
            for ending, value in {
                ", published": row["published"],
                **{f": {_DEFINITIONS[name]}": ours for name, ours in known.items()},
            }.items():
                line = values.setdefault((entry["title"], what + ending), {})
                line[row["of"]] = _scaled(row, value)
    strategies = in_display_order(name for line in values.values() for name in line)
    frame = pd.DataFrame(
        [(*key, *(line.get(name) for name in strategies)) for key, line in values.items()],
        columns=["experiment", "figure", *strategies],
    ).astype(dict.fromkeys(strategies, float))
    numbers = {name: Column(strategy_style(name).label) for name in strategies}
    return _table("published_definitions", frame, {**_COLUMNS, **numbers})


def remarks_table(entries: Sequence[Mapping[str, Any]]) -> Table:
    """Reasons why ours may differ, each said once, and doubts about the source.

    Args:
        entries: Publications with ``title``, ``doubts`` and ``figures`` (rows with quantity,
            definition, others and reasons).
    """
    rows = []
    for entry in entries:
        reasons: dict[str, list[str]] = {}
        for row in entry["figures"]:
            for reason in row["reasons"]:
                reasons.setdefault(reason, []).append(_heading(row))
        remarks = [(", ".join(dict.fromkeys(about)), why) for why, about in reasons.items()]
        remarks += [(_IN_THE_SOURCE, doubt) for doubt in entry["doubts"]]
        rows += [(entry["title"], *remark) for remark in remarks]
    return _table("published_remarks", pd.DataFrame(rows, columns=list(_REMARKS)), _REMARKS)


def published_words(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where the figures come from and what can be said of them, publication by publication.

    Args:
        entries: Publications with ``title``, ``source`` and ``words``.
    """
    return [
        sentence
        for entry in entries
        for sentence in (f"{entry['title']}: {entry['source']}.", *entry["words"])
    ]


def _table(name: str, frame: pd.DataFrame, columns: Mapping[str, Column]) -> Table:
    """The publication is named in a column only where there are several."""
    one = frame["experiment"].nunique() < 2
    shown = frame.drop(columns="experiment") if one else frame
    return make_table(name, PUBLISHED_CAPTIONS[name], shown, columns=columns)


def _heading(row: Mapping[str, Any]) -> str:
    """The quantity, with the definition of ours where there are several."""
    heading = _QUANTITIES[row["quantity"]][0]
    return f"{heading}: {_DEFINITIONS[row['definition']]}" if row["others"] else heading


def _beside(row: Mapping[str, Any]) -> str:
    """The group as it is called, or the other strategy; empty where nothing stands beside."""
    return name_in_sentence(row["beside"]) if row["quantity"] == "sharpe_test" else row["beside"]


def _scaled(row: Mapping[str, Any], value: float | None) -> float | None:
    return None if value is None else value * _QUANTITIES[row["quantity"]][1]
