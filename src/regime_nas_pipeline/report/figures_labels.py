"""Figures of regime labels over time: one row per labeller under the index."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.names import display_name
from regime_nas_pipeline.report.figures_performance import log_ticks
from regime_nas_pipeline.report.theme import (
    INK,
    MUTED,
    apply_theme,
    axis,
    date_labels,
    escape,
    plain,
    regime_colour,
    significant,
    thinned,
)

_PRICE, _RIBBON, _BAND, _GAP = 300, 34, 92, 12
"""Heights in pixels."""

_TOP, _BOTTOM, _LEGEND = 52, 44, 34


def price_and_labels(level: pd.Series, labels: Mapping[str, pd.DataFrame]) -> go.Figure:
    """The index on a log axis, above a ribbon of regimes for each labeller.

    A ribbon shows the most likely regime of every bar, none left out; a bar without label is
    white.

    Args:
        level: Price of the index by date, positive; any unit.
        labels: Labeller to date x regime name, probabilities.

    Raises:
        DataError: There are no labels, or a level is not positive.
    """
    _refuse_none(labels)
    if not (level > 0).all():
        raise DataError(
            "a level must be positive to be drawn on a log scale",
            source="index",
            date=pd.Timestamp(level.index[~(level > 0)][0]),
        )
    heights = [_PRICE, *[_RIBBON] * len(labels)]
    figure = _stack(heights)
    drawn = thinned(level.to_frame("level"))
    figure.add_trace(
        go.Scatter(
            x=date_labels(drawn.index),
            y=significant(drawn["level"]),
            name=escape(level.name if level.name is not None else "Index"),
            legendrank=1,
            line={"color": INK, "width": 1.2},
            hovertemplate="%{x}: %{y:,.5g}<extra></extra>",
        ),
        row=1,
        col=1,
    )
    ranks, told = _regime_ranks(labels), set[str]()
    for row, (labeller, table) in enumerate(labels.items(), start=2):
        _add_ribbon(figure, labeller, _dated(table), row, ranks, told)
    _finish(figure, "The index and the regimes that each labeller said on the day", heights)
    figure.update_yaxes(axis("Level (log scale)", type="log", **log_ticks(drawn)), row=1, col=1)
    for row, labeller in enumerate(labels, start=2):
        ticks = {"tickvals": [0.5], "ticktext": [escape(display_name(labeller))]}
        figure.update_yaxes(
            axis("", range=[0, 1], showgrid=False, fixedrange=True, ticklabelstandoff=4, **ticks),
            row=row,
            col=1,
        )
    return plain(figure)


def label_probabilities(labels: Mapping[str, pd.DataFrame]) -> go.Figure:
    """How sure each labeller was: the probability of each regime over time, as bands.

    Where there are more bars than can be drawn, a point is the mean of some neighbouring bars.

    Args:
        labels: Labeller to date x regime name, probabilities.

    Raises:
        DataError: There are no labels.
    """
    _refuse_none(labels)
    heights = [_BAND] * len(labels)
    figure = _stack(heights, [escape(display_name(labeller)) for labeller in labels])
    ranks, told = _regime_ranks(labels), set[str]()
    for row, table in enumerate(labels.values(), start=1):
        drawn = thinned(_dated(table), "mean")
        dates = date_labels(drawn.index)
        for position, regime in enumerate(map(str, drawn.columns)):
            figure.add_trace(
                go.Scatter(
                    x=dates,
                    y=significant(drawn[regime], 3),
                    name=escape(regime),
                    legendgroup=regime,
                    legendrank=ranks[regime],
                    showlegend=regime not in told,
                    stackgroup=f"labeller {row}",
                    mode="lines",
                    line={
                        "width": 0,
                        "color": regime_colour(regime, position),
                        "shape": "hv",
                        "simplify": False,
                    },
                    fillcolor=regime_colour(regime, position),
                    hovertemplate="%{y:.0%}",
                ),
                row=row,
                col=1,
            )
            told.add(regime)
    _finish(figure, "Probability of each regime as seen on the day", heights, titled=True)
    figure.update_layout(hovermode="x unified")
    figure.update_yaxes(axis("", range=[0, 1], tickvals=[0, 1], tickformat=".0%", showgrid=False))
    figure.update_yaxes(title_text="Probability", row=(1 + len(labels)) // 2, col=1)
    return plain(figure)


def _refuse_none(labels: Mapping[str, pd.DataFrame]) -> None:
    if not labels:
        raise DataError("there are no labels to draw")


def _regime_ranks(labels: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """Place of each regime in the legend: in the order of the labeller that has most of them."""
    widest_first = sorted(labels.values(), key=lambda table: -len(table.columns))
    names = [str(name) for table in widest_first for name in _dated(table).columns]
    return {name: 100 + place for place, name in enumerate(dict.fromkeys(names))}


def _dated(table: pd.DataFrame) -> pd.DataFrame:
    frame = table.set_index("date") if "date" in table.columns else table
    return frame.set_axis(pd.DatetimeIndex(frame.index), axis=0)


def _stack(heights: list[int], titles: list[str] | None = None) -> go.Figure:
    """Rows of these heights under each other that share their dates."""
    gap = _GAP if titles is None else _GAP + 16
    return make_subplots(
        rows=len(heights),
        cols=1,
        shared_xaxes=True,
        row_heights=heights,
        vertical_spacing=gap / (sum(heights) + gap * (len(heights) - 1)),
        subplot_titles=titles,
    )


def _finish(figure: go.Figure, title: str, heights: list[int], *, titled: bool = False) -> None:
    gap = _GAP + 16 if titled else _GAP
    inside = sum(heights) + gap * (len(heights) - 1)
    top, bottom = _TOP + 18 * titled, _BOTTOM + _LEGEND
    apply_theme(
        figure,
        title,
        height=inside + top + bottom,
        margin={"l": 62, "r": 18, "t": top, "b": bottom},
    )
    figure.update_xaxes(axis("", showticklabels=False))
    figure.update_xaxes(axis("Date", showticklabels=True), row=len(heights), col=1)
    figure.update_annotations(font={"size": 12, "color": MUTED}, x=0, xanchor="left")


def _add_ribbon(
    figure: go.Figure,
    labeller: str,
    table: pd.DataFrame,
    row: int,
    ranks: Mapping[str, int],
    told: set[str],
) -> None:
    """One trace per regime: its spells as filled boxes, from their first bar to the next one's."""
    states = table.to_numpy(dtype=float).argmax(axis=1)
    first = np.flatnonzero(np.r_[True, states[1:] != states[:-1]])
    after = np.append(first[1:], len(states) - 1)
    dates = np.asarray(date_labels(table.index))
    for position, regime in enumerate(map(str, table.columns)):
        mine = states[first] == position
        corners = np.column_stack([first[mine], first[mine], after[mine], after[mine]])
        figure.add_trace(
            go.Scatter(
                x=dates[corners.ravel()].tolist(),
                y=[0, 1, 1, 0] * len(corners),
                name=escape(regime),
                legendgroup=regime,
                legendrank=ranks[regime],
                showlegend=regime not in told,
                mode="lines",
                fill="tozeroy",
                # Simplified, a box of one bar becomes a spike.
                line={"width": 0, "simplify": False},
                fillcolor=regime_colour(regime, position),
                hoveron="fills",
                hoverinfo="text",
                text=f"{escape(display_name(labeller))}: {escape(regime)}",
            ),
            row=row,
            col=1,
        )
        told.add(regime)
