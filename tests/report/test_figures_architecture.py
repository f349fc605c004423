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
    assert len(curves) == len(operations) == 24


def test_surroundings_are_named(found: dict[str, Any]) -> None:
    written = " | ".join(texts(architecture(found)))
    for part in (
        "Input 63 bars",
        "1, 5, 21 bars, 2 heads",
        "Regime probabilities",
        "GRU head width 16",
        "Mean return",
        "Log volatility",
        "Evidence block",
        "every node, mean over assets",
        "Volatility block",
        "Trend block",
        "Range block",
    ):
        assert part in written


def test_no_two_labels_share_a_place(found: dict[str, Any]) -> None:
    notes = [note for note in architecture(found).layout.annotations if note.text]
    for one, other in combinations(notes, 2):
        assert abs(one.x - other.x) > 0.2 or abs(one.y - other.y) > 0.2, (one.text, other.text)


def test_the_evidence_stands_above_the_detector_and_feeds_it_and_no_gate(
    found: dict[str, Any],
) -> None:
    figure = architecture(found)
    places = {note.text: note for note in figure.layout.annotations if note.text}
    [detector] = [note for text, note in places.items() if text.startswith("Regime detector")]
    title = places["<b>Evidence block</b>"]
    assert title.y > detector.y > places["<b>Volatility block</b>"].y
    arrows = [note for note in figure.layout.annotations if note.arrowhead]
    into_detector = [a for a in arrows if (a.x, a.y) == (detector.x, detector.y)]
    assert any(a.ax == a.x and detector.y < a.ay < title.y for a in into_detector)
    gates = [trace for trace in figure.data if trace.text == ("\u00d7",)]
    assert len(gates) == 3
    assert all(trace.y[0] < detector.y for trace in gates)


def test_an_architecture_without_evidence_is_drawn_without_it(found: dict[str, Any]) -> None:
    blocks = {name: nodes for name, nodes in found["blocks"].items() if name != "evidence"}
    figure = architecture({**found, "blocks": blocks})
    assert "Evidence block" not in " ".join(texts(figure))
    assert figure.layout.height < architecture(found).layout.height


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
    # Three gates and a sum receive, three blocks, three gates and the sum send; the evidence's
    # input receives; and every edge that is not switched off ends at a node.
    assert len(at_circles) >= 3 * 4 + 1 + 20
    assert min(at_circles) >= 5


def test_switched_off_edges_are_dotted(found: dict[str, Any]) -> None:
    curves = [trace for trace in architecture(found).data if trace.mode == "lines"]
    dotted = [trace for trace in curves if len(trace.x) > 2 and trace.line.dash == "dot"]
    assert len(dotted) == 4


def test_missing_choices_are_left_out() -> None:
    blocks = {"trend": [{"node": 1, "edges": [{"from": "input", "operation": "<i>"}]}]}
    written = texts(architecture({"blocks": blocks}))
    assert "Input" in written
    assert "&lt;i&gt;" in written
    assert not any("None" in text for text in written)


def test_space_without_blocks_is_said() -> None:
    assert "no blocks" in architecture({"layers": []}).layout.annotations[0].text
