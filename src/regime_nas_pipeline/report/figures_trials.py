"""Figures over the trials of the searches: does the best of one half stay good in the other?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regime_nas_pipeline.report.theme import (
    ASSET_COLOURS,
    REFERENCE_LINE,
    apply_theme,
    axis,
    empty_figure,
    in_display_order,
    plain,
    significant,
    strategy_style,
)

ALL_TRIALS = "All searches"
"""The trials of all searches taken together."""

_TITLE = "Rank, in the other half of the bars, of the trial that was best in one half"
_FAILED, _STAYED = "At or below the median there", "Above the median there"
_COLOURS = {_FAILED: ASSET_COLOURS[7], _STAYED: ASSET_COLOURS[5]}
_BARS_EACH_SIDE = 14


def overfitting_logits(found: Mapping[str, Any]) -> go.Figure:
    """How often the best trial of one half of the bars disappoints in the other half.

    Args:
        found: Of the trials of all searches: ``logits`` (one per split, ln(ω / (1 - ω)) of the
            relative rank ω; empty where nothing could be reckoned) and ``probability`` (share of
            splits with a logit of at most 0); and under ``forecasters`` the same of each search.
    """
    known = {name: each for name, each in searches_of(found).items() if each["logits"]}
    if not known:
        return empty_figure(_TITLE, "Too few trials have returns to compare.")
    logits = {name: np.asarray(each["logits"], dtype=float) for name, each in known.items()}
    widest = max(float(np.abs(values).max()) for values in logits.values())
    width = max(widest, 1.0) / _BARS_EACH_SIDE
    columns = min(2, len(known))
    rows = -(-len(known) // columns)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=[_panel_title(name, each) for name, each in known.items()],
        shared_yaxes=True,
        horizontal_spacing=0.06,
        vertical_spacing=0.34 / rows,
    )
    # Titles of panels are the only annotations so far; their colour is to follow the theme.
    figure.update_annotations(font={"size": 12})
    for place, values in enumerate(logits.values()):
        _add_panel(figure, values, width, place // columns + 1, place % columns + 1)
    apply_theme(figure, _TITLE, height=190 + 210 * rows)
    reach = width * (_BARS_EACH_SIDE + 1.2)
    figure.update_layout(barmode="overlay", bargap=0.06)
    figure.update_layout(margin={"t": 84})
    figure.update_xaxes(**axis("Logit of the rank (0 = median)", range=[-reach, reach]))
    figure.update_yaxes(**axis("", tickformat=".0%", rangemode="tozero"))
    figure.update_yaxes(**axis("Share of splits", tickformat=".0%", rangemode="tozero"), col=1)
    return plain(figure)


def searches_of(found: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """All trials under :data:`ALL_TRIALS`, then each forecaster's in the usual order.

    Args:
        found: As for :func:`overfitting_logits`.
    """
    parts = found["forecasters"]
    return {ALL_TRIALS: found, **{name: parts[name] for name in in_display_order(parts)}}


def _panel_title(name: str, facts: Mapping[str, Any]) -> str:
    share = f"{100.0 * float(facts['probability']):.0f} %"
    whose = name if name == ALL_TRIALS else strategy_style(name).label
    return f"{whose}: {share} of {len(facts['logits']):,} splits at or below"


def _add_panel(figure: go.Figure, values: np.ndarray, width: float, row: int, col: int) -> None:
    # Bars are closed on the right: a logit of exactly zero is the median, which is a failure.
    steps = np.ceil(values / width - 1e-9).astype(int)
    bars, counts = np.unique(steps, return_counts=True)
    for label, members in ((_FAILED, bars <= 0), (_STAYED, bars > 0)):
        figure.add_trace(
            go.Bar(
                x=significant((bars[members] - 0.5) * width),
                y=significant(counts[members] / len(values)),
                width=width,
                name=label,
                legendgroup=label,
                showlegend=row == col == 1,
                marker={"color": _COLOURS[label], "line": {"width": 0}},
                hovertemplate="about %{x:.2f}: %{y:.1%} of splits<extra></extra>",
            ),
            row=row,
            col=col,
        )
    figure.add_vline(
        x=0, line={"color": REFERENCE_LINE, "width": 1.2, "dash": "dash"}, row=row, col=col
    )
