"""Figure of the paper's claims: errors and R² of every asset beside the published figures."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regime_nas_pipeline.report.theme import (
    REFERENCE_LINE,
    apply_theme,
    axis,
    empty_figure,
    escape,
    in_display_order,
    plain,
    significant,
    strategy_style,
)

_PANELS = ("over_no_change", "over_baseline", "unexplained")
_PUBLISHED_COLOUR = "#6a51a3"
_ALL = "All, pooled"


def claims_by_asset(
    figures: pd.DataFrame, published: Mapping[str, float], *, baseline: str
) -> go.Figure:
    """Three panels over assets: errors against no change, against the baseline, and 1 - R².

    Args:
        figures: scope, group, figure (``over_no_change``, ``over_baseline``, ``unexplained``),
            forecaster, value.
        published: Figure to what was published, drawn as a line.
        baseline: The recurrent baseline.
    """
    title = "The paper's claims on price levels, asset by asset"
    if figures.empty:
        return empty_figure(title, "Nothing was scored.")
    named = figures.assign(group=figures["group"].where(figures["scope"] == "asset", _ALL))
    order = [_ALL, *sorted(set(named["group"]) - {_ALL})]
    figure = make_subplots(rows=1, cols=3, shared_yaxes=True, horizontal_spacing=0.04)
    shown: set[str] = set()
    for column, panel in enumerate(_PANELS, start=1):
        rows = named[named["figure"] == panel]
        for name in in_display_order(rows["forecaster"]):
            own = rows[rows["forecaster"] == name]
            _add_dots(figure, own, name, column, legend=name not in shown)
            shown.add(name)
        if panel in published:
            line = {"color": _PUBLISHED_COLOUR, "width": 2}
            figure.add_vline(x=published[panel], line=line, row=1, col=column)
        if panel != "unexplained":
            line = {"color": REFERENCE_LINE, "width": 1, "dash": "dash"}
            figure.add_vline(x=1.0, line=line, row=1, col=column)
    _add_legend_line(figure)
    other = strategy_style(baseline).label
    figure.update_xaxes(axis("MAE ÷ MAE of no change", nticks=5), col=1)
    figure.update_xaxes(axis(f"MAE of RegimeNAS ÷ MAE of {other}", nticks=5), col=2)
    figure.update_xaxes(axis("1 - R², left is better", type="log"), col=3)
    figure.update_yaxes(
        axis(
            "",
            categoryorder="array",
            categoryarray=[escape(name) for name in order[::-1]],
            showgrid=True,
        )
    )
    apply_theme(figure, title, height=200 + 26 * len(order))
    return plain(figure)


def _add_dots(
    figure: go.Figure, rows: pd.DataFrame, name: str, column: int, *, legend: bool
) -> None:
    style = strategy_style(name)
    figure.add_trace(
        go.Scatter(
            x=significant(rows["value"]),
            y=[escape(group) for group in rows["group"]],
            name=style.label,
            legendgroup=name,
            showlegend=legend,
            mode="markers",
            marker={"color": style.colour, "size": 9, "opacity": 0.8},
            hovertemplate=f"%{{y}}, {style.label}: %{{x:.4g}}<extra></extra>",
        ),
        row=1,
        col=column,
    )


def _add_legend_line(figure: go.Figure) -> None:
    """Shapes have no legend in older viewers, so an empty trace stands for the line."""
    figure.add_trace(
        go.Scatter(
            x=[None],
            y=[None],
            name="Published",
            mode="lines",
            line={"color": _PUBLISHED_COLOUR, "width": 2},
        ),
        row=1,
        col=1,
    )
