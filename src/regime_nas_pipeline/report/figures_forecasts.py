"""Figure over forecasts: accuracy beside the no-change forecast."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regime_nas_pipeline.report.theme import (
    REFERENCE_LINE,
    apply_theme,
    axis,
    empty_figure,
    in_display_order,
    plain,
    significant,
    strategy_style,
)


@dataclass(frozen=True)
class _Panel:
    key: str
    title: str
    tickformat: str
    no_change: float | None
    better: str


_PANELS = (
    _Panel("theil_u", "Theil's U (ratio)", ".3f", 1.0, "left is better"),
    _Panel("r2", "R² vs mean (%)", ".2~%", 0.0, "right is better"),
    _Panel("rank_ic", "Rank correlation (-1 to 1)", ".2f", 0.0, "right is better"),
    _Panel("spread_ratio", "Spread ratio", ".2f", 0.0, "forecasts ÷ outcomes"),
    _Panel("rmse", "RMSE (% log return)", ".2~%", None, "left is better"),
    _Panel("mae", "MAE (% log return)", ".2~%", None, "left is better"),
)


def forecast_accuracy(forecasts: Mapping[str, Mapping[str, Any]]) -> go.Figure:
    """Accuracy of each forecaster, each measure beside what the no-change forecast scores.

    The no-change forecast is a log return of zero. Its RMSE is RMSE ÷ Theil's U; its MAE is
    drawn where ``forecasts`` has an entry ``no_change``.

    Args:
        forecasts: Forecaster to its measures: mae, rmse, r2, theil_u, rank_ic, spread_ratio; a
            measure that is missing or None has no dot.
    """
    title = "Forecast accuracy beside the no-change forecast"
    names = [name for name in in_display_order(forecasts) if name != "no_change"]
    if not names:
        return empty_figure(title, "No forecasts were scored in this run.")
    figure = make_subplots(
        rows=3,
        cols=2,
        shared_yaxes=True,
        horizontal_spacing=0.06,
        vertical_spacing=0.19,
    )
    for position, panel in enumerate(_PANELS):
        row, column = position // 2 + 1, position % 2 + 1
        _add_panel(figure, panel, names, forecasts, row, column)
    _add_legend_line(figure)
    apply_theme(figure, title, height=290 + 66 * len(names))
    return plain(figure)


def _measure(measures: Mapping[str, Any], key: str) -> float:
    value = measures.get(key)
    return float(value) if value is not None else math.nan


def _no_change_value(panel: _Panel, forecasts: Mapping[str, Mapping[str, Any]]) -> float | None:
    """What the no-change forecast scores in a panel, None where it is not known."""
    if panel.no_change is not None:
        return panel.no_change
    known = _measure(forecasts.get("no_change", {}), panel.key)
    if math.isfinite(known):
        return known
    if panel.key == "rmse":
        implied = [_measure(m, "rmse") / _measure(m, "theil_u") for m in forecasts.values()]
        finite = [value for value in implied if math.isfinite(value)]
        return float(np.median(finite)) if finite else None
    return None


def _add_panel(
    figure: go.Figure,
    panel: _Panel,
    names: list[str],
    forecasts: Mapping[str, Mapping[str, Any]],
    row: int,
    column: int,
) -> None:
    base = _no_change_value(panel, forecasts)
    labels = [strategy_style(name).label for name in names]
    for name, label in zip(names, labels, strict=True):
        value = _measure(forecasts[name], panel.key)
        if not math.isfinite(value):
            continue
        ends = [value] if base is None else [base, value]
        style = strategy_style(name)
        figure.add_trace(
            go.Scatter(
                x=significant(ends),
                y=[label] * len(ends),
                name=style.label,
                showlegend=False,
                mode="lines+markers",
                line={"color": style.colour, "width": 3},
                marker={
                    "color": style.colour,
                    "size": [0.1] * (len(ends) - 1) + [11],
                    "opacity": 1,
                    "line": {"width": 0},
                },
                hovertemplate=f"%{{y}}: %{{x:{panel.tickformat}}}<extra></extra>",
            ),
            row=row,
            col=column,
        )
    if base is not None:
        figure.add_vline(
            x=base,
            line={"color": REFERENCE_LINE, "width": 1.2, "dash": "dash"},
            row=row,
            col=column,
        )
    figure.update_xaxes(
        axis(f"{panel.title}: {panel.better}", tickformat=panel.tickformat, nticks=6),
        row=row,
        col=column,
    )
    figure.update_yaxes(
        axis("", categoryorder="array", categoryarray=labels[::-1], showgrid=False),
        row=row,
        col=column,
    )


def _add_legend_line(figure: go.Figure) -> None:
    """Shapes have no legend in older viewers, so an empty trace stands for the dashed line."""
    style = strategy_style("no_change")
    figure.add_trace(
        go.Scatter(
            x=[None],
            y=[None],
            name=style.label,
            mode="lines",
            line={"color": style.colour, "dash": style.dash, "width": style.width},
        ),
        row=1,
        col=1,
    )
