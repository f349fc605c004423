"""Figures of exposure strategies: how much they hold, and what each cheat is worth.

Wealth and drawdowns are those of :mod:`~regime_nas_pipeline.report.figures_performance`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.names import name_in_sentence
from regime_nas_pipeline.report.theme import (
    MUTED,
    REFERENCE_LINE,
    apply_theme,
    axis,
    date_labels,
    empty_figure,
    escape,
    in_display_order,
    in_drawing_order,
    line_style,
    plain,
    significant,
    strategy_style,
    thinned,
    tint,
)

_MEASURES = {
    "sharpe_zero": ("Sharpe ratio (annualised, above nothing)", "%{x:.2f}", ""),
    "sharpe": ("Sharpe ratio (annualised, above cash)", "%{x:.2f}", ""),
    "cagr": ("Growth (% a year)", "%{x:.1%}", ".0%"),
    "max_drawdown": ("Max. drawdown (%)", "%{x:.1%}", ".0%"),
}


def exposure_over_time(exposures: pd.DataFrame) -> go.Figure:
    """What every strategy held of the index, one panel for each whose exposure ever changes.

    Args:
        exposures: Date x strategy, fraction of wealth held during the bar that ends there.

    Raises:
        DataError: There is no strategy, or an exposure is blank.
    """
    if exposures.empty or exposures.isna().to_numpy().any():
        raise DataError("exposures must be known on every bar", source="exposures")
    title = "Share of wealth held in the index"
    changing = exposures.loc[:, np.ptp(exposures.to_numpy(dtype=float), axis=0) > 0.0]
    if changing.empty:
        return empty_figure(title, "No strategy ever changed what it held.")
    drawn = thinned(changing.set_axis(pd.DatetimeIndex(changing.index), axis=0))
    dates = date_labels(drawn.index)
    names = in_display_order(map(str, drawn.columns))
    figure = make_subplots(rows=len(names), cols=1, shared_xaxes=True, vertical_spacing=0.035)
    highest = max(1.0, float(changing.to_numpy().max()))
    for row, name in enumerate(names, start=1):
        style = strategy_style(name)
        figure.add_trace(
            go.Scatter(
                x=dates,
                y=significant(drawn[name], 4),
                name=style.label,
                # The step is at the close at which it was traded.
                line={"color": style.colour, "width": 1, "shape": "vh"},
                fill="tozeroy",
                fillcolor=tint(style.colour, 0.35),
                hovertemplate="%{x}: %{y:.0%}",
            ),
            row=row,
            col=1,
        )
        figure.add_hline(
            y=1.0, line={"color": REFERENCE_LINE, "width": 1, "dash": "dot"}, row=row, col=1
        )
        figure.update_yaxes(
            axis("Held (%)", tickformat=".0%", range=[0.0, 1.05 * highest], nticks=4),
            row=row,
            col=1,
        )
        figure.update_xaxes(axis("Date" if row == len(names) else ""), row=row, col=1)
    apply_theme(figure, title, height=120 + 100 * len(names))
    return plain(figure)


def exposure_ladder(
    ladder: pd.DataFrame,
    labels: Mapping[str, str],
    *,
    measure: str = "sharpe_zero",
    published: Mapping[str, float] | None = None,
) -> go.Figure:
    """One panel per labeller, one line of dots per strategy: from the top one cheat less per rung.

    Args:
        ladder: labeller, rung, strategy and the measure, as ``Ladder.table`` has them.
        labels: Rung to what it is called, in order from the first to the honest one.
        measure: sharpe_zero, sharpe, cagr or max_drawdown.
        published: Strategy to its published figure in that measure, drawn below the rungs.

    Raises:
        DataError: The measure is none of these, or a rung has no label.
    """
    if measure not in _MEASURES:
        raise DataError(f"the ladder has no '{measure}'; choose one of: {', '.join(_MEASURES)}")
    unknown = sorted(set(ladder["rung"]) - set(labels))
    if unknown:
        raise DataError(f"rung '{unknown[0]}' has no label", column="rung")
    title = "What each cheat is worth: one less on every rung"
    if ladder.empty:
        return empty_figure(title, "There is no strategy whose cheats could be taken away.")
    labellers = [str(name) for name in pd.unique(ladder["labeller"])]
    rungs = list(labels)
    figure = make_subplots(
        rows=len(labellers),
        cols=1,
        shared_xaxes=True,
        subplot_titles=[f"Labels of {escape(name_in_sentence(name))}" for name in labellers],
        vertical_spacing=0.36 / (len(labellers) + 2),
    )
    names = in_drawing_order(ladder["strategy"].astype(str))
    for row, labeller in enumerate(labellers, start=1):
        own = ladder[ladder["labeller"] == labeller]
        for name in names:
            of_strategy = own[own["strategy"] == name].set_index("rung")
            _add_line(figure, of_strategy, name, rungs, measure, row)
            if published and name in published:
                _add_published(figure, published[name], name, len(rungs), measure, row)
        texts = [escape(labels[rung]) for rung in rungs] + (["Published"] if published else [])
        ticks = {"tickvals": list(range(len(texts))), "ticktext": texts}
        figure.update_yaxes(
            axis("", range=[len(texts) - 0.5, -0.5], **ticks),
            row=row,
            col=1,
        )
        last = row == len(labellers)
        figure.update_xaxes(
            axis(_MEASURES[measure][0] if last else "", tickformat=_MEASURES[measure][2]),
            showticklabels=True,
            row=row,
            col=1,
        )
    apply_theme(figure, title, height=130 + len(labellers) * (60 + 30 * (len(rungs) + 1)))
    figure.update_layout(margin={"t": 76})
    figure.update_annotations(font={"size": 12, "color": MUTED})
    return plain(figure)


def _add_line(
    figure: go.Figure, rows: pd.DataFrame, name: str, rungs: list[str], measure: str, row: int
) -> None:
    style = strategy_style(name)
    places = [place for place, rung in enumerate(rungs) if rung in rows.index]
    values = rows[measure].reindex([rungs[place] for place in places])
    figure.add_trace(
        go.Scatter(
            x=significant(values, 4),
            y=places,
            name=style.label,
            legendgroup=name,
            legendrank=style.rank,
            showlegend=row == 1,
            mode="lines+markers",
            line={**line_style(name), "width": 1.4},
            marker={"color": style.colour, "size": 9},
            hovertemplate=_MEASURES[measure][1],
        ),
        row=row,
        col=1,
    )


def _add_published(
    figure: go.Figure, value: float, name: str, place: int, measure: str, row: int
) -> None:
    style = strategy_style(name)
    figure.add_trace(
        go.Scatter(
            x=significant([value], 4),
            y=[place],
            name=f"{style.label}, published",
            legendgroup=name,
            showlegend=False,
            mode="markers",
            marker={"color": style.colour, "size": 11, "symbol": "diamond-open"},
            hovertemplate=_MEASURES[measure][1],
        ),
        row=row,
        col=1,
    )
