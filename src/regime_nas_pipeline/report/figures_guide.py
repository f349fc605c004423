"""Figures of the attention guide: folds, and the threshold that decides when to hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.report.theme import (
    MUTED,
    REFERENCE_LINE,
    apply_theme,
    axis,
    date_labels,
    empty_figure,
    in_display_order,
    line_style,
    plain,
    significant,
    strategy_style,
    tint,
)

_HELD = "buy_and_hold"


def fold_sharpes(folds: pd.DataFrame, published: tuple[float, float] | None = None) -> go.Figure:
    """Net Sharpe ratio of every fold with its interval, one panel per model, beside buy and hold.

    Args:
        folds: model, fold, first_bar, sharpe_net, low, high (blank where nothing was held) and n,
            with rows of buy and hold.
        published: Lowest and highest published ratio, drawn as a band.

    Raises:
        DataError: Buy and hold is missing.
    """
    title = "Sharpe ratio of every fold (annualised, above cash, net of costs)"
    held = folds[folds["model"] == _HELD]
    if held.empty:
        raise DataError("the folds of buy and hold are missing", column="model")
    names = in_display_order(str(name) for name in folds["model"] if name != _HELD)
    if not names:
        return empty_figure(title, "There is no model to compare with buy and hold.")
    figure = make_subplots(
        rows=len(names),
        cols=1,
        shared_xaxes=True,
        shared_yaxes=True,
        vertical_spacing=0.22 / (len(names) + 1),
        subplot_titles=[strategy_style(name).label for name in names],
    )
    limits = _limits(folds)
    for row, name in enumerate(names, start=1):
        _add_fold_panel(figure, folds[folds["model"] == name], held, name, row)
        if published is not None:
            figure.add_hrect(
                y0=published[0],
                y1=published[1],
                fillcolor=tint(REFERENCE_LINE, 0.10),
                line={"width": 0},
                layer="below",
                row=row,
                col=1,
            )
        figure.add_hline(y=0.0, line={"color": REFERENCE_LINE, "width": 1}, row=row, col=1)
        figure.update_yaxes(axis("Sharpe ratio", range=limits), row=row, col=1)
        figure.update_xaxes(
            axis("First bar of the fold" if row == len(names) else "", type="date"),
            row=row,
            col=1,
        )
    apply_theme(figure, title, height=130 + 170 * len(names))
    figure.update_layout(margin={"t": 70})
    figure.update_annotations(font={"size": 12, "color": MUTED})
    return plain(figure)


def _limits(folds: pd.DataFrame) -> list[float] | None:
    """Range of the axis: that of whole folds, since a short last one is known least of all."""
    whole = folds[folds["n"] == folds["n"].max()]
    known = whole[["sharpe_net", "low", "high"]].to_numpy(dtype=float)
    if not np.isfinite(known).any():
        return None
    lowest, highest = float(np.nanmin(known)), float(np.nanmax(known))
    room = 0.05 * (highest - lowest)
    return [lowest - room, highest + room]


def _add_fold_panel(
    figure: go.Figure, own: pd.DataFrame, held: pd.DataFrame, name: str, row: int
) -> None:
    style, reference = strategy_style(name), strategy_style(_HELD)
    figure.add_trace(
        go.Scatter(
            x=date_labels(held["first_bar"]),
            y=significant(held["sharpe_net"], 4),
            name=reference.label,
            legendgroup=_HELD,
            legendrank=reference.rank,
            showlegend=row == 1,
            mode="markers",
            marker={"color": reference.colour, "size": 9, "symbol": "line-ew-open"},
            hovertemplate="%{x}: %{y:.2f}",
        ),
        row=row,
        col=1,
    )
    figure.add_trace(
        go.Scatter(
            x=date_labels(own["first_bar"]),
            y=significant(own["sharpe_net"], 4),
            error_y={
                "type": "data",
                "symmetric": False,
                "array": significant((own["high"] - own["sharpe_net"]).fillna(0.0), 4),
                "arrayminus": significant((own["sharpe_net"] - own["low"]).fillna(0.0), 4),
                "color": tint(style.colour, 0.45),
                "thickness": 1.4,
                "width": 0,
            },
            name=style.label,
            legendrank=style.rank,
            mode="markers",
            marker={"color": style.colour, "size": 7},
            customdata=own[["n", "trades"]].to_numpy().tolist(),
            hovertemplate="%{x}: %{y:.2f} (%{customdata[0]} bars, %{customdata[1]} trades)",
        ),
        row=row,
        col=1,
    )


def threshold_curves(curve: pd.DataFrame, threshold: float) -> go.Figure:
    """Lead over buy and hold, and share of the time held, at every threshold.

    Args:
        curve: model, threshold, ahead (growth a year less that of buy and hold), mean_exposure.
        threshold: The one that the strategy uses.
    """
    title = "Growth ahead of buy and hold, and time held, by threshold"
    if curve.empty:
        return empty_figure(title, "No threshold was tried.")
    panels = (
        ("ahead", "Ahead (% a year)", "%{x:.2%}: %{y:+.2%}"),
        ("mean_exposure", "Time held (%)", "%{x:.2%}: %{y:.0%}"),
    )
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.6, 0.4], vertical_spacing=0.06
    )
    for row, (column, label, hover) in enumerate(panels, start=1):
        for name in in_display_order(map(str, curve["model"])):
            own = curve[curve["model"] == name].sort_values("threshold")
            style = strategy_style(name)
            figure.add_trace(
                go.Scatter(
                    x=significant(own["threshold"], 4),
                    y=significant(own[column], 4),
                    name=style.label,
                    legendgroup=name,
                    legendrank=style.rank,
                    showlegend=row == 1,
                    mode="lines",
                    line={**line_style(name), "shape": "hv"},
                    hovertemplate=hover,
                ),
                row=row,
                col=1,
            )
        figure.add_vline(
            x=threshold, line={"color": REFERENCE_LINE, "width": 1, "dash": "dot"}, row=row, col=1
        )
        figure.update_yaxes(axis(label, tickformat=".0%"), row=row, col=1)
    figure.add_hline(y=0.0, line={"color": REFERENCE_LINE, "width": 1}, row=1, col=1)
    figure.update_xaxes(axis("", tickformat=".2~%"), row=1, col=1)
    figure.update_xaxes(
        axis("Forecast above which the asset is held (%)", tickformat=".2~%"), row=2, col=1
    )
    apply_theme(figure, title, height=470)
    return plain(figure)
