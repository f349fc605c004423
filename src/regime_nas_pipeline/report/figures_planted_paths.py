"""Figures of the planted experiment over time: regimes, architectures, searches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regime_nas_pipeline.report.figures_architecture import architecture
from regime_nas_pipeline.report.figures_planted import (
    SUBJECT,
    TRACK_NAMES,
    guide,
    panels,
    quiet_titles,
)
from regime_nas_pipeline.report.theme import (
    apply_theme,
    axis,
    empty_figure,
    in_display_order,
    plain,
    regime_colour,
    significant,
    strategy_style,
)

_REGIMES = ("trend", "range", "volatile")
_REGIME_OF_BLOCK = {"volatility": "volatile", "trend": "trend", "range": "range"}
_FIRST_GATE_ROW = 3


def regimes_over_time(regimes: pd.DataFrame) -> go.Figure:
    """True states, the oracle's filtered probabilities, and the gates of RegimeNAS.

    Args:
        regimes: track, bar, state (0 trend, 1 range, 2 volatile), ``oracle.<regime>`` and
            ``gate.<block>``, the weight of each block (blank where nothing gates).
    """
    tracks = list(dict.fromkeys(regimes["track"]))
    titles = ["True state", "Hamilton filter: probability of each state"]
    titles += [f"RegimeNAS, {TRACK_NAMES[track].lower()}: weight of each block" for track in tracks]
    figure = make_subplots(
        rows=2 + len(tracks),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.07,
        subplot_titles=titles,
        row_heights=[0.4, *[1.0] * (1 + len(tracks))],
    )
    first = regimes[regimes["track"] == tracks[0]]
    truth = {name: (first["state"] == place) * 1.0 for place, name in enumerate(_REGIMES)}
    filtered = {name: first[f"oracle.{name}"] for name in _REGIMES}
    for row, view in ((1, truth), (2, filtered)):
        for name, values in view.items():
            _ribbon(figure, first["bar"], values, name, row)
    for row, track in enumerate(tracks, start=_FIRST_GATE_ROW):
        here = regimes[regimes["track"] == track]
        for block in _REGIME_OF_BLOCK:
            _gate(figure, here["bar"], here[f"gate.{block}"], block, row)
    apply_theme(
        figure,
        "Regimes of the first market over the scored bars",
        height=240 + 170 * (1 + len(tracks)),
        hovermode="x unified",
    )
    for row in range(1, 3 + len(tracks)):
        figure.update_xaxes(axis("Bar" if row == 2 + len(tracks) else ""), row=row, col=1)
        title = "" if row == 1 else "Probability" if row == 2 else "Weight"
        figure.update_yaxes(axis(title, range=[0, 1], tickvals=[0, 1]), row=row, col=1)
    quiet_titles(figure)
    return plain(figure)


def _ribbon(figure: go.Figure, bars: pd.Series, values: pd.Series, name: str, row: int) -> None:
    figure.add_trace(
        go.Scatter(
            x=bars.tolist(),
            y=significant(values, 3),
            name=f"State: {name}",
            legendgroup=f"state {name}",
            showlegend=row == 1,
            stackgroup=f"states {row}",
            mode="lines",
            line={"width": 0, "color": regime_colour(name), "shape": "hv"},
            fillcolor=regime_colour(name),
            hovertemplate="%{y:.0%}",
        ),
        row=row,
        col=1,
    )


def _gate(figure: go.Figure, bars: pd.Series, values: pd.Series, block: str, row: int) -> None:
    regime = _REGIME_OF_BLOCK[block]
    figure.add_trace(
        go.Scatter(
            x=bars.tolist(),
            y=significant(values, 3),
            name=f"Gate: {block} block",
            legendgroup=f"gate {block}",
            showlegend=row == _FIRST_GATE_ROW,
            mode="lines",
            line={
                "width": 1.5,
                # The sand of the ribbon is too pale for a line.
                "color": "#b89a3c" if regime == "range" else regime_colour(regime),
            },
            hovertemplate="%{y:.0%}",
        ),
        row=row,
        col=1,
    )


def architecture_of_track(found: Mapping[str, Any], track: str) -> go.Figure:
    """The architecture that was found on the first market of a track.

    Args:
        found: Track to forecaster to market seed to ``parameters`` of the search.
        track: ``engineered`` or ``raw``.
    """
    searched = found.get(track, {}).get(SUBJECT, {})
    if not searched:
        return empty_figure("From prices to forecast", "Nothing was searched in this track.")
    seed, entry = next(iter(searched.items()))
    figure = architecture(entry["parameters"])
    title = f"{TRACK_NAMES[track]}: from prices to forecast, as found on market {seed}"
    figure.update_layout(title_text=title)
    return figure


def search_by_track(trials: pd.DataFrame) -> go.Figure:
    """Best score so far against the budget spent: one line per forecaster and market.

    Args:
        trials: One row per trial: forecaster, track, seed_of_market, number, score (validation
            error ÷ that of no change), budget_spent (gradient samples).
    """
    title = "Search: best validation score so far, one line for each market"
    if trials.empty:
        return empty_figure(title, "No search was run.")
    tracks = [track for track in TRACK_NAMES if (trials["track"] == track).any()]
    figure = panels([TRACK_NAMES[track] for track in tracks])
    for name in in_display_order(trials["forecaster"].astype(str)):
        style = strategy_style(name)
        mine = trials[trials["forecaster"] == name]
        shown = False
        for (track, seed), rows in mine.groupby(["track", "seed_of_market"], sort=True):
            ordered = rows.sort_values("number")
            figure.add_trace(
                go.Scatter(
                    x=ordered["budget_spent"].cumsum().tolist(),
                    y=significant(ordered["score"].cummin()),
                    name=style.label,
                    legendgroup=name,
                    legendrank=style.rank,
                    showlegend=not shown,
                    mode="lines+markers",
                    line={"color": style.colour, "width": 1.4, "shape": "hv"},
                    marker={"color": style.colour, "size": 5},
                    opacity=0.8,
                    hovertemplate=f"market {seed}: %{{y:.4f}}",
                ),
                row=1,
                col=1 + tracks.index(str(track)),
            )
            shown = True
    apply_theme(figure, title, height=440)
    for place in range(1, 1 + len(tracks)):
        figure.add_hline(y=1.0, line=guide("dash"), row=1, col=place)
        figure.update_xaxes(axis("Gradient samples spent", rangemode="tozero"), row=1, col=place)
        figure.update_yaxes(
            axis("Error ÷ no change" if place == 1 else "", showticklabels=True), row=1, col=place
        )
    quiet_titles(figure)
    return plain(figure)
