"""Figures over the search: what each trial scored and what it cost."""

from __future__ import annotations

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

_TITLE = "Search: score of every trial"
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
