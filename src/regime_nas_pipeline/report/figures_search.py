"""Figures over the search: what each trial scored, what it cost and what it traded off."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

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
)

_TITLE = "Search: score of every trial"
_FRONT_TITLE = "Pareto front: error against size, speed and steepness"
_OTHER_OBJECTIVES = {
    "parameters": "Parameters (number)",
    "latency": "Latency (ms a date)",
    "lipschitz": "Certified Lipschitz constant",
}
_STRATEGY_DASHES = ("solid", "dot", "dash", "longdash", "dashdot")


def search_progress(trials: pd.DataFrame) -> go.Figure:
    """Score of every trial, and the best one so far against the budget spent.

    Args:
        trials: One row per trial in the order run: forecaster, trial, score (validation
            error ÷ that of no change, lower is better; blank where a trial failed), budget_spent
            (gradient samples of this trial), state, strategy.
    """
    if trials.empty:
        return empty_figure(_TITLE, "No search was run.")
    ordered = trials.assign(
        forecaster=trials["forecaster"].astype(str), strategy=trials["strategy"].astype(str)
    )
    figure = make_subplots(rows=2, cols=1, vertical_spacing=0.17)
    strategies = sorted(ordered["strategy"].unique())
    for name in in_display_order(ordered["forecaster"]):
        for number, strategy in enumerate(strategies):
            rows = ordered[(ordered["forecaster"] == name) & (ordered["strategy"] == strategy)]
            if not rows.empty:
                dash = _STRATEGY_DASHES[number % len(_STRATEGY_DASHES)]
                _add_search(figure, name, strategy, dash, rows.sort_values("trial"))
    failed = int(ordered["score"].isna().sum())
    spent = float(ordered["budget_spent"].sum())
    apply_theme(figure, f"Search: {len(ordered)} trials, {failed} without a score", height=640)
    # What no change scores.
    figure.add_hline(y=1.0, line={"color": REFERENCE_LINE, "width": 1.2, "dash": "dash"})
    figure.update_layout(
        xaxis=axis("Trial (number)"),
        yaxis=axis("Validation error ÷ no change"),
        xaxis2=axis(
            f"Budget spent so far (gradient samples; {spent:,.0f} in all)", rangemode="tozero"
        ),
        yaxis2=axis("Best ratio so far"),
    )
    return plain(figure)


def _add_search(figure: go.Figure, name: str, strategy: str, dash: str, rows: pd.DataFrame) -> None:
    style = strategy_style(name)
    label = f"{style.label}, {escape(strategy)}"
    best = rows["score"].cummin().ffill()
    common = {"name": label, "legendgroup": label, "legendrank": style.rank}
    figure.add_trace(
        go.Scatter(
            x=rows["trial"].tolist(),
            y=significant(rows["score"]),
            customdata=[escape(state) for state in rows["state"]],
            mode="markers",
            marker={"color": style.colour, "size": 7, "opacity": 0.6},
            showlegend=False,
            hovertemplate="trial %{x}: %{y:.5g} (%{customdata})",
            **common,
        ),
        row=1,
        col=1,
    )
    for row, x_values in ((1, rows["trial"]), (2, rows["budget_spent"].cumsum())):
        figure.add_trace(
            go.Scatter(
                x=x_values.tolist(),
                y=significant(best),
                mode="lines",
                line={
                    "color": style.colour,
                    "width": max(style.width, 1.8),
                    "shape": "hv",
                    "dash": dash,
                },
                showlegend=row == 1,
                hovertemplate="best so far %{y:.5g}",
                **common,
            ),
            row=row,
            col=1,
        )


def pareto_front(front: pd.DataFrame) -> go.Figure:
    """Error against each other objective, one panel each, with the trials that none dominates.

    Args:
        front: One row per trial: number, error (validation error ÷ that of no change),
            parameters, latency (ms), lipschitz, on_front, choices (JSON). All are better when
            smaller; a trial is drawn only where both of a panel's values are known and positive.
    """
    if front.empty:
        return empty_figure(_FRONT_TITLE, "No search was run.")
    panels = list(_OTHER_OBJECTIVES)
    figure = make_subplots(cols=len(panels), shared_yaxes=True, horizontal_spacing=0.04)
    best = int(front["error"].argmin()) if front["error"].notna().any() else -1
    is_best = pd.Series(range(len(front)), index=front.index) == best
    colour = strategy_style("regime_nas").colour
    groups: list[tuple[str, pd.Series, dict[str, Any]]] = [
        ("Dominated by another", ~front["on_front"], {"color": "#a9b2bc", "size": 7}),
        ("On the front", front["on_front"] & ~is_best, {"color": colour, "size": 9}),
        ("Chosen: lowest error", is_best, {"color": colour, "size": 15, "symbol": "star"}),
    ]
    for column, name in enumerate(panels, start=1):
        drawn = (front[name] > 0) & (front["error"] > 0)
        for label, members, marker in groups:
            rows = front[members & drawn]
            figure.add_trace(
                go.Scatter(
                    x=significant(rows[name]),
                    y=significant(rows["error"]),
                    customdata=[_candidate(row) for row in rows.to_dict("records")],
                    mode="markers",
                    marker=marker,
                    name=label,
                    legendgroup=label,
                    showlegend=column == 1,
                    hovertemplate="%{y:.5g} at %{x:.5g}<br>%{customdata}<extra></extra>",
                ),
                row=1,
                col=column,
            )
        if not drawn.any():
            figure.add_annotation(
                text="no trial has one",
                x=0.5,
                y=0.5,
                xref=f"x{column if column > 1 else ''} domain",
                yref="y domain",
                showarrow=False,
                font={"size": 12, "color": MUTED},
            )
    on_front = int(front["on_front"].sum())
    apply_theme(figure, f"{_FRONT_TITLE} ({on_front} of {len(front)} trials)", height=400)
    for column, name in enumerate(panels, start=1):
        figure.update_xaxes(**axis(_OTHER_OBJECTIVES[name], type="log"), row=1, col=column)
        figure.update_yaxes(**axis("", type="log"), row=1, col=column)
    figure.update_yaxes(**axis("Validation error ÷ no change", type="log"), row=1, col=1)
    return plain(figure)


def _candidate(row: Mapping[Hashable, Any]) -> str:
    """A trial's number, objectives and choices, a line each."""
    numbers = {name: row[name] for name in _OTHER_OBJECTIVES if not math.isnan(row[name])}
    facts = {**numbers, **json.loads(row["choices"])}
    lines = [f"{escape(name)}: {escape(_short(value))}" for name, value in facts.items()]
    return "<br>".join([f"trial {row['number']}", *lines])


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
