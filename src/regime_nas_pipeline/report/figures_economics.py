"""Figures over the economics of a result: what costs leave of it, and where it comes from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.report.theme import (
    ASSET_COLOURS,
    MUTED,
    REFERENCE_LINE,
    axis,
    empty_figure,
    in_display_order,
    in_drawing_order,
    line_style,
    new_figure,
    plain,
    significant,
    strategy_style,
)

_COSTS_TITLE = "Sharpe ratio had trading cost more or less"
_STEPS = {
    "selection": ("Acting on the forecasts", ASSET_COLOURS[0]),
    "fallback": ("While a fallback was held", ASSET_COLOURS[3]),
    "costs": ("Costs of trading", ASSET_COLOURS[7]),
}
_WHOLE = ("All three together", MUTED)


def sharpe_by_cost(
    curve: pd.DataFrame, break_even: pd.DataFrame, *, cost_bps: float | None = None
) -> go.Figure:
    """Net Sharpe ratio of every strategy against the cost of trading.

    Args:
        curve: Tidy: cost_bps (one way, basis points of the traded notional), strategy, sharpe
            (annualised; blank where undefined).
        break_even: strategy, reference, break_even_bps (blank where there is none): marked with
            a ring where it lies within the costs drawn, at the height of the reference's line.
        cost_bps: The cost that this run was charged, marked with a line.
    """
    if curve.empty:
        return empty_figure(_COSTS_TITLE, "No cost curve was made in this run.")
    wide = curve.pivot(index="cost_bps", columns="strategy", values="sharpe").sort_index()
    reference = str(break_even["reference"].iloc[0]) if len(break_even) else ""
    figure = new_figure(_COSTS_TITLE, height=480)
    for name in in_drawing_order(map(str, wide.columns)):
        style = strategy_style(name)
        is_reference = name == reference
        figure.add_trace(
            go.Scatter(
                x=wide.index.tolist(),
                y=significant(wide[name]),
                mode="lines",
                name=f"{style.label} (to beat)" if is_reference else style.label,
                legendrank=style.rank,
                line=line_style(name) | ({"width": 3.4} if is_reference else {}),
                hovertemplate="%{y:.2f} at %{x:g} bp",
            )
        )
    if reference in wide.columns:
        _add_break_evens(figure, break_even, wide[reference].dropna())
    low, high = float(wide.index[0]), float(wide.index[-1])
    if cost_bps is not None and low <= cost_bps <= high:
        figure.add_vline(
            x=cost_bps,
            line={"color": REFERENCE_LINE, "width": 1.2, "dash": "dot"},
            annotation={
                "text": f"this run: {cost_bps:g} bp",
                "font": {"size": 11, "color": MUTED},
            },
            annotation_position="bottom right",
        )
    figure.update_layout(
        xaxis=axis("Cost, one way (basis points of what is traded)", range=[low, high]),
        yaxis=axis("Sharpe ratio (annualised)"),
    )
    return plain(figure)


def _add_break_evens(figure: go.Figure, break_even: pd.DataFrame, line: pd.Series) -> None:
    costs = line.index.to_numpy(dtype=float)
    rows = break_even.set_index(break_even["strategy"].astype(str))["break_even_bps"]
    drawn = rows[(rows >= costs.min()) & (rows <= costs.max())] if len(costs) else rows.iloc[:0]
    if drawn.empty:
        return
    # The legend's own ring: it stands for all of them and has no strategy's colour.
    _add_ring(figure, None, None, MUTED, name="Break-even", legendrank=200)
    for name in in_display_order(drawn.index):
        cost = float(drawn[name])
        height = float(np.interp(cost, costs, line.to_numpy(dtype=float)))
        style = strategy_style(name)
        _add_ring(
            figure,
            cost,
            height,
            style.colour,
            mode="markers+text",
            text=[f"{cost:.0f} bp"],
            textposition="top right",
            textfont={"size": 11, "color": MUTED},
            cliponaxis=False,
            showlegend=False,
            hovertemplate=f"{style.label}: {cost:.1f} bp<extra></extra>",
        )


def _add_ring(
    figure: go.Figure, x: float | None, y: float | None, colour: str, **looks: Any
) -> None:
    ring = {"symbol": "circle-open", "size": 13, "color": colour, "line": {"width": 2.4}}
    figure.add_trace(go.Scatter(x=[x], y=[y], marker=ring, **{"mode": "markers", **looks}))


def attribution_steps(total: pd.DataFrame) -> go.Figure:
    """From the portfolio without forecasts to each forecaster, in steps that add up.

    Args:
        total: One row per forecaster: strategy, reference, selection, fallback, costs and
            difference, their sum (mean net return a year less the reference's, decimals).
    """
    if total.empty:
        return empty_figure("Where each lead comes from", "No lead was split in this run.")
    start = strategy_style(str(total["reference"].iloc[0])).label
    rows = total.set_index(total["strategy"].astype(str))
    names = in_display_order(rows.index)
    rows = rows.loc[names]
    labels = [strategy_style(name).label for name in names]
    figure = new_figure(f"Mean net return a year: from {start} to each forecaster", height=440)
    base = np.zeros(len(rows))
    for part, (label, colour) in _STEPS.items():
        values = rows[part].to_numpy(dtype=float)
        _add_step(figure, labels, values, base, label, colour)
        base = base + values
    _add_step(figure, labels, rows["difference"].to_numpy(float), np.zeros(len(rows)), *_WHOLE)
    figure.add_hline(y=0, line={"color": REFERENCE_LINE, "width": 1.4})
    figure.update_layout(
        barmode="group",
        bargap=0.28,
        bargroupgap=0.04,
        xaxis=axis("Forecaster (each starts at zero, the reference)"),
        yaxis=axis(f"Lead over {start} (% a year)", tickformat=".1%"),
    )
    return plain(figure)


def _add_step(
    figure: go.Figure,
    labels: list[str],
    values: np.ndarray,
    base: np.ndarray,
    label: str,
    colour: str,
) -> None:
    figure.add_trace(
        go.Bar(
            x=labels,
            y=significant(values),
            base=significant(base),
            customdata=[_signed(value) for value in values],
            name=label,
            marker={"color": colour, "line": {"width": 0}},
            hovertemplate="%{customdata}",
        )
    )


def _signed(value: float) -> str:
    return f"{100.0 * value:+.2f} % a year" if math.isfinite(value) else "not known"
