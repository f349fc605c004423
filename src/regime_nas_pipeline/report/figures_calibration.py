"""Figures over forecasts: spread predicted and realised, reliability, spread over seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regime_nas_pipeline.report.theme import (
    REFERENCE_LINE,
    apply_theme,
    axis,
    date_labels,
    empty_figure,
    in_drawing_order,
    new_figure,
    plain,
    significant,
    strategy_style,
    tint,
)


def spread_calibration(table: pd.DataFrame) -> go.Figure:
    """Spread over assets that each forecaster predicted, beside the spread that came.

    Args:
        table: One row per rebalance and forecaster: date, forecaster, predicted_spread,
            realised_spread (standard deviation over assets of the log return, decimals).
    """
    title = "Spread over assets: predicted and realised"
    if table.empty:
        return empty_figure(title, "No spread could be measured in this run.")
    figure = make_subplots(rows=2, cols=1, row_heights=[0.52, 0.48], vertical_spacing=0.17)
    realised = table.groupby("date")["realised_spread"].mean().sort_index()
    figure.add_trace(
        go.Scatter(
            x=date_labels(realised.index),
            y=significant(realised),
            name="Realised",
            legendrank=0,
            line={"color": REFERENCE_LINE, "width": 1.2},
            fill="tozeroy",
            fillcolor="rgba(95,107,122,0.12)",
            hovertemplate="%{y:.2%}",
        ),
        row=1,
        col=1,
    )
    for name in in_drawing_order(table["forecaster"].astype(str)):
        _add_spread(figure, name, table[table["forecaster"] == name].sort_values("date"))
    highest = float(table[["predicted_spread", "realised_spread"]].max().max())
    _add_diagonal(
        figure, 0.0, float(table["predicted_spread"].max()), "Predicted = realised", row=2
    )
    apply_theme(figure, title, height=620)
    figure.update_layout(
        xaxis=axis("Rebalance date"),
        yaxis=axis("Spread (% log return)", tickformat=".1%", range=[0, highest * 1.05]),
        xaxis2=axis("Predicted spread (% log return)", tickformat=".2~%", rangemode="tozero"),
        yaxis2=axis("Realised spread (%)", tickformat=".1%", range=[0, highest * 1.05]),
    )
    return plain(figure)


def _add_spread(figure: go.Figure, name: str, rows: pd.DataFrame) -> None:
    style = strategy_style(name)
    common = {"name": style.label, "legendgroup": name, "legendrank": style.rank}
    figure.add_trace(
        go.Scatter(
            x=date_labels(rows["date"]),
            y=significant(rows["predicted_spread"]),
            mode="lines",
            line={"color": style.colour, "width": style.width, "dash": style.dash},
            hovertemplate="%{y:.2%}",
            **common,
        ),
        row=1,
        col=1,
    )
    figure.add_trace(
        go.Scatter(
            x=significant(rows["predicted_spread"]),
            y=significant(rows["realised_spread"]),
            mode="markers",
            marker={"color": style.colour, "size": 6, "opacity": 0.65},
            showlegend=False,
            hovertemplate="predicted %{x:.2%}, realised %{y:.2%}",
            **common,
        ),
        row=2,
        col=1,
    )


def _add_diagonal(
    figure: go.Figure, low: float, high: float, name: str, row: int | None = None
) -> None:
    place = {"row": row, "col": 1} if row else {}
    figure.add_trace(
        go.Scatter(
            x=significant([low, high]),
            y=significant([low, high]),
            name=name,
            mode="lines",
            legendrank=100,
            line={"color": REFERENCE_LINE, "width": 1.2, "dash": "dash"},
            hoverinfo="skip",
        ),
        **place,
    )


def reliability(table: pd.DataFrame) -> go.Figure:
    """Mean outcome in each bin of forecasts, against the mean forecast of the bin.

    Args:
        table: One row per forecaster and bin: forecaster, bin, predicted and realised (mean log
            returns, decimals), count (asset-dates in the bin); optional low and high, the
            interval of the mean outcome, blank where it is not known.
    """
    title = "Reliability: what followed forecasts of each size"
    if table.empty:
        return empty_figure(title, "No forecasts could be put into bins in this run.")
    figure = new_figure(title, height=480)
    most = float(table["count"].max())
    for name in in_drawing_order(table["forecaster"].astype(str)):
        rows = table[table["forecaster"] == name].sort_values("predicted")
        style = strategy_style(name)
        sizes = 5.0 + 9.0 * np.sqrt(rows["count"].to_numpy(dtype=float) / most)
        figure.add_trace(
            go.Scatter(
                x=significant(rows["predicted"]),
                y=significant(rows["realised"]),
                customdata=rows["count"].tolist(),
                name=style.label,
                legendrank=style.rank,
                mode="lines+markers",
                line={"color": style.colour, "width": style.width, "dash": style.dash},
                marker={
                    "color": style.colour,
                    "size": significant(sizes, 3),
                    "opacity": 1,
                    "line": {"width": 0},
                },
                error_y=_interval(rows, tint(style.colour, 0.45)) if "low" in rows else None,
                hovertemplate="predicted %{x:.2%}, realised %{y:.2%} (%{customdata} forecasts)",
            )
        )
    _add_diagonal(
        figure,
        float(table["predicted"].min()),
        float(table["predicted"].max()),
        "Predicted = realised",
    )
    figure.update_layout(
        xaxis=axis("Mean forecast in the bin (% log return)", tickformat=".1%"),
        yaxis=axis("Mean outcome (% log return)", tickformat=".1%", zeroline=True),
    )
    return plain(figure)


def _interval(rows: pd.DataFrame, colour: str) -> dict[str, Any]:
    """Bars from ``low`` to ``high`` around the mean outcome."""
    return {
        "type": "data",
        "symmetric": False,
        "array": significant(rows["high"] - rows["realised"]),
        "arrayminus": significant(rows["realised"] - rows["low"]),
        "color": colour,
        "thickness": 1.2,
        "width": 2,
    }


def seed_spread(table: pd.DataFrame) -> go.Figure:
    """How far the forecasts of equal networks with different random seeds lie apart.

    Args:
        table: One row per rebalance and forecaster: date, forecaster, seed_spread (standard
            deviation over seeds of the forecast log return, mean over assets, decimals).
    """
    title = "Spread over random seeds"
    known = table.dropna(subset=["seed_spread"]) if "seed_spread" in table else table
    if known.empty:
        return empty_figure(title, "No forecaster of this run was averaged over seeds.")
    figure = new_figure(title, height=360, hovermode="x unified")
    for name in in_drawing_order(known["forecaster"].astype(str)):
        rows = known[known["forecaster"] == name].sort_values("date")
        style = strategy_style(name)
        figure.add_trace(
            go.Scatter(
                x=date_labels(rows["date"]),
                y=significant(rows["seed_spread"]),
                name=style.label,
                legendrank=style.rank,
                mode="lines",
                line={"color": style.colour, "width": style.width, "dash": style.dash},
                hovertemplate="%{y:.2%}",
            )
        )
    figure.update_layout(
        xaxis=axis("Rebalance date"),
        yaxis=axis("Std. over seeds (% log return)", tickformat=".2~%", rangemode="tozero"),
    )
    return plain(figure)
