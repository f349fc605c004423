"""Figures on the quality of regime labels: agreement, separation and delay."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regime_nas_pipeline.core.names import display_name
from regime_nas_pipeline.report.theme import (
    INK,
    MUTED,
    REFERENCE_LINE,
    apply_theme,
    axis,
    empty_figure,
    escape,
    new_figure,
    plain,
    regime_colour,
    significant,
)

# White to blue: light where nothing agrees; dark text can be read on all of it.
_SCALE = [[0.0, "#f4f6f8"], [1.0, "#5b93c7"]]

_OUTCOMES = ("volatility", "return")
_DELAY_EDGES = ((0, 0), (1, 1), (2, 3), (4, 5), (6, 10), (11, 20), (21, 40), (41, None))
_MISSED = "missed"
_ALL_COLOUR, _LASTING_COLOUR = "#b9c4d0", "#1f4e79"


def label_agreement(agreement: pd.DataFrame) -> go.Figure:
    """Heat map of how far every two labellers agree.

    Colour is the adjusted Rand index, which needs no equal numbers of regimes. Under it stands
    the share of bars with the same regime, where the numbers are equal.

    Args:
        agreement: labeller, other, same, kappa, adjusted_rand, one row per pair; kappa and same
            may be blank.
    """
    title = "Agreement between labellers (adjusted Rand index: 1 the same, 0 unrelated)"
    if agreement.empty:
        return empty_figure(title, "Two labellers are needed to compare.")
    names = list(dict.fromkeys([*agreement["labeller"], *agreement["other"]]))
    rand, share, kappa = (_square(agreement, names, column) for column in _MEASURES)
    labels = [escape(display_name(name)) for name in names]
    figure = new_figure(title, height=150 + 62 * len(names))
    figure.add_trace(
        go.Heatmap(
            x=labels,
            y=labels,
            z=[significant(row, 3) for row in rand],
            text=[
                [_cell(rand[i, j], share[i, j], kappa[i, j]) for j in range(len(names))]
                for i in range(len(names))
            ],
            texttemplate="%{text}",
            textfont={"size": 12, "color": INK},
            colorscale=_SCALE,
            zmin=0,
            zmax=1,
            xgap=2,
            ygap=2,
            showscale=True,
            showlegend=False,
            name="agreement",
            colorbar={"thickness": 12, "outlinewidth": 0, "tickfont": {"size": 11, "color": MUTED}},
            hovertemplate="%{y} and %{x}<br>%{text}<extra></extra>",
        )
    )
    figure.update_layout(
        showlegend=False,
        xaxis=axis("Labeller", showgrid=False),
        yaxis=axis("Labeller", showgrid=False, autorange="reversed"),
    )
    return plain(figure)


_MEASURES = ("adjusted_rand", "same", "kappa")


def _square(agreement: pd.DataFrame, names: list[str], column: str) -> np.ndarray:
    """Pairs as a symmetric matrix with blanks on the diagonal."""
    table = pd.DataFrame(np.nan, index=names, columns=names)
    for labeller, other, value in agreement[["labeller", "other", column]].itertuples(index=False):
        table.loc[labeller, other] = table.loc[other, labeller] = value
    return table.to_numpy(dtype=float)


def _cell(rand: float, share: float, kappa: float) -> str:
    if np.isnan(rand):
        return ""
    lines = [f"<b>{rand:.2f}</b>"]
    if np.isfinite(share):
        lines.append(f"{100.0 * share:.0f} % the same")
    if np.isfinite(kappa):
        lines.append(f"κ {kappa:.2f}")
    return "<br>".join(lines)


def label_separation(
    outcome_by_regime: pd.DataFrame, *, horizon: int, level: float = 0.05
) -> go.Figure:
    """What the index did after each regime was said: mean volatility and return with intervals.

    Args:
        outcome_by_regime: labeller, regime, outcome (``volatility`` a year, ``return``), mean,
            low and high, decimals; blank intervals are not drawn.
        horizon: Bars looked ahead.
        level: The intervals miss the truth with this probability.
    """
    title = (
        f"The {horizon} bars after each regime was said, mean with {100.0 * (1.0 - level):g} % "
        "interval"
    )
    known = outcome_by_regime[outcome_by_regime["mean"].notna()]
    if known.empty:
        return empty_figure(title, "No regime was said.")
    labellers = list(dict.fromkeys(known["labeller"]))[::-1]
    # Legend in the order of the labeller that has most regimes.
    sizes = known.groupby("labeller", sort=False)["regime"].transform("nunique")
    regimes = list(
        dict.fromkeys(known.loc[sizes.sort_values(ascending=False, kind="stable").index, "regime"])
    )
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.05)
    told: set[str] = set()
    for column, outcome in enumerate(_OUTCOMES, start=1):
        for place, labeller in enumerate(labellers):
            own = known[(known["labeller"] == labeller) & (known["outcome"] == outcome)]
            # The calmest regime on top, as in the legend.
            offsets = 0.31 * np.linspace(1.0, -1.0, 2 * len(own) + 1)[1::2]
            for position, (_, row) in enumerate(own.iterrows()):
                regime = str(row["regime"])
                trace = _interval(row, place + offsets[position], regime_colour(regime, position))
                trace.update(legendrank=100 + regimes.index(regime), showlegend=regime not in told)
                figure.add_trace(trace, row=1, col=column)
                told.add(regime)
    apply_theme(figure, title, height=150 + 58 * len(labellers), margin={"b": 84, "t": 52})
    figure.update_xaxes(axis("Volatility (% a year)", nticks=6), row=1, col=1)
    figure.update_xaxes(axis(f"Return over {horizon} bars (%)", nticks=6), row=1, col=2)
    figure.add_vline(
        x=0.0, line={"color": REFERENCE_LINE, "width": 1.2, "dash": "dash"}, row=1, col=2
    )
    ticks = {
        "tickvals": list(range(len(labellers))),
        "ticktext": [escape(display_name(name)) for name in labellers],
    }
    figure.update_yaxes(axis("", range=[-0.55, len(labellers) - 0.45], showgrid=False, **ticks))
    return plain(figure)


def _interval(row: pd.Series, height: float, colour: str) -> go.Scatter:
    """A dot with its interval; an open dot where there is none. In per cent."""
    low, high = 100.0 * (row["mean"] - row["low"]), 100.0 * (row["high"] - row["mean"])
    known = bool(np.isfinite(low))
    regime = escape(row["regime"])
    return go.Scatter(
        x=significant([100.0 * row["mean"]]),
        y=[round(height, 3)],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": significant([high]),
            "arrayminus": significant([low]),
            "color": colour,
            "thickness": 2,
            "width": 4,
            "visible": known,
        },
        mode="markers",
        marker={"size": 9, "color": colour, "symbol": "circle" if known else "circle-open"},
        name=regime,
        legendgroup=regime,
        hovertemplate=f"{escape(display_name(row['labeller']))}, {regime}: "
        "%{x:.3g} %<extra></extra>",
    )


def label_delays(switch_delays: pd.DataFrame) -> go.Figure:
    """How late switches that hindsight sees were said on the day, and how many never were.

    Args:
        switch_delays: labeller, min_spell (bars that a regime must last to count), outcome
            (``found``, ``missed``; others are left out) and delay in bars.
    """
    title = "Bars from a switch in hindsight to the label that agrees"
    counted = switch_delays[switch_delays["outcome"].isin(["found", _MISSED])]
    if counted.empty:
        return empty_figure(title, "Hindsight sees no switch.")
    labellers = list(dict.fromkeys(counted["labeller"]))
    lengths = sorted(counted["min_spell"].unique())
    figure = make_subplots(
        rows=len(labellers),
        cols=1,
        shared_xaxes=True,
        subplot_titles=[escape(display_name(name)) for name in labellers],
        vertical_spacing=0.34 / (1 + len(labellers)),
    )
    highest = 0.0
    groups = [*(_edge_name(*edge) for edge in _DELAY_EDGES), _MISSED]
    for row, labeller in enumerate(labellers, start=1):
        for least in lengths:
            own = counted[(counted["labeller"] == labeller) & (counted["min_spell"] == least)]
            if own.empty:
                continue
            name = "all switches" if least == 1 else f"regimes of {least} bars or more"
            shares = 100.0 * _delay_counts(own) / len(own)
            highest = max(highest, float(shares.max()))
            figure.add_trace(
                go.Bar(
                    x=groups,
                    y=significant(shares, 3),
                    name=name,
                    legendgroup=name,
                    legendrank=int(least),
                    showlegend=row == 1,
                    marker={"color": _ALL_COLOUR if least == 1 else _LASTING_COLOUR},
                    hovertemplate=f"{name}: %{{y:.3g}} % of {len(own)}<extra></extra>",
                ),
                row=row,
                col=1,
            )
    apply_theme(
        figure,
        title,
        height=150 + 104 * len(labellers),
        bargap=0.25,
        bargroupgap=0.05,
        margin={"t": 72, "b": 84},
    )
    figure.update_annotations(font={"size": 12, "color": MUTED}, x=0, xanchor="left")
    figure.update_xaxes(axis("", type="category", categoryarray=groups, showgrid=False))
    figure.update_xaxes(axis("Bars late", showgrid=False), row=len(labellers), col=1)
    figure.update_yaxes(axis("", range=[0, 1.05 * highest], nticks=4))
    figure.update_yaxes(title_text="% of switches", row=(1 + len(labellers)) // 2, col=1)
    return plain(figure)


def _edge_name(low: int, high: int | None) -> str:
    if high is None:
        return f"{low} or more"
    return str(low) if low == high else f"{low} to {high}"


def _delay_counts(rows: pd.DataFrame) -> np.ndarray:
    """Switches in each group of delays, those missed last."""
    delay = rows["delay"].to_numpy(dtype=float)
    found = (rows["outcome"] == "found").to_numpy()
    counts = [
        int((found & (delay >= low) & (delay <= (np.inf if high is None else high))).sum())
        for low, high in _DELAY_EDGES
    ]
    return np.array([*counts, int((~found).sum())], dtype=float)
