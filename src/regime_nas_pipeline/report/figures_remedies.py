"""Figure of what mends calibration: differences to the plain forecasters, with intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regime_nas_pipeline.core.qualities import QUALITIES, Quality
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

_CLAIMED = ("better", "worse")
_STEP = 0.22
"""Distance of two forecasters on the axis of the variants, on which one variant is 1 wide."""


def remedy_differences(
    comparison: pd.DataFrame, labels: Mapping[str, str], *, level: float = 0.95
) -> go.Figure:
    """One panel per measure: each variant's difference to plain, a colour per forecaster.

    Full dots are differences that can be claimed, hollow ones may be the luck of the seeds.

    Args:
        comparison: Rows of :func:`~regime_nas_pipeline.verdict.remedies.compare_remedies`.
        labels: Variant to its name in words.
        level: Of the intervals.
    """
    title = f"Difference to the plain forecasters, with {100 * level:g} % intervals over seeds"
    known = comparison.dropna(subset=["difference"])
    if known.empty:
        return empty_figure(title, "No remedy could be compared with the plain forecasters.")
    metrics = [name for name in QUALITIES if name in set(known["metric"])]
    variants = [str(name) for name in pd.unique(known["variant"])]
    names = in_display_order(known["forecaster"].astype(str))
    figure, n_rows = _panels(len(metrics))
    for place, metric in enumerate(metrics):
        row, column = place // 2 + 1, place % 2 + 1
        of_metric = known[known["metric"] == metric]
        for number, name in enumerate(names):
            shift = _STEP * (number - (len(names) - 1) / 2)
            own = of_metric[of_metric["forecaster"] == name]
            _add_forecaster(figure, own, variants, shift, (row, column), labels)
        figure.add_vline(x=0.0, line={"color": REFERENCE_LINE, "width": 1}, row=row, col=column)
        figure.update_xaxes(axis(_side(QUALITIES[metric]), nticks=6), row=row, col=column)
        ticks = {
            "tickvals": list(range(len(variants))),
            "ticktext": [escape(labels[name]) for name in variants],
            "range": [len(variants) - 0.5, -0.5],
        }
        figure.update_yaxes(axis("", showgrid=False, **ticks), row=row, col=column)
    for name in names:
        style = strategy_style(name)
        dot = {"color": style.colour, "size": 9}
        figure.add_trace(
            go.Scatter(x=[None], y=[None], name=style.label, mode="markers", marker=dot),
            row=1,
            col=1,
        )
    height = 120 + n_rows * (80 + 34 * len(variants))
    apply_theme(figure, title, height=height)
    return plain(figure)


def _panels(count: int) -> tuple[go.Figure, int]:
    """A grid of two columns and its rows; an odd count leaves the last place without axes."""
    n_rows = (count + 1) // 2
    cells: list[dict[str, str] | None] = [{} for _ in range(count)]
    cells += [None] * (2 * n_rows - count)
    figure = make_subplots(
        rows=n_rows,
        cols=2,
        specs=[cells[start : start + 2] for start in range(0, len(cells), 2)],
        shared_yaxes=True,
        horizontal_spacing=0.05,
        vertical_spacing=0.09,
    )
    return figure, n_rows


def _side(quality: Quality) -> str:
    if quality.side:
        return f"{quality.label}: {'right' if quality.side > 0 else 'left'} is better"
    if quality.ideal is None:
        return f"{quality.label}: no side is better"
    return f"{quality.label}: {quality.ideal:g} is right"


def _add_forecaster(
    figure: go.Figure,
    rows: pd.DataFrame,
    variants: list[str],
    shift: float,
    place: tuple[int, int],
    labels: Mapping[str, str],
) -> None:
    if rows.empty:
        return
    style = strategy_style(str(rows["forecaster"].iloc[0]))
    difference = rows["difference"].to_numpy(dtype=float)
    low, high = rows["low"].to_numpy(dtype=float), rows["high"].to_numpy(dtype=float)
    symbols = ["circle" if each in _CLAIMED else "circle-open" for each in rows["effect"]]
    figure.add_trace(
        go.Scatter(
            x=significant(difference),
            y=significant(np.array([variants.index(v) for v in rows["variant"]]) + shift),
            customdata=[
                [escape(labels[v]), m]
                for v, m in zip(rows["variant"], significant(rows["mean"]), strict=True)
            ],
            mode="markers",
            showlegend=False,
            name=style.label,
            marker={"color": style.colour, "size": 8, "symbol": symbols},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": significant(high - difference),
                "arrayminus": significant(difference - low),
                "color": style.colour,
                "thickness": 1.6,
                "width": 3,
            },
            hovertemplate="%{customdata[0]}: %{x:+.4g}, then %{customdata[1]:.4g}",
        ),
        row=place[0],
        col=place[1],
    )
