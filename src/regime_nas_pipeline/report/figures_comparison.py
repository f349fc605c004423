"""Figures of the comparison of searches: shortcuts, strategies, regret."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regime_nas_pipeline.report.tables import heading
from regime_nas_pipeline.report.theme import (
    INK,
    MUTED,
    REFERENCE_LINE,
    apply_theme,
    axis,
    empty_figure,
    escape,
    new_figure,
    plain,
    significant,
    strategy_style,
    tint,
)

CONTROL = "random"
_COLUMNS = 3
_SHORTCUT_NAMES = {"full": "In full, another seed", "weight_sharing": "Shared weights"}
_BED_TITLES = {"planted": "Planted markets", "prices": "The run's own prices"}


def shortcut_name(name: str) -> str:
    """A shortcut's name for people."""
    return _SHORTCUT_NAMES.get(name, heading(name))


def shortcut_scores(scores: pd.DataFrame, kendall: Mapping[str, float | None]) -> go.Figure:
    """Score by every shortcut against the full score, one panel each.

    Args:
        scores: ``shortcut``, ``candidate``, ``score``, ``full_score``.
        kendall: Shortcut to its rank correlation, for the panel's title.
    """
    title = "Cheap score against full score"
    names = list(dict.fromkeys(scores["shortcut"]))
    if not names:
        return empty_figure(title, "No shortcut was measured.")
    rows = math.ceil(len(names) / _COLUMNS)
    figure = make_subplots(
        rows=rows,
        cols=min(_COLUMNS, len(names)),
        subplot_titles=[_panel_title(name, kendall.get(name)) for name in names],
        vertical_spacing=0.32 / rows,
        horizontal_spacing=0.1,
    )
    for place, name in enumerate(names):
        own = scores[scores["shortcut"] == name]
        figure.add_trace(
            go.Scatter(
                x=significant(own["full_score"]),
                y=significant(own["score"]),
                customdata=own["candidate"].tolist(),
                mode="markers",
                marker={"color": INK, "size": 7, "opacity": 0.65},
                name=escape(shortcut_name(name)),
                hovertemplate="candidate %{customdata}: full %{x:.5g}, cheap %{y:.5g}",
            ),
            row=place // _COLUMNS + 1,
            col=place % _COLUMNS + 1,
        )
    apply_theme(figure, title, height=90 + 270 * rows, showlegend=False)
    figure.update_annotations(font={"size": 12, "color": INK})
    figure.update_xaxes(axis("Full evaluation", nticks=5))
    figure.update_yaxes(axis("", nticks=5))
    figure.update_layout(margin={"t": 84})
    return plain(figure)


def _panel_title(name: str, kendall: float | None) -> str:
    label = escape(shortcut_name(name))
    known = kendall is not None and math.isfinite(kendall)
    return f"{label}: τ = {kendall:.2f}" if known else f"{label}: τ undefined"


def strategy_strips(table: pd.DataFrame) -> go.Figure:
    """Out-of-sample R² of what each strategy found, one dot per seed, a bar at the median.

    Args:
        table: ``bed``, ``seed``, ``strategy``, ``score``, ``r2`` and ``r2_oracle``.
    """
    title = "What each strategy found: out-of-sample R², one dot per seed"
    if table.empty:
        return empty_figure(title, "No strategy was run.")
    beds = list(dict.fromkeys(table["bed"]))
    names = list(dict.fromkeys(table["strategy"]))[::-1]
    figure = make_subplots(
        rows=1,
        cols=len(beds),
        shared_yaxes=True,
        subplot_titles=[_BED_TITLES.get(bed, escape(bed)) for bed in beds],
        horizontal_spacing=0.06,
    )
    for column, bed in enumerate(beds, start=1):
        own = table[table["bed"] == bed]
        for place, name in enumerate(names):
            _add_strip(figure, own[own["strategy"] == name], name, place, column)
        figure.add_vline(
            x=0.0, line={"color": REFERENCE_LINE, "width": 1.2, "dash": "dash"}, col=column, row=1
        )
    apply_theme(figure, title, height=150 + 42 * len(names), showlegend=False)
    figure.update_annotations(font={"size": 12, "color": INK})
    figure.update_xaxes(axis("R² against zero (%)", nticks=6))
    figure.update_yaxes(
        axis(
            "",
            tickvals=list(range(len(names))),
            ticktext=[strategy_style(name).label for name in names],
            range=[-0.6, len(names) - 0.4],
        )
    )
    figure.update_layout(margin={"t": 84})
    return plain(figure)


def _add_strip(figure: go.Figure, rows: pd.DataFrame, name: str, place: int, column: int) -> None:
    style = strategy_style(name)
    percent = 100.0 * rows["r2"].to_numpy(dtype=float)
    # Spread by seed, the same in every strip, so that equal values do not hide each other.
    n = max(1, len(rows) - 1)
    offsets = 0.24 * (2.0 * np.arange(len(rows)) / n - 1.0) if len(rows) > 1 else np.zeros(1)
    figure.add_trace(
        go.Scatter(
            x=significant(percent),
            y=(place + offsets[: len(rows)]).tolist(),
            customdata=[
                [int(seed), round(float(score), 5)]
                for seed, score in zip(rows["seed"], rows["score"], strict=True)
            ],
            mode="markers",
            marker={"color": style.colour, "size": 8, "opacity": 0.75},
            name=style.label,
            hovertemplate="seed %{customdata[0]}: R² %{x:.3g} %, validation %{customdata[1]}",
        ),
        row=1,
        col=column,
    )
    known = percent[np.isfinite(percent)]
    if len(known):
        middle = float(np.median(known))
        figure.add_trace(
            go.Scatter(
                x=[middle, middle],
                y=[place - 0.34, place + 0.34],
                mode="lines",
                line={"color": style.colour, "width": 3},
                name=style.label,
                hovertemplate="median %{x:.3g} %",
            ),
            row=1,
            col=column,
        )


def regret_curves(curves: pd.DataFrame) -> go.Figure:
    """How far the best candidate so far is from the best there is, against evaluations.

    Args:
        curves: ``landscape``, ``strategy``, ``evaluations``, ``regret``.
    """
    title = "Regret on spaces where every candidate was scored"
    if curves.empty:
        return empty_figure(title, "No landscape was scored.")
    figure = new_figure(title, height=460)
    names = sorted(set(curves["strategy"]), key=lambda name: (name == CONTROL, name))
    for name in names:
        own = curves[curves["strategy"] == name]
        style = strategy_style(name)
        control = name == CONTROL
        colour = MUTED if control else style.colour
        for _, landscape in own.groupby("landscape", sort=True):
            figure.add_trace(
                go.Scatter(
                    x=landscape["evaluations"].tolist(),
                    y=significant(landscape["regret"]),
                    mode="lines",
                    line={"color": tint(colour, 0.3), "width": 1},
                    legendgroup=name,
                    showlegend=False,
                    hoverinfo="skip",
                )
            )
        mean = own.groupby("evaluations")["regret"].mean()
        figure.add_trace(
            go.Scatter(
                x=mean.index.tolist(),
                y=significant(mean),
                mode="lines",
                line={"color": colour, "width": 2.8, "dash": "dash" if control else "solid"},
                name=f"{style.label}, exact" if control else style.label,
                legendgroup=name,
                hovertemplate="after %{x}: %{y:.4g}",
            )
        )
    figure.update_layout(
        xaxis=axis("Candidates evaluated"),
        yaxis=axis("Regret (validation error ÷ no change)", rangemode="tozero"),
    )
    return plain(figure)
