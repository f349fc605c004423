from __future__ import annotations

from itertools import combinations
from typing import Any

from regime_nas_pipeline.report.figures_architecture import architecture


def texts(figure: Any) -> list[str]:
    return [note.text.replace("<br>", " ") for note in figure.layout.annotations if note.text]


def test_every_edge_is_drawn_with_its_operation(found: dict[str, Any]) -> None:
    figure = architecture(found)
    written = texts(figure)
    operations = [
        edge["operation"]
        for nodes in found["blocks"].values()
        for node in nodes
        for edge in node["edges"]
    ]
    names = {"gru": "GRU"}
    for operation in set(operations):
        label = names.get(operation, operation.replace("_", " "))
        assert written.count(label) == operations.count(operation)
    curves = [trace for trace in figure.data if trace.mode == "lines" and len(trace.x) > 2]
    assert len(curves) == len(operations) == 18


def test_surroundings_are_named(found: dict[str, Any]) -> None:
    written = " | ".join(texts(architecture(found)))
    for part in (
        "Input 63 bars",
        "1, 5, 21 bars, 2 heads",
        "Regime probabilities",
        "GRU head width 16",
        "Mean return",
        "Log volatility",
        "Volatility block",
        "Trend block",
        "Range block",
    ):
        assert part in written


def test_no_two_labels_share_a_place(found: dict[str, Any]) -> None:
    notes = [note for note in architecture(found).layout.annotations if note.text]
    for one, other in combinations(notes, 2):
        assert abs(one.x - other.x) > 0.2 or abs(one.y - other.y) > 0.2, (one.text, other.text)


def test_a_long_name_takes_two_lines() -> None:
    edges = [{"from": "input", "operation": "convolution_by_2"}]
    notes = architecture({"blocks": {"trend": [{"node": 1, "edges": edges}]}}).layout.annotations
    assert "convolution<br>by 2" in [note.text for note in notes]


def test_arrows_start_and_end_at_the_rims_of_circles(found: dict[str, Any]) -> None:
    figure = architecture(found)
    circles = {(trace.x[0], trace.y[0]) for trace in figure.data if trace.mode == "markers+text"}
    arrows = [note for note in figure.layout.annotations if note.arrowhead]
    places = [((round(a.ax, 3), round(a.ay, 3)), a.startstandoff) for a in arrows]
    places += [((round(a.x, 3), round(a.y, 3)), a.standoff) for a in arrows]
    at_circles = [distance for place, distance in places if place in circles]
    # Three gates and a sum receive, three blocks, three gates and the sum send; and every edge
    # that is not switched off ends at a node.
    assert len(at_circles) >= 3 * 4 + 15
    assert min(at_circles) >= 5


def test_switched_off_edges_are_dotted(found: dict[str, Any]) -> None:
    curves = [trace for trace in architecture(found).data if trace.mode == "lines"]
    dotted = [trace for trace in curves if len(trace.x) > 2 and trace.line.dash == "dot"]
    assert len(dotted) == 3


def test_missing_choices_are_left_out() -> None:
    blocks = {"trend": [{"node": 1, "edges": [{"from": "input", "operation": "<i>"}]}]}
    written = texts(architecture({"blocks": blocks}))
    assert "Input" in written
    assert "&lt;i&gt;" in written
    assert not any("None" in text for text in written)


def test_space_without_blocks_is_said() -> None:
    assert "no blocks" in architecture({"layers": []}).layout.annotations[0].text
