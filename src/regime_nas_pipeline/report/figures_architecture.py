"""The architecture that the search found, drawn as a graph from left to right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from regime_nas_pipeline.report.architecture_lanes import (
    FIRST_NODE,
    Edge,
    Lane,
    lane_above,
    stack_lanes,
)
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
_EVIDENCE = "evidence"
_DETECTOR_Y = 0.9
_RIM = 13  # pixels from the centre of a circle
_PIXELS_PER_UNIT = 88.0


def architecture(architecture: Mapping[str, Any]) -> go.Figure:
    """Draw evidence, detector, gates, blocks with their operations, head and outputs.

    Args:
        architecture: ``blocks`` (block to a list of nodes, each with ``node`` and ``edges``, each
            edge with ``from``, "input" or a node's number, and ``operation``; the block
            ``evidence``, where there is one, feeds the detector), and macro choices:
            ``head``, ``width``, ``lookback``, ``timeframes``, ``attention_heads``; a choice that
            is missing is left out of the drawing.
    """
    blocks = architecture.get("blocks") or {}
    if not blocks:
        return empty_figure(_TITLE, "This search space has no blocks to draw.")
    # Few nodes leave room for arrows that can be seen between the labels.
    gap = 1.5 if max(len(nodes) for nodes in blocks.values()) > 2 else 2.0
    gated = {name: nodes for name, nodes in blocks.items() if name != _EVIDENCE}
    lanes = stack_lanes(gated, gap, top=0.45)
    evidence = None
    if _EVIDENCE in blocks:
        evidence = lane_above(_EVIDENCE, blocks[_EVIDENCE], gap, bottom=_DETECTOR_Y + 0.62)
    every_lane = [*([] if evidence is None else [evidence]), *lanes]
    right = max(lane.place(lane.nodes) for lane in every_lane)
    low = every_lane[-1].bottom - 0.1
    high = 1.25 if evidence is None else evidence.top + 0.1
    figure = new_figure(
        _TITLE,
        height=int(110 + (high - low) * _PIXELS_PER_UNIT),
        xaxis=axis("", visible=False, range=[-0.65, right + 4.7], fixedrange=True),
        yaxis=axis("", visible=False, range=[low, high], fixedrange=True),
        margin={"l": 8, "r": 8, "t": 48, "b": 40},
        hovermode=False,
    )
    white_paper(figure)
    centre = (lanes[0].top + lanes[-1].bottom) / 2 if lanes else 0.0
    _draw_surroundings(figure, architecture, lanes, right, centre)
    for lane in lanes:
        _draw_lane(figure, lane, right)
        _draw_output(figure, lane, right)
    if evidence is not None:
        _draw_lane(figure, evidence, right)
        _draw_evidence(figure, evidence, right)
    _draw_legend(figure)
    return plain(figure)


def _draw_surroundings(
    figure: go.Figure,
    choices: Mapping[str, Any],
    lanes: Sequence[Lane],
    right: float,
    centre: float,
) -> None:
    """Input, detector, gates, mixture, head and outputs around the blocks."""
    gate_x, mix_x, detector_x = right + 1.0, right + 1.9, _detector_x(right)
    arrow(figure, (0, centre), (0, _DETECTOR_Y), elbow=True)
    arrow(figure, (0, _DETECTOR_Y), (detector_x, _DETECTOR_Y), standoff=142)
    arrow(figure, (detector_x, _DETECTOR_Y), (gate_x, _DETECTOR_Y), standoff=72)
    _gate_line(figure, gate_x, lanes)
    for lane in lanes:
        arrow(figure, (0, centre), (FIRST_NODE, lane.middle), standoff=9)
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
    box(figure, detector_x, _DETECTOR_Y, detector)
    box(figure, gate_x, _DETECTOR_Y, "Regime probabilities<br>gate the blocks")
    kind = f"{_operation_label(str(choices['head']))} head" if "head" in choices else "head"
    head = _lines(kind, _width(choices))
    box(figure, mix_x + 1.0, centre, head)
    box(figure, mix_x + 2.2, centre + 0.45, "Mean<br>return")
    box(figure, mix_x + 2.2, centre - 0.45, "Log<br>volatility")


def _gate_line(figure: go.Figure, gate_x: float, lanes: Sequence[Lane]) -> None:
    figure.add_shape(
        type="line",
        x0=gate_x,
        x1=gate_x,
        y0=_DETECTOR_Y,
        y1=lanes[-1].middle if lanes else _DETECTOR_Y,
        line={"color": MUTED, "width": 1.4, "dash": "dot"},
        layer="below",
    )


def _draw_lane(figure: go.Figure, lane: Lane, right: float) -> None:
    colour = regime_colour(_REGIME_OF_BLOCK.get(lane.name, lane.name))
    figure.add_shape(
        type="rect",
        x0=FIRST_NODE - 0.55,
        x1=right + 0.35,
        y0=lane.bottom,
        y1=lane.top,
        line={"color": colour, "width": 1.2},
        fillcolor=tint(colour, 0.16),
        layer="below",
    )
    figure.add_annotation(
        x=FIRST_NODE - 0.5,
        y=lane.top,
        xanchor="left",
        yanchor="top",
        text=f"<b>{escape(lane.name.replace('_', ' ').capitalize())} block</b>",
        showarrow=False,
        font={"size": 12, "color": INK},
    )
    for edge in lane.edges:
        _draw_edge(figure, lane, edge)
    for place in range(lane.nodes + 1):
        label = "" if place == 0 else str(place)
        fill = INK if place == 0 else "#ffffff"
        circle(
            figure, lane.place(place), lane.middle, label, fill, INK, size=10 if place == 0 else 24
        )


def _draw_output(figure: go.Figure, lane: Lane, right: float) -> None:
    """From a gated block's nodes to its gate."""
    output = (lane.place(lane.nodes), lane.middle)
    arrow(figure, output, (right + 1.0, lane.middle), standoff=_RIM, start=_RIM)
    if lane.nodes > 1:
        small_note(figure, right + 0.61, lane.middle, "mean of<br>nodes")


def _draw_evidence(figure: go.Figure, lane: Lane, right: float) -> None:
    """From the input to the evidence, and from all of its nodes down to the detector."""
    arrow(figure, (0, _DETECTOR_Y), (0, lane.middle), elbow=True)
    arrow(figure, (0, lane.middle), (FIRST_NODE, lane.middle), standoff=9)
    x = _detector_x(right)
    arrow(figure, (x, lane.bottom), (x, _DETECTOR_Y), standoff=24)
    figure.add_annotation(
        x=x,
        y=(lane.bottom + _DETECTOR_Y) / 2,
        text="every node, mean over assets",
        showarrow=False,
        xanchor="left",
        xshift=8,
        yshift=12,
        font={"size": 10, "color": MUTED},
    )


def _detector_x(right: float) -> float:
    return (right + 0.8) * 0.42


def _draw_edge(figure: go.Figure, lane: Lane, edge: Edge) -> None:
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
