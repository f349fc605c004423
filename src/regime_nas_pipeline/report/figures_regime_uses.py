"""Figure of what regime labels are worth: differences by labeller and use, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regime_nas_pipeline.core.names import display_name
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

PANELS = {
    ("overlay", "by_label"): "Overlay by the most probable regime",
    ("overlay", "by_probability"): "Overlay by the probabilities",
    ("covariance", "by_label"): "Covariance of the regime",
    ("supervision", "in_the_loss"): "Labels teach the detector",
}
"""Use and way to the title of its panel, in order."""

CONTROLS = {"overlay": ("none", "volatility_target"), "supervision": ("shuffled", "in_the_loss")}
"""Use to the labels and the way of its control."""

_CLAIMED = ("better", "worse")
_SPREAD = 0.76
"""Part of a row, which is 1 high, over which its strategies are spread."""


def regime_use_differences(comparison: pd.DataFrame, *, level: float = 0.95) -> go.Figure:
    """One panel per use and way: each labeller's differences to the plain strategies.

    Full dots are differences that can be claimed, hollow ones may be chance. The control of a use
    stands in its last row.

    Args:
        comparison: Rows of :func:`~regime_nas_pipeline.verdict.regime_uses.compare_uses`.
        level: Of the intervals.
    """
    title = f"Sharpe ratio with labels less without, with {100 * level:g} % intervals"
    known = comparison.dropna(subset=["difference"])
    panels = [key for key in PANELS if len(_rows_of(known, *key))]
    if not panels:
        return empty_figure(title, "No use of labels could be compared.")
    labels = [str(name) for name in pd.unique(known["labels"]) if not _is_control(str(name))]
    strategies = in_display_order(known["strategy"].astype(str))
    figure = make_subplots(
        rows=(len(panels) + 1) // 2,
        cols=2 if len(panels) > 1 else 1,
        shared_yaxes=True,
        horizontal_spacing=0.05,
        vertical_spacing=0.09,
        subplot_titles=[PANELS[key] for key in panels],
    )
    for place, (use, way) in enumerate(panels):
        cell = (place // 2 + 1, place % 2 + 1)
        rows = _rows_of(known, use, way)
        own = [name for name in strategies if name in set(rows["strategy"])]
        for number, strategy in enumerate(own):
            shift = _SPREAD * ((number + 0.5) / len(own) - 0.5)
            _add(figure, rows[rows["strategy"] == strategy], labels, shift, cell)
        figure.add_vline(
            x=0.0, line={"color": REFERENCE_LINE, "width": 1}, row=cell[0], col=cell[1]
        )
        figure.update_xaxes(axis("Sharpe ratio a year", nticks=6), row=cell[0], col=cell[1])
        figure.update_yaxes(_labels_axis(labels), row=cell[0], col=cell[1])
    _add_legend(figure, strategies)
    n_rows = (len(panels) + 1) // 2
    apply_theme(figure, title, height=150 + n_rows * (90 + 62 * (len(labels) + 1)))
    figure.update_annotations(font_size=12)
    return plain(figure)


def _is_control(name: str) -> bool:
    return name in {labels for labels, _ in CONTROLS.values()}


def _rows_of(comparison: pd.DataFrame, use: str, way: str) -> pd.DataFrame:
    """Rows of a panel: the labellers' of this way, and the use's control where there is any."""
    own = (comparison["use"] == use) & (comparison["way"] == way)
    if use not in CONTROLS or not own.any():
        return comparison[own]
    labels, control = CONTROLS[use]
    beside = (comparison["use"] == use) & (comparison["labels"] == labels)
    return comparison[own | (beside & (comparison["way"] == control))]


def _labels_axis(labels: Sequence[str]) -> Mapping[str, object]:
    return axis(
        "",
        showgrid=False,
        tickvals=list(range(len(labels) + 1)),
        ticktext=[*(escape(display_name(name)) for name in labels), "Control"],
        range=[len(labels) + 0.5, -0.5],
    )


def _add(
    figure: go.Figure,
    rows: pd.DataFrame,
    labels: Sequence[str],
    shift: float,
    cell: tuple[int, int],
) -> None:
    style = strategy_style(str(rows["strategy"].iloc[0]))
    places = [labels.index(name) if name in labels else len(labels) for name in rows["labels"]]
    difference = rows["difference"].to_numpy(dtype=float)
    low, high = rows["low"].to_numpy(dtype=float), rows["high"].to_numpy(dtype=float)
    figure.add_trace(
        go.Scatter(
            x=significant(difference),
            y=significant(np.array(places) + shift),
            mode="markers",
            showlegend=False,
            name=style.label,
            marker={
                "color": style.colour,
                "size": 7,
                "symbol": [
                    "circle" if effect in _CLAIMED else "circle-open" for effect in rows["effect"]
                ],
            },
            error_x={
                "type": "data",
                "symmetric": False,
                "array": significant(high - difference),
                "arrayminus": significant(difference - low),
                "color": style.colour,
                "thickness": 1.3,
                "width": 2,
            },
            hovertemplate="%{x:+.3f}",
        ),
        row=cell[0],
        col=cell[1],
    )


def _add_legend(figure: go.Figure, strategies: Sequence[str]) -> None:
    for name in strategies:
        style = strategy_style(name)
        dot = {"color": style.colour, "size": 8}
        figure.add_trace(
            go.Scatter(x=[None], y=[None], name=style.label, mode="markers", marker=dot),
            row=1,
            col=1,
        )
