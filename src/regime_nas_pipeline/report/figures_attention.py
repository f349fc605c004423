"""Figures of attention: where a Transformer looks, beside what its forecasts hang on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.report.theme import (
    ASSET_COLOURS,
    MUTED,
    REFERENCE_LINE,
    apply_theme,
    axis,
    empty_figure,
    escape,
    new_figure,
    plain,
    significant,
    strategy_style,
    tint,
)

_LOOKS = strategy_style("transformer").colour
_NEEDS = strategy_style("regime_nas").colour
_SCALE = [[0.0, "#ffffff"], [0.5, "#74a9cf"], [1.0, "#023858"]]


def attention_heat_maps(weights: np.ndarray) -> go.Figure:
    """Attention of every layer (rows) and head (columns), averaged over windows.

    Args:
        weights: (layers, heads, S, S), rows sum to 1; token 0 is the CLS token, token S - 1 the
            decision bar.

    Raises:
        DataError: The weights have another shape.
    """
    if weights.ndim != 4 or weights.shape[2] != weights.shape[3] or weights.shape[2] < 2:
        raise DataError(f"attention weights must be (layers, heads, S, S), not {weights.shape}")
    n_layers, n_heads, n_tokens, _ = weights.shape
    lags = ["CLS", *(str(n_tokens - 1 - token) for token in range(1, n_tokens))]
    figure = make_subplots(
        rows=n_layers,
        cols=n_heads,
        shared_xaxes=True,
        shared_yaxes=True,
        horizontal_spacing=0.04,
        vertical_spacing=0.16 / n_layers,
        subplot_titles=[
            f"Layer {layer + 1}, head {head + 1}"
            for layer in range(n_layers)
            for head in range(n_heads)
        ],
    )
    # One scale for all, so that panels can be compared; a few bright cells do not set it.
    most = float(np.quantile(weights, 0.999))
    ticks = {"tickvals": list(range(0, n_tokens, 20)), "ticktext": lags[::20]}
    for layer in range(n_layers):
        for head in range(n_heads):
            place = {"row": layer + 1, "col": head + 1}
            panel = go.Heatmap(
                z=[significant(row, 3) for row in weights[layer, head]],
                zmin=0.0,
                zmax=most,
                colorscale=_SCALE,
                showscale=layer == 0 and head == 0,
                colorbar={
                    "title": {"text": "Weight", "font": {"size": 11, "color": MUTED}},
                    "thickness": 10,
                    "tickfont": {"size": 10, "color": MUTED},
                },
                hovertemplate="from token %{y} to token %{x}: %{z:.4f}<extra></extra>",
            )
            figure.add_trace(panel, **place)
            bottom, left = layer == n_layers - 1, head == 0
            figure.update_xaxes(axis("To (bars back)" if bottom else "", **ticks), **place)
            figure.update_yaxes(
                axis("From (bars back)" if left else "", autorange="reversed", **ticks), **place
            )
    apply_theme(
        figure,
        "Attention weights, averaged over windows: from each token (row) to each (column)",
        height=120 + 200 * n_layers,
        showlegend=False,
    )
    figure.update_layout(margin={"t": 70})
    figure.update_annotations(font={"size": 12, "color": MUTED})
    return plain(figure)


def cls_attention(cls: pd.DataFrame) -> go.Figure:
    """The CLS token's weight on every bar of the window, one panel per layer, one line per head.

    Args:
        cls: layer, head, lag (bars before the decision bar; -1 is the CLS token), weight, low and
            high, blank where there is no interval.
    """
    title = "Where the forecast is read from: attention of the CLS token per bar"
    bars = cls[cls["lag"] >= 0]
    if bars.empty:
        return empty_figure(title, "There is no window to read attention from.")
    layers = sorted(bars["layer"].unique())
    even = 1.0 / (bars["lag"].nunique() + 1)
    figure = make_subplots(
        rows=len(layers),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.1,
        subplot_titles=[f"Layer {layer}" for layer in layers],
    )
    for row, layer in enumerate(layers, start=1):
        for head, own in bars[bars["layer"] == layer].groupby("head"):
            _head_line(figure, own.sort_values("lag"), int(str(head)), row)
        figure.add_hline(
            y=even, line={"color": REFERENCE_LINE, "width": 1, "dash": "dot"}, row=row, col=1
        )
        last = row == len(layers)
        figure.update_xaxes(
            axis("Bars before the decision bar" if last else "", autorange="reversed"),
            row=row,
            col=1,
        )
        figure.update_yaxes(axis("Weight", rangemode="tozero"), row=row, col=1)
    apply_theme(figure, f"{title} (dotted: the same for all)", height=130 + 190 * len(layers))
    figure.update_layout(margin={"t": 70})
    figure.update_annotations(font={"size": 12, "color": MUTED})
    return plain(figure)


def _head_line(figure: go.Figure, own: pd.DataFrame, head: int, row: int) -> None:
    colour = ASSET_COLOURS[(head - 1) % len(ASSET_COLOURS)]
    group = f"head {head}"
    known = own.dropna(subset=["low", "high"])
    if len(known):
        figure.add_trace(
            go.Scatter(
                x=[*known["lag"], *known["lag"][::-1]],
                y=significant([*known["high"], *known["low"][::-1]], 4),
                fill="toself",
                fillcolor=tint(colour, 0.18),
                line={"width": 0},
                mode="lines",
                legendgroup=group,
                showlegend=False,
                hoverinfo="skip",
            ),
            row=row,
            col=1,
        )
    figure.add_trace(
        go.Scatter(
            x=own["lag"].tolist(),
            y=significant(own["weight"], 4),
            name=f"Head {head}",
            legendgroup=group,
            showlegend=row == 1,
            mode="lines",
            line={"color": colour, "width": 1.5},
            hovertemplate="%{x} bars back: %{y:.4f}",
        ),
        row=row,
        col=1,
    )


def attention_beside_importance(blocks: pd.DataFrame) -> go.Figure:
    """Attention per stretch of bars above the loss that shuffling the stretch adds.

    Args:
        blocks: first_lag, last_lag, importance, low, high, attention, attention_low,
            attention_high, as :class:`~regime_nas_pipeline.networks.attention_inspection
            .AttentionInspection` has them.
    """
    title = "Where it looks, and what its forecasts hang on"
    if blocks.empty:
        return empty_figure(title, "There is no stretch of bars to shuffle.")
    figure = make_subplots(
        rows=2,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.12,
        subplot_titles=[
            "Attention of the CLS token, averaged over layers and heads",
            "Loss that shuffling the bars adds",
        ],
    )
    ordered = blocks.sort_values("first_lag", ascending=False)
    names = [
        f"{int(newest)}-{int(oldest)}"
        for newest, oldest in zip(ordered["first_lag"], ordered["last_lag"], strict=True)
    ]
    panels = (
        ("attention", "attention_low", "attention_high", _LOOKS, "Weight per bar"),
        ("importance", "low", "high", _NEEDS, "Added loss per bar"),
    )
    for row, (name, low, high, colour, label) in enumerate(panels, start=1):
        figure.add_trace(
            go.Bar(
                x=names,
                y=significant(ordered[name], 4),
                error_y=_errors(ordered[name], ordered[low], ordered[high]),
                marker={"color": tint(colour, 0.75)},
                hovertemplate="%{x} bars back: %{y:.3g}<extra></extra>",
            ),
            row=row,
            col=1,
        )
        figure.update_yaxes(axis(label, exponentformat="power"), row=row, col=1)
        figure.update_xaxes(
            axis("Bars before the decision bar" if row == 2 else "", type="category"),
            row=row,
            col=1,
        )
    figure.add_hline(y=0.0, line={"color": REFERENCE_LINE, "width": 1}, row=2, col=1)
    apply_theme(figure, title, height=470, showlegend=False)
    figure.update_layout(margin={"t": 70})
    figure.update_annotations(font={"size": 12, "color": MUTED})
    return plain(figure)


def feature_importance(
    features: pd.DataFrame, loss: float, labels: Mapping[str, str] | None = None
) -> go.Figure:
    """The loss that shuffling each feature adds, with intervals, largest first.

    Args:
        features: feature, importance, low, high.
        loss: Mean loss of the windows as they are, which the axis is in per cent of.
        labels: Feature to its name for people; one that it lacks is only freed of underscores.

    Raises:
        DataError: The loss is not positive.
    """
    title = "Loss that shuffling a feature adds, of the loss without"
    if not loss > 0.0:
        raise DataError(f"the loss must be positive and is {loss}")
    if features.empty:
        return empty_figure(title, "There is no feature to shuffle.")
    ordered = features.sort_values("importance")
    figure = new_figure(title, height=120 + 26 * len(ordered), showlegend=False)
    share = ordered[["importance", "low", "high"]] / loss
    named = labels or {}
    figure.add_trace(
        go.Bar(
            x=significant(share["importance"], 4),
            y=[escape(named.get(name, name.replace("_", " "))) for name in ordered["feature"]],
            orientation="h",
            error_x=_errors(share["importance"], share["low"], share["high"]),
            marker={"color": tint(_NEEDS, 0.75)},
            hovertemplate="%{y}: %{x:.2%}<extra></extra>",
        )
    )
    figure.add_vline(x=0.0, line={"color": REFERENCE_LINE, "width": 1})
    figure.update_layout(
        xaxis=axis("Added loss (%)", tickformat=".2~%"), yaxis=axis("", showgrid=False)
    )
    return plain(figure)


def _errors(middle: pd.Series, low: pd.Series, high: pd.Series) -> dict[str, object]:
    """Error bars; none where there is no interval."""
    return {
        "type": "data",
        "symmetric": False,
        "array": significant((high - middle).fillna(0.0), 4),
        "arrayminus": significant((middle - low).fillna(0.0), 4),
        "color": MUTED,
        "thickness": 1,
        "width": 3,
        "visible": bool(low.notna().any()),
    }
