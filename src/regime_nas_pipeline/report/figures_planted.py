"""Figures of the planted experiment: a dot for every market, on planted ones and controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regime_nas_pipeline.report.theme import (
    INK,
    MUTED,
    REFERENCE_LINE,
    apply_theme,
    axis,
    in_display_order,
    plain,
    significant,
    strategy_style,
    tint,
)

SUBJECT = "regime_nas"
ORACLE = "oracle"
TRACK_NAMES = {"engineered": "Engineered features", "raw": "Returns alone"}
_BEST = "Best possible forecast"


def efficiency_strips(oracle_efficiency: Mapping[str, Mapping[str, Any]]) -> go.Figure:
    """Oracle efficiency of every forecaster: a dot for each market, a line at the median.

    Args:
        oracle_efficiency: Track to forecaster to ``median`` and ``seeds``.
    """
    tracks = list(oracle_efficiency)
    names = _compared({name for table in oracle_efficiency.values() for name in table})
    figure = panels([TRACK_NAMES[track] for track in tracks])
    for place, track in enumerate(tracks, start=1):
        table = oracle_efficiency[track]
        for name in names:
            _strip(figure, name, table[name]["seeds"], 1, place, "%{x:.3f} of the oracle's R²")
        for value, dash in ((0.0, "dash"), (1.0, "solid")):
            figure.add_vline(x=value, line=guide(dash), row=1, col=place)
        figure.update_xaxes(axis("R² ÷ R² of the Hamilton filter (ratio)"), row=1, col=place)
    _categories(figure, names)
    _legend_lines(figure, {"No change": "dash", _BEST: "solid"})
    apply_theme(figure, "Oracle efficiency: every market and the median", height=_height(names))
    return plain(figure)


def control_strips(
    no_regime: Mapping[str, Mapping[str, Any]], martingale: Mapping[str, Mapping[str, Any]]
) -> go.Figure:
    """R² where there is nothing to find, with the bands that chance alone gives.

    Args:
        no_regime: Track to forecaster to ``minus_linear`` and ``chance_band``.
        martingale: Track to forecaster to ``r2`` and ``chance_band``.
    """
    tracks = list(martingale)
    names = _compared({name for table in martingale.values() for name in table})
    rows: Sequence[tuple[str, str, Mapping[str, Any]]] = (
        ("No regimes", "R² beyond linear (%)", no_regime),
        ("Martingale", "R² (%)", martingale),
    )
    titles = [f"{kind}: {TRACK_NAMES[track].lower()}" for kind, _, _ in rows for track in tracks]
    figure = panels(titles, rows=2)
    for row, (_, unit, control) in enumerate(rows, start=1):
        for place, track in enumerate(tracks, start=1):
            for name in names:
                band = control[track][name].get("chance_band")
                if band is not None:
                    _band(figure, name, band, row, place)
                    _strip(figure, name, band["r2"], row, place, "%{x:.2%}", with_median=False)
            figure.add_vline(x=0.0, line=guide("dash"), row=row, col=place)
            figure.update_xaxes(axis(unit, tickformat=".2~%", nticks=6), row=row, col=place)
    _categories(figure, names)
    _legend_lines(figure, {"Nothing gained": "dash"})
    title = "Controls: each market's R², and the range that chance gives it (bars)"
    apply_theme(figure, title, height=300 + 70 * len(names))
    quiet_titles(figure)
    return plain(figure)


def _compared(names: set[str]) -> list[str]:
    return [name for name in in_display_order(names) if name != ORACLE]


def panels(titles: Sequence[str], *, rows: int = 1) -> go.Figure:
    """Panels with these titles, row by row, on common vertical axes."""
    figure = make_subplots(
        rows=rows,
        cols=len(titles) // rows,
        shared_yaxes=True,
        horizontal_spacing=0.07,
        vertical_spacing=0.2,
        subplot_titles=list(titles),
    )
    quiet_titles(figure)
    return figure


def quiet_titles(figure: go.Figure) -> None:
    """Write the titles of panels small."""
    figure.for_each_annotation(lambda title: title.update(font={"size": 12, "color": INK}))


def _height(names: Sequence[str]) -> int:
    return 190 + 40 * len(names)


def guide(dash: str) -> dict[str, Any]:
    """The line of a yardstick."""
    return {"color": REFERENCE_LINE, "width": 1.2, "dash": dash}


def _strip(
    figure: go.Figure,
    name: str,
    values: Sequence[float | None],
    row: int,
    col: int,
    hover: str,
    *,
    with_median: bool = True,
) -> None:
    """A dot for every market, and a bar across the row at their median."""
    known = [value for value in values if value is not None]
    if not known:
        return
    style = strategy_style(name)
    figure.add_trace(
        go.Scatter(
            x=significant(known),
            y=[style.label] * len(known),
            name=style.label,
            showlegend=False,
            mode="markers",
            marker={"color": style.colour, "size": 9, "opacity": 0.65},
            hovertemplate=f"%{{y}}: {hover}<extra></extra>",
        ),
        row=row,
        col=col,
    )
    if with_median:
        figure.add_trace(
            go.Scatter(
                x=significant([median(known)]),
                y=[style.label],
                name=style.label,
                showlegend=False,
                mode="markers",
                marker={
                    "symbol": "line-ns",
                    "size": 24,
                    "line": {"color": style.colour, "width": 3},
                },
                hovertemplate=f"%{{y}}, median: {hover}<extra></extra>",
            ),
            row=row,
            col=col,
        )


def _band(figure: go.Figure, name: str, band: Mapping[str, Any], row: int, col: int) -> None:
    """The widest chance band of all markets as a pale bar."""
    style = strategy_style(name)
    ends = [float(np.min(band["low"])), float(np.max(band["high"]))]
    figure.add_trace(
        go.Scatter(
            x=significant(ends),
            y=[style.label] * 2,
            name=style.label,
            showlegend=False,
            mode="lines",
            line={"color": tint(style.colour, 0.25), "width": 14},
            hovertemplate="%{y}, chance gives up to %{x:.2%}<extra></extra>",
        ),
        row=row,
        col=col,
    )


def _categories(figure: go.Figure, names: Sequence[str]) -> None:
    labels = [strategy_style(name).label for name in names]
    # A row for every forecaster, also where a panel has nothing of it.
    rows = {"range": [-0.6, len(labels) - 0.4], "categoryarray": labels[::-1]}
    figure.update_yaxes(axis("", type="category", categoryorder="array", showgrid=False, **rows))


def _legend_lines(figure: go.Figure, lines: Mapping[str, str]) -> None:
    """Shapes have no legend in older viewers, so empty traces stand for the guides."""
    for name, dash in lines.items():
        figure.add_trace(
            go.Scatter(
                x=[None],
                y=[None],
                name=name,
                mode="lines",
                line={"color": MUTED, "dash": dash, "width": 1.2},
            ),
            row=1,
            col=1,
        )
