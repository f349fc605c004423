"""How every figure of the report looks: one colour per strategy, calm axes, plain JSON."""

from __future__ import annotations

import base64
import html
import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from regime_nas_pipeline.core.dates import date_texts
from regime_nas_pipeline.core.names import display_name

FONT = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, "
    "'Liberation Sans', sans-serif"
)
INK = "#1f2933"
MUTED = "#5f6b7a"
GRID = "#e6e9ed"
REFERENCE_LINE = MUTED  # seen on white paper, and on the dark pages of viewers
MAX_POINTS = 2600


@dataclass(frozen=True)
class StrategyStyle:
    """How one strategy is drawn, the same in every figure.

    Attributes:
        label: Name for people.
        colour: Hex colour.
        width: Line width in pixels.
        dash: Plotly dash style.
        reference: A portfolio that needs no forecast, drawn behind the others.
        rank: Position in legends and tables, smallest first.
    """

    label: str
    colour: str
    width: float = 1.6
    dash: str = "solid"
    reference: bool = False
    rank: int = 50


def _style(name: str, colour: str, **looks: Any) -> StrategyStyle:
    return StrategyStyle(escape(display_name(name)), colour, **looks)


def _reference(name: str, colour: str, dash: str, rank: int) -> StrategyStyle:
    return _style(name, colour, width=1.4, dash=dash, reference=True, rank=rank)


def escape(text: object) -> str:
    """Make text literal for plotly, which reads a subset of HTML in every label."""
    return html.escape(str(text), quote=False)


# Okabe and Ito's palette, told apart with the common colour-vision deficiencies; the reference
# portfolios are grey and differ by their dashes.
_KNOWN_STRATEGIES: dict[str, StrategyStyle] = {
    "regime_nas": _style("regime_nas", "#d55e00", width=3.0, rank=1),
    "gru": _style("gru", "#0072b2", rank=2),
    "transformer": _style("transformer", "#56b4e9", rank=3),
    "garch": _style("garch", "#009e73", rank=4),
    "momentum": _style("momentum", "#cc79a7", rank=5),
    "mlp": _style("mlp", "#e69f00", rank=6),
    "linear": _style("linear", "#5a4a00", rank=7),
    "uniform_gate": _style("uniform_gate", "#a50f15", rank=8),
    "random_search": _style("random_search", "#6a51a3", rank=9),
    # Paul Tol's muted palette: exposure strategies stand beside buy and hold alone.
    "calm_only": _style("calm_only", "#44aa99", rank=10),
    "levered": _style("levered", "#882255", rank=11),
    "probability_weighted": _style("probability_weighted", "#999933", rank=12),
    "volatility_target": _style("volatility_target", "#332288", rank=13),
    "ridge": _style("ridge", "#cc6677", rank=14),
    "random_forest": _style("random_forest", "#117733", rank=15),
    "gradient_boosting": _style("gradient_boosting", "#b5892e", rank=16),
    "oracle": _reference("oracle", "#1f2933", "dash", 90),
    "equal_weight": _reference("equal_weight", "#666666", "dash", 91),
    "mvo_flat": _reference("mvo_flat", "#7f7f7f", "dot", 92),
    "buy_and_hold": _reference("buy_and_hold", "#a0a0a0", "dashdot", 93),
    "no_change": _reference("no_change", REFERENCE_LINE, "dash", 99),
}
_SPARE_COLOURS = ("#8c6d31", "#1b7837", "#3f007d", "#b8a100", "#7a0177", "#08519c", "#ce1256")
_SPARE_DASHES = ("solid", "longdash", "longdashdot")

# A diverging scale that keeps its order in grey print: brown, teal, sand.
_REGIME_COLOURS = {
    "volatile": "#9a5b13",
    "trend": "#3f9c94",
    "range": "#e3d6b0",
    # Calmest first, lighter to darker.
    "calm": "#9ccfc9",
    "middle": "#d9a441",
    "stressed": "#8c2d19",
}
_SPARE_REGIME_COLOURS = ("#7b6f9e", "#c7c7c7", "#b5838d")

# Ten hues in two tones: enough for twenty assets; hovering names each band.
ASSET_COLOURS = (
    "#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#edc948",
    "#76b7b2", "#e15759", "#9c755f", "#ff9da7", "#8a8f98",
    "#a0cbe8", "#ffbe7d", "#8cd17d", "#d4a6c8", "#f7e29c",
    "#b7dedb", "#f1a3a4", "#cfb5a5", "#ffd0d6", "#c9ccd1",
)  # fmt: skip
OTHERS_COLOUR = "#eef0f2"


def is_known(name: str) -> bool:
    """Whether a name is one of the strategies that this project names itself."""
    return name in _KNOWN_STRATEGIES


def strategy_style(name: str) -> StrategyStyle:
    """The fixed style of a strategy; an unknown one gets a colour from its own name."""
    if name in _KNOWN_STRATEGIES:
        return _KNOWN_STRATEGIES[name]
    code = zlib.crc32(name.encode())
    return _style(
        name,
        _SPARE_COLOURS[code % len(_SPARE_COLOURS)],
        dash=_SPARE_DASHES[code // len(_SPARE_COLOURS) % len(_SPARE_DASHES)],
    )


def in_display_order(names: Iterable[str]) -> list[str]:
    """RegimeNAS, the other known forecasters, unknown ones by name, reference portfolios."""
    return sorted(dict.fromkeys(names), key=lambda name: (strategy_style(name).rank, name))


def in_drawing_order(names: Iterable[str]) -> list[str]:
    """Back to front: references first, RegimeNAS on top."""
    return in_display_order(names)[::-1]


def tint(colour: str, strength: float) -> str:
    """A hex colour, made transparent."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{strength})"


def regime_colour(name: str, position: int = 0) -> str:
    """The fixed colour of a regime; ``position`` picks a spare one for an unknown name."""
    spare = _SPARE_REGIME_COLOURS[position % len(_SPARE_REGIME_COLOURS)]
    return _REGIME_COLOURS.get(name, spare)


def line_style(name: str) -> dict[str, Any]:
    """Plotly's ``line`` for a strategy."""
    style = strategy_style(name)
    return {"color": style.colour, "width": style.width, "dash": style.dash}


def axis(title: str, **options: Any) -> dict[str, Any]:
    """An axis with its title (unit included) and quiet lines."""
    quiet = {
        "title": {"text": title, "font": {"size": 12, "color": MUTED}, "standoff": 8},
        "gridcolor": GRID,
        "linecolor": GRID,
        "zeroline": False,
        "automargin": True,
        "tickfont": {"size": 11, "color": MUTED},
    }
    return {**quiet, **options}


def new_figure(title: str, *, height: int = 420, **layout: Any) -> go.Figure:
    """An empty figure in the report's style: title on top, legend below, width of the page."""
    figure = go.Figure()
    apply_theme(figure, title, height=height, **layout)
    return figure


def apply_theme(figure: go.Figure, title: str, *, height: int = 420, **layout: Any) -> None:
    """Give a figure the report's style in place."""
    style: dict[str, Any] = {
        "template": go.layout.Template(),
        "title": {
            "text": title,
            # No colour of its own: a viewer with a dark page sets that of the whole figure.
            "font": {"size": 14},
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 14, "l": 2},
        },
        "font": {"family": FONT, "size": 12, "color": INK},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "height": height,
        "autosize": True,
        "margin": {"l": 62, "r": 18, "t": 52, "b": 40},
        "legend": {
            "orientation": "h",
            "yref": "container",
            "y": 0,
            "yanchor": "bottom",
            "xref": "container",
            "x": 0,
            "xanchor": "left",
            "traceorder": "normal",
            "font": {"size": 12},
            "title": {"text": ""},
        },
        "showlegend": True,
        "hoverlabel": {"font": {"family": FONT, "size": 12}, "namelength": -1},
    }
    figure.update_layout({**style, **layout})


def empty_figure(title: str, message: str, *, x_title: str = "", y_title: str = "") -> go.Figure:
    """A small figure that says why there is nothing to draw."""
    figure = new_figure(title, height=180)
    figure.update_layout(
        xaxis=axis(x_title, visible=False),
        yaxis=axis(y_title, visible=False),
        annotations=[
            {
                "text": message,
                "x": 0.5,
                "y": 0.5,
                "xref": "paper",
                "yref": "paper",
                "showarrow": False,
                "font": {"size": 13, "color": MUTED},
            }
        ],
    )
    return plain(figure)


def significant(values: Iterable[float], digits: int = 5) -> list[float | None]:
    """Round to significant digits; blanks and infinities become None, a gap in the line."""
    return [
        float(f"{value:.{digits}g}") if math.isfinite(value) else None
        for value in np.asarray(list(values), dtype=float).tolist()
    ]


def date_labels(dates: Iterable[Any]) -> list[str]:
    """Places on a time axis: days where all are midnights, else to the second."""
    return date_texts(dates)


def thinned(frame: pd.DataFrame, how: str = "last") -> pd.DataFrame:
    """At most ``MAX_POINTS`` rows: ``last`` or ``min`` of each run of bars, at its last date.

    Drawdowns take the minimum, so that no trough is lost between the points drawn.
    """
    step = math.ceil(len(frame) / MAX_POINTS) if len(frame) else 1
    if step == 1:
        return frame
    groups = np.arange(len(frame)) // step
    reduced = frame.groupby(groups).agg(how)
    last_rows = np.minimum(np.arange(len(reduced)) * step + step, len(frame)) - 1
    return reduced.set_axis(frame.index[last_rows], axis=0)


def plain(figure: go.Figure) -> go.Figure:
    """The same figure with arrays as lists and without blanks that JSON cannot hold.

    Plotly writes numpy arrays as base64; older plotly.js bundles, such as a viewer's, may not
    read them back.
    """
    return go.Figure(_plain_value(figure.to_plotly_json()))


def _decoded(typed_array: Mapping[str, Any]) -> np.ndarray:
    """Plotly's base64 array: little-endian bytes, dtype, and shape where there are two axes."""
    image = base64.b64decode(typed_array["bdata"])
    flat = np.frombuffer(image, dtype=np.dtype(typed_array["dtype"]).newbyteorder("<"))
    shape = str(typed_array.get("shape", flat.size))
    return flat.reshape([int(size) for size in shape.split(",")])


def _plain_value(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic | pd.Series | pd.Index):
        value = value.tolist()
    if isinstance(value, Mapping):
        if "bdata" in value:
            return _plain_value(_decoded(value))
        return {key: _plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_value(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value
