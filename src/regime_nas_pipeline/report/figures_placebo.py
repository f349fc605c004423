"""Figures of the placebo and of the power experiment: rates beside what they should be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regime_nas_pipeline.report.placebo_words import SHOWN, against_phrase, title_of_test
from regime_nas_pipeline.report.theme import (
    MUTED,
    REFERENCE_LINE,
    apply_theme,
    axis,
    empty_figure,
    escape,
    in_display_order,
    plain,
    significant,
    strategy_style,
    tint,
)

_SET_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#5a4a00")
_DASHES = ("solid", "dash", "dot", "longdashdot")
_EDGES = {
    "momentum": "Momentum (information coefficient)",
    "regime_drift": "Drift in regimes (÷ volatility of a bar)",
    "regime_autocorrelation": "Autocorrelation in regimes",
}
_JOBS = {"cheap": "without searches", "full": "the whole job"}


def false_positive_rates(rates: pd.DataFrame, tests: Mapping[str, Any]) -> go.Figure:
    """Share of panels on which each test said "beats" where nothing is, by nominal level.

    A dot is a pair of strategies; the bar is the exact 95 % interval of the pair with the highest
    rate. The dashed line is what the test claims.

    Args:
        rates: ``set`` and the columns of a table of false positives.
        tests: Names of the tests, in order; only the keys are used.
    """
    title = 'How often tests said "beats" where nothing is'
    known = rates[rates["n_tested"] > 0]
    if known.empty:
        return empty_figure(title, "No test could be made on any panel.")
    levels = sorted(known["level"].unique())
    names = [name for name in tests if (known["test"] == name).any()][::-1]
    sets = list(dict.fromkeys(known["set"]))
    figure = make_subplots(
        rows=1,
        cols=len(levels),
        shared_yaxes=True,
        subplot_titles=[f"at {_percent(level)}" for level in levels],
        horizontal_spacing=0.04,
    )
    for column, level in enumerate(levels, start=1):
        for number, name in enumerate(sets):
            own = known[(known["set"] == name) & np.isclose(known["level"], level)]
            places = {
                test: place + 0.28 * (0.5 - (number + 0.5) / len(sets))
                for place, test in enumerate(names)
            }
            _add_set(figure, own, places, _SET_COLOURS[number % len(_SET_COLOURS)], name, column)
        figure.add_vline(
            x=100.0 * level,
            line={"color": REFERENCE_LINE, "width": 1.2, "dash": "dash"},
            col=column,
            row=1,
        )
    apply_theme(figure, title, height=190 + 34 * len(names))
    figure.update_annotations(font={"size": 12})
    figure.update_xaxes(axis("% of panels", rangemode="tozero", nticks=5))
    ticks = {
        "tickvals": list(range(len(names))),
        "ticktext": [title_of_test(name) for name in names],
    }
    figure.update_yaxes(axis("", range=[-0.6, len(names) - 0.4], **ticks))
    figure.update_layout(margin={"t": 84, "b": 76})
    return plain(figure)


def _add_set(
    figure: go.Figure,
    rows: pd.DataFrame,
    places: Mapping[str, float],
    colour: str,
    name: str,
    column: int,
) -> None:
    worst = rows.sort_values("rate", kind="stable").groupby("test", sort=False).tail(1)
    rate = 100.0 * worst["rate"]
    figure.add_trace(
        go.Scatter(
            x=significant(rate),
            y=[places[test] for test in worst["test"]],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": significant(100.0 * worst["rate_high"] - rate),
                "arrayminus": significant(rate - 100.0 * worst["rate_low"]),
                "color": colour,
                "thickness": 1.6,
                "width": 4,
            },
            mode="markers",
            marker={"color": colour, "size": 8, "symbol": "line-ns-open"},
            hoverinfo="skip",
            legendgroup=name,
            showlegend=False,
        ),
        row=1,
        col=column,
    )
    figure.add_trace(
        go.Scatter(
            x=significant(100.0 * rows["rate"]),
            y=[places[test] for test in rows["test"]],
            customdata=[
                [
                    f"{escape(each['subject'])} against {escape(each['against'])}",
                    f"{each['n_rejected']} of {each['n_tested']}",
                ]
                for each in rows.to_dict("records")
            ],
            mode="markers",
            marker={"color": colour, "size": 6, "opacity": 0.55},
            name=escape(name),
            legendgroup=name,
            showlegend=column == 1,
            hovertemplate="%{customdata[0]}: %{x:.3g} % (%{customdata[1]})",
        ),
        row=1,
        col=column,
    )


def detection_curves(rates: pd.DataFrame, *, power: float) -> go.Figure:
    """Share of panels on which an edge is found, against its size.

    One column per kind of edge, one row per job; lines differ in colour by strategy and in dashes
    by length. Shown are the Ledoit-Wolf tests against equal weight.

    Args:
        rates: ``job`` and the columns of a table of detection rates.
        power: The probability that is asked for, drawn as a line.
    """
    test, against = SHOWN[0]
    title = f"Edges found by {title_of_test(test)} against {against_phrase(against)}"
    shown = rates[(rates["test"] == test) & (rates["against"] == against) & rates["rate"].notna()]
    planted = shown[shown["edge_size"] > 0.0]
    if planted.empty:
        return empty_figure(title, "No edge was planted, or the test could not be made.")
    kinds, jobs = list(dict.fromkeys(planted["edge"])), list(dict.fromkeys(planted["job"]))
    lengths = sorted(shown["n_bars"].unique())
    figure = make_subplots(
        rows=len(jobs),
        cols=len(kinds),
        shared_yaxes=True,
        subplot_titles=[
            f"{_EDGES.get(kind, escape(kind))}<br>{_JOBS.get(job, escape(job))}"
            for job in jobs
            for kind in kinds
        ],
        horizontal_spacing=0.06,
        vertical_spacing=0.34 / len(jobs),
    )
    told: set[str] = set()
    for row, job in enumerate(jobs, start=1):
        for column, kind in enumerate(kinds, start=1):
            own = shown[(shown["job"] == job) & shown["edge"].isin([kind, "none"])]
            for name in in_display_order(own["subject"]):
                for number, length in enumerate(lengths):
                    line = own[(own["subject"] == name) & (own["n_bars"] == length)]
                    if line.empty:
                        continue
                    dash = _DASHES[number % len(_DASHES)]
                    label = f"{strategy_style(name).label}, {length:,} bars"
                    trace = _curve(line, name, dash, label, first=label not in told)
                    figure.add_trace(trace, row=row, col=column)
                    told.add(label)
            figure.add_hline(
                y=100.0 * power,
                line={"color": REFERENCE_LINE, "width": 1.2, "dash": "dot"},
                row=row,
                col=column,
            )
    apply_theme(figure, title, height=150 + 330 * len(jobs))
    figure.update_annotations(font={"size": 12, "color": MUTED})
    figure.update_xaxes(axis("size of the edge", rangemode="tozero", nticks=5))
    figure.update_yaxes(axis("% of panels", range=[0, 102]))
    figure.update_layout(margin={"t": 96, "b": 40 + 22 * (1 + len(told) // 4)})
    return plain(figure)


def _curve(rows: pd.DataFrame, name: str, dash: str, label: str, *, first: bool) -> go.Scatter:
    ordered = rows.sort_values("edge_size")
    style, rate = strategy_style(name), 100.0 * ordered["rate"]
    return go.Scatter(
        x=significant(ordered["edge_size"]),
        y=significant(rate),
        error_y={
            "type": "data",
            "symmetric": False,
            "array": significant(100.0 * ordered["rate_high"] - rate),
            "arrayminus": significant(rate - 100.0 * ordered["rate_low"]),
            "color": tint(style.colour, 0.45),
            "thickness": 1.2,
            "width": 3,
        },
        mode="lines+markers",
        line={"color": style.colour, "width": 1.8, "dash": dash},
        marker={"size": 6, "color": style.colour},
        name=label,
        legendgroup=label,
        showlegend=first,
        hovertemplate=f"{label}: %{{y:.3g}} % at %{{x}}",
    )


def _percent(level: float) -> str:
    return f"{100.0 * level:g} %"
