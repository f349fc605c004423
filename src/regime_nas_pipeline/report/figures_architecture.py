"""The architecture that the search found, drawn as a graph from left to right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from regime_nas_pipeline.report.figures_shapes import arrow, box, circle, small_note, white_paper
from regime_nas_pipeline.report.theme import (
    GRID,
    INK,
    MUTED,
    axis,
    empty_figure,
    escape,
    new_figure,
    plain,
    regime_colour,
    tint,
)

_TITLE = "From prices to forecast"
_REGIME_OF_BLOCK = {"volatility": "volatile"}
_INPUT = "input"
_FIRST_NODE = 1.7
_RIM = 13  # pixels from the centre of a circle
_PIXELS_PER_UNIT = 88.0
_ARC_HEIGHT = 0.5


@dataclass(frozen=True)
class _Edge:
    """One edge of a cell: positions of its ends (0 is the block's input) and its arc's height."""

    start: int
    end: int
    operation: str
    arc: float


@dataclass(frozen=True)
class _Lane:
    """One block: its edges, the vertical strip that it takes and the gap between its nodes."""

    name: str
    nodes: int
    gap: float
    edges: tuple[_Edge, ...]
    top: float
    middle: float
    bottom: float

    def place(self, node: int) -> float:
        """Where a node stands from left to right; 0 is the block's input."""
        return _FIRST_NODE + self.gap * node


def architecture(architecture: Mapping[str, Any]) -> go.Figure:
    """Draw detector, gates, blocks with their operations, head and outputs.

    Args:
        architecture: ``blocks`` (block to a list of nodes, each with ``node`` and ``edges``, each
            edge with ``from``, "input" or a node's number, and ``operation``), and macro choices:
            ``head``, ``width``, ``lookback``, ``timeframes``, ``attention_heads``; a choice that
            is missing is left out of the drawing.
    """
    blocks = architecture.get("blocks") or {}
    if not blocks:
        return empty_figure(_TITLE, "This search space has no blocks to draw.")
    lanes = _stack_lanes(blocks)
    right = max(lane.place(lane.nodes) for lane in lanes)
    low, high = lanes[-1].bottom - 0.1, 1.25
    figure = new_figure(
        _TITLE,
        height=int(110 + (high - low) * _PIXELS_PER_UNIT),
        xaxis=axis("", visible=False, range=[-0.65, right + 4.7], fixedrange=True),
        yaxis=axis("", visible=False, range=[low, high], fixedrange=True),
        margin={"l": 8, "r": 8, "t": 48, "b": 40},
        hovermode=False,
    )
    white_paper(figure)
    centre = (lanes[0].top + lanes[-1].bottom) / 2
    _draw_surroundings(figure, architecture, lanes, right, centre)
    for lane in lanes:
        _draw_lane(figure, lane, right)
    _draw_legend(figure)
    return plain(figure)


def _stack_lanes(blocks: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[_Lane]:
    lanes = []
    # Few nodes leave room for arrows that can be seen between the labels.
    gap = 1.5 if max(len(nodes) for nodes in blocks.values()) > 2 else 2.0
    top = 0.45
    for name, nodes in blocks.items():
        edges = _edges(nodes)
        up = max([0.0, *(edge.arc for edge in edges)])
        down = max([0.0, *(-edge.arc for edge in edges)])
        middle = top - 0.52 - up
        bottom = middle - 0.34 - down
        lanes.append(_Lane(str(name), len(nodes), gap, edges, top, middle, bottom))
        top = bottom - 0.14
    return lanes


def _edges(nodes: Sequence[Mapping[str, Any]]) -> tuple[_Edge, ...]:
    """Edges with arcs that keep labels apart: neighbours straight, longer jumps wider arcs."""
    position = {_INPUT: 0}
    position.update({str(node["node"]): place for place, node in enumerate(nodes, start=1)})
    edges = []
    seen: dict[tuple[int, int], int] = {}
    for node in nodes:
        for edge in node["edges"]:
            start, end = position[str(edge["from"])], position[str(node["node"])]
            twin = seen.get((start, end), 0)
            seen[(start, end)] = twin + 1
            side = 1.0 if start % 2 == 0 else -1.0
            arc = side * _ARC_HEIGHT * (end - start - 1 + twin)
            edges.append(_Edge(start, end, str(edge["operation"]), arc))
    return tuple(edges)


def _draw_surroundings(
    figure: go.Figure,
    choices: Mapping[str, Any],
    lanes: Sequence[_Lane],
    right: float,
    centre: float,
) -> None:
    """Input, detector, gates, mixture, head and outputs around the blocks."""
    gate_x, mix_x = right + 1.0, right + 1.9
    detector_x = (gate_x - 0.2) * 0.42
    arrow(figure, (0, centre), (0, 0.9), elbow=True)
    arrow(figure, (0, 0.9), (detector_x, 0.9), standoff=142)
    arrow(figure, (detector_x, 0.9), (gate_x, 0.9), standoff=72)
    _gate_line(figure, gate_x, lanes)
    for lane in lanes:
        arrow(figure, (0, centre), (_FIRST_NODE, lane.middle), standoff=9)
        arrow(figure, (gate_x, lane.middle), (mix_x, centre), standoff=17, start=_RIM)
        circle(figure, gate_x, lane.middle, "\u00d7", "#ffffff", MUTED)
    arrow(figure, (mix_x, centre), (mix_x + 1.0, centre), standoff=42, start=_RIM)
    arrow(figure, (mix_x + 1.0, centre), (mix_x + 2.2, centre + 0.45), standoff=36)
    arrow(figure, (mix_x + 1.0, centre), (mix_x + 2.2, centre - 0.45), standoff=36)
    circle(figure, mix_x, centre, "Σ", "#ffffff", INK)
    box(figure, 0, centre, _lines("Input", _count(choices, "lookback", "bars")))
    detector = _lines(
        "Regime detector: attention over timeframes",
        ", ".join(
            filter(None, (_timeframes(choices), _count(choices, "attention_heads", "heads")))
        ),
    )
    box(figure, detector_x, 0.9, detector)
    box(figure, gate_x, 0.9, "Regime probabilities<br>gate the blocks")
    head = _lines(f"{_operation_label(str(choices.get('head', 'head')))} head", _width(choices))
    box(figure, mix_x + 1.0, centre, head)
    box(figure, mix_x + 2.2, centre + 0.45, "Mean<br>return")
    box(figure, mix_x + 2.2, centre - 0.45, "Log<br>volatility")


def _gate_line(figure: go.Figure, gate_x: float, lanes: Sequence[_Lane]) -> None:
    figure.add_shape(
        type="line",
        x0=gate_x,
        x1=gate_x,
        y0=0.9,
        y1=lanes[-1].middle,
        line={"color": MUTED, "width": 1.4, "dash": "dot"},
        layer="below",
    )


def _draw_lane(figure: go.Figure, lane: _Lane, right: float) -> None:
    colour = regime_colour(_REGIME_OF_BLOCK.get(lane.name, lane.name))
    figure.add_shape(
        type="rect",
        x0=_FIRST_NODE - 0.55,
        x1=right + 0.35,
        y0=lane.bottom,
        y1=lane.top,
        line={"color": colour, "width": 1.2},
        fillcolor=tint(colour, 0.16),
        layer="below",
    )
    figure.add_annotation(
        x=_FIRST_NODE - 0.5,
        y=lane.top,
        xanchor="left",
        yanchor="top",
        text=f"<b>{escape(lane.name.replace('_', ' ').capitalize())} block</b>",
        showarrow=False,
        font={"size": 12, "color": INK},
    )
    for edge in lane.edges:
        _draw_edge(figure, lane, edge)
    output = (lane.place(lane.nodes), lane.middle)
    arrow(figure, output, (right + 1.0, lane.middle), standoff=_RIM, start=_RIM)
    if lane.nodes > 1:
        small_note(figure, right + 0.61, lane.middle, "mean of<br>nodes")
    for place in range(lane.nodes + 1):
        label = "" if place == 0 else str(place)
        fill = INK if place == 0 else "#ffffff"
        circle(
            figure, lane.place(place), lane.middle, label, fill, INK, size=10 if place == 0 else 24
        )


def _draw_edge(figure: go.Figure, lane: _Lane, edge: _Edge) -> None:
    """A quadratic curve through the middle of its arc, with the operation written on it."""
    start, end = lane.place(edge.start), lane.place(edge.end)
    steps = [step / 24 for step in range(25)]
    off = edge.operation == "none"
    figure.add_trace(
        go.Scatter(
            x=[round(start + (end - start) * t, 3) for t in steps],
            y=[round(lane.middle + 4 * edge.arc * t * (1 - t), 3) for t in steps],
            mode="lines",
            line={
                "color": "#a9b2bc" if off else INK,
                "width": 1.2 if off else 1.6,
                "dash": "dot" if off else "solid",
            },
            showlegend=False,
            hoverinfo="skip",
        )
    )
    # An arrow is straight, so it starts where the curve nearly is, too.
    before = 1 - 0.2 / max(1, edge.end - edge.start)
    tail = (
        start + (end - start) * before,
        lane.middle + 4 * edge.arc * before * (1 - before),
    )
    if not off:
        arrow(figure, tail, (end, lane.middle), standoff=12, colour=INK)
    figure.add_annotation(
        # Half-way between the two circles' rims rather than their centres.
        x=(start + end) / 2 - (0.04 if edge.arc == 0 else 0.0),
        y=lane.middle + edge.arc,
        text=_two_lines(_operation_label(edge.operation)),
        showarrow=False,
        bgcolor="rgba(255,255,255,0.92)",
        borderpad=1,
        font={"size": 11, "color": MUTED if off else INK},
    )


def _draw_legend(figure: go.Figure) -> None:
    entries: tuple[tuple[str, dict[str, Any]], ...] = (
        ("Edge with its operation", {"color": INK, "width": 1.6}),
        ("Edge switched off", {"color": "#a9b2bc", "width": 1.2, "dash": "dot"}),
        ("Gate: a block's weight", {"color": MUTED, "width": 1.4, "dash": "dot"}),
        ("Block", {"color": GRID, "width": 8}),
    )
    for name, line in entries:
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="lines", name=name, line=line))


def _lines(*parts: str) -> str:
    return "<br>".join(part for part in parts if part)


def _count(choices: Mapping[str, Any], key: str, unit: str) -> str:
    return f"{escape(choices[key])} {unit}" if choices.get(key) is not None else ""


def _width(choices: Mapping[str, Any]) -> str:
    return f"width {escape(choices['width'])}" if choices.get("width") is not None else ""


def _timeframes(choices: Mapping[str, Any]) -> str:
    frames = choices.get("timeframes")
    return f"of {escape(', '.join(map(str, frames)))} bars" if frames else ""


def _two_lines(label: str) -> str:
    """Break a label of several words once, where the two lines come out most alike."""
    words = label.split(" ")
    halves = [(" ".join(words[:at]), " ".join(words[at:])) for at in range(1, len(words))]
    if not halves:
        return label
    return "<br>".join(min(halves, key=lambda pair: max(map(len, pair))))


def _operation_label(operation: str) -> str:
    """Words for an operation; short names of network parts are written in capitals."""
    words = operation.replace("_", " ")
    return escape(words.upper() if words in {"gru", "lstm", "ema"} else words)
