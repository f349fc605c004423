"""Arrows, circles and boxes in data coordinates, for drawings in plotly."""

from __future__ import annotations

import plotly.graph_objects as go

from regime_nas_pipeline.report.theme import INK, MUTED


def arrow(
    figure: go.Figure,
    tail: tuple[float, float],
    tip: tuple[float, float],
    *,
    standoff: int = 0,
    start: int = 0,
    elbow: bool = False,
    colour: str = MUTED,
) -> None:
    """Draw an arrow from ``start`` pixels past its tail to ``standoff`` pixels short of its tip.

    An elbow has no head.
    """
    figure.add_annotation(
        x=tip[0],
        y=tip[1],
        ax=tail[0],
        ay=tail[1],
        xref="x",
        yref="y",
        axref="x",
        ayref="y",
        text="",
        showarrow=True,
        arrowhead=0 if elbow else 2,
        arrowsize=1,
        arrowwidth=1.3,
        arrowcolor=colour,
        standoff=standoff,
        startstandoff=start,
    )


def circle(
    figure: go.Figure,
    x: float,
    y: float,
    label: str,
    fill: str,
    border: str,
    *,
    size: int = 24,
) -> None:
    """Draw a circle of ``size`` pixels with a short label inside."""
    figure.add_trace(
        go.Scatter(
            x=[round(x, 3)],
            y=[round(y, 3)],
            mode="markers+text",
            text=[label],
            textfont={"size": 13, "color": border},
            marker={"size": size, "color": fill, "line": {"color": border, "width": 1.4}},
            showlegend=False,
            hoverinfo="skip",
        )
    )


def small_note(figure: go.Figure, x: float, y: float, text: str) -> None:
    """Write small grey text just above a point."""
    figure.add_annotation(
        x=x,
        y=y,
        text=text,
        showarrow=False,
        yanchor="bottom",
        yshift=2,
        font={"size": 10, "color": MUTED},
    )


def box(figure: go.Figure, x: float, y: float, text: str) -> None:
    """Draw a framed text, centred at a point."""
    figure.add_annotation(
        x=x,
        y=y,
        text=text,
        showarrow=False,
        bgcolor="#ffffff",
        bordercolor=INK,
        borderwidth=1.2,
        borderpad=6,
        font={"size": 12, "color": INK},
    )


def white_paper(figure: go.Figure) -> None:
    """Lay white below everything: viewers with a dark page darken a figure's own background."""
    figure.add_shape(
        type="rect",
        xref="paper",
        yref="paper",
        x0=0,
        x1=1,
        y0=0,
        # Such viewers write the title across the upper edge.
        y1=0.965,
        line={"width": 0},
        fillcolor="#ffffff",
        layer="below",
    )
