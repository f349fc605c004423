"""Figures of the ablations: differences with their intervals, and the Lipschitz curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regime_nas_pipeline.core.names import COMPARED_MEASURES
from regime_nas_pipeline.report.theme import (
    INK,
    MUTED,
    REFERENCE_LINE,
    apply_theme,
    axis,
    empty_figure,
    escape,
    plain,
    significant,
)

_EFFECTS = {
    "none": ("No difference can be claimed", MUTED),
    "worse": ("Worse than the full network", "#d55e00"),
    "better": ("Better than the full network", "#0072b2"),
}


@dataclass(frozen=True)
class _Line:
    row: int
    key: str
    name: str
    colour: str


_LINES = (
    _Line(1, "validation_error", "Error in validation", "#009e73"),
    _Line(2, "theil_u", "Theil's U out of sample", "#0072b2"),
    _Line(3, "certified", "Certified constant (upper bound)", "#d55e00"),
    _Line(3, "seen", "Steepest reaction seen (lower bound)", "#56b4e9"),
)


def ablation_differences(
    comparison: pd.DataFrame, labels: Mapping[str, str], *, level: float = 0.95
) -> go.Figure:
    """One panel per measure: each variant's difference to the full network and its interval.

    Args:
        comparison: Rows of :func:`~regime_nas_pipeline.verdict.ablation.compare_variants`.
        labels: Variant to its name in words.
        level: Of the intervals.
    """
    title = f"Difference to the full network, with {100 * level:g} % intervals over seeds"
    if comparison.empty:
        return empty_figure(title, "No variant differs from the full network.")
    metrics = [name for name in COMPARED_MEASURES if name in set(comparison["metric"])]
    order = [escape(labels[name]) for name in pd.unique(comparison["variant"])]
    figure = make_subplots(
        rows=(len(metrics) + 1) // 2,
        cols=2,
        shared_yaxes=True,
        horizontal_spacing=0.05,
        vertical_spacing=0.14,
    )
    for place, metric in enumerate(metrics):
        row, column = place // 2 + 1, place % 2 + 1
        rows = comparison[comparison["metric"] == metric]
        for effect in _EFFECTS:
            _add_intervals(figure, rows[rows["effect"] == effect], labels, effect, row, column)
        figure.add_vline(x=0.0, line={"color": REFERENCE_LINE, "width": 1}, row=row, col=column)
        side = "right" if COMPARED_MEASURES[metric].side > 0 else "left"
        name = f"{COMPARED_MEASURES[metric].label}: {side} is better"
        figure.update_xaxes(axis(name, nticks=6), row=row, col=column)
        figure.update_yaxes(
            axis("", categoryorder="array", categoryarray=order[::-1], showgrid=False),
            row=row,
            col=column,
        )
    for name, colour in _EFFECTS.values():
        figure.add_trace(_legend_dot(name, colour), row=1, col=1)
    apply_theme(figure, title, height=170 + ((len(metrics) + 1) // 2) * (90 + 24 * len(order)))
    return plain(figure)


def _add_intervals(
    figure: go.Figure,
    rows: pd.DataFrame,
    labels: Mapping[str, str],
    effect: str,
    row: int,
    column: int,
) -> None:
    if rows.empty:
        return
    difference = rows["difference"].to_numpy(dtype=float)
    low, high = rows["low"].to_numpy(dtype=float), rows["high"].to_numpy(dtype=float)
    colour = _EFFECTS[effect][1]
    figure.add_trace(
        go.Scatter(
            x=significant(difference),
            y=[escape(labels[name]) for name in rows["variant"]],
            mode="markers",
            showlegend=False,
            marker={"color": colour, "size": 9},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": significant(high - difference),
                "arrayminus": significant(difference - low),
                "color": colour,
                "thickness": 2,
                "width": 4,
            },
            hovertemplate="%{y}: %{x:+.4g}<extra></extra>",
        ),
        row=row,
        col=column,
    )


def _legend_dot(name: str, colour: str) -> go.Scatter:
    return go.Scatter(
        x=[None], y=[None], name=name, mode="markers", marker={"color": colour, "size": 9}
    )


def lipschitz_curve(curve: pd.DataFrame) -> go.Figure:
    """Errors against the limit, and below them the certified and the steepest seen constant.

    Dots are seeds, lines go through their medians. The limits are steps of equal width, since
    training without a limit stands among them.

    Args:
        curve: label, seed, validation_error, theil_u, certified and seen, as
            :func:`~regime_nas_pipeline.walkforward.lipschitz_curve.lipschitz_curve` gives them.
    """
    title = "Error and steepness against the Lipschitz limit"
    labels = _in_order(curve)
    if not labels:
        return empty_figure(title, "No network was trained under a limit.")
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.07)
    for line in _LINES:
        _add_curve(figure, curve, labels, line)
    figure.add_hline(y=1.0, line={"color": REFERENCE_LINE, "width": 1, "dash": "dash"}, row=2)
    figure.update_yaxes(axis("Scaled squared error"), row=1)
    figure.update_yaxes(axis("Theil's U (1 = no change)"), row=2)
    figure.update_yaxes(axis("Lipschitz constant", type="log"), row=3)
    for row in (1, 2, 3):
        name = "Limit on the certified constant" if row == 3 else ""
        figure.update_xaxes(
            axis(name, type="category", categoryorder="array", categoryarray=labels), row=row
        )
    apply_theme(figure, title, height=760)
    return plain(figure)


def _in_order(curve: pd.DataFrame) -> list[str]:
    """Labels from the tightest limit to none at all."""
    limits = curve.groupby("label", sort=False)["limit"].first()
    return [str(name) for name in limits.fillna(np.inf).sort_values(kind="stable").index]


def _add_curve(figure: go.Figure, curve: pd.DataFrame, labels: Sequence[str], line: _Line) -> None:
    known = curve[np.isfinite(curve[line.key].to_numpy(dtype=float))]
    if known.empty:
        return
    medians = known.groupby("label")[line.key].median().reindex(labels)
    figure.add_trace(
        go.Scatter(
            x=known["label"].tolist(),
            y=significant(known[line.key]),
            mode="markers",
            showlegend=False,
            marker={"color": line.colour, "size": 6, "opacity": 0.45, "line": {"color": INK}},
            hovertemplate=f"{line.name}, limit %{{x}}: %{{y:.4g}}<extra></extra>",
        ),
        row=line.row,
        col=1,
    )
    figure.add_trace(
        go.Scatter(
            x=list(labels),
            y=significant(medians),
            name=line.name,
            mode="lines+markers",
            line={"color": line.colour, "width": 2},
            hovertemplate=f"{line.name}, limit %{{x}}: median %{{y:.4g}}<extra></extra>",
        ),
        row=line.row,
        col=1,
    )
