from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from network_samples import random_batch
from regime_net_samples import WIDTH, chosen_by, make, some_blocks

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.detector import Detection
from regime_nas_pipeline.networks.operations import (
    CLIP,
    EVIDENCE,
    GATED_BLOCKS,
    OPERATIONS,
    NoOperation,
)
from regime_nas_pipeline.networks.regime_net import (
    BLOCKS,
    HEADS,
    cell_edges,
    describe_blocks,
    edge_sources,
    evidence_nodes,
    operation_edges,
)


def test_sources_are_the_input_and_all_earlier_nodes() -> None:
    assert edge_sources(1) == ("input",)
    assert edge_sources(3) == ("input", "1", "2")


def test_the_edges_of_all_cells() -> None:
    assert len(cell_edges(3)) == len(BLOCKS) * (1 + 2 + 3)
    assert [edge for edge in cell_edges(2) if edge[0] == EVIDENCE] == [
        (EVIDENCE, 1, "input"),
        (EVIDENCE, 2, "input"),
        (EVIDENCE, 2, "1"),
    ]


def test_cells_stand_in_the_order_of_their_names() -> None:
    network = make(some_blocks())
    assert tuple(network.cells()) == BLOCKS == (EVIDENCE, *GATED_BLOCKS)
    assert network.cells()[EVIDENCE] is network.evidence
    for name in GATED_BLOCKS:
        assert network.cells()[name] is network.blocks[name]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("joint", [False, True])
def test_it_forecasts_every_asset_and_tells_its_gates(head: str, joint: bool) -> None:
    output = make(some_blocks(), head=head, joint=joint)(random_batch())
    assert output.mean.shape == output.log_volatility.shape == (3, 4)
    for answer in (output.gate, output.gate_before, output.regime):
        torch.testing.assert_close(answer.sum(dim=-1), torch.ones(3))


def detection(gate: torch.Tensor) -> Detection:
    return Detection(gate, torch.full((len(gate), 1), 0.5), gate)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_gate_that_is_open_for_one_block_gives_that_block_alone(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, batch = make(some_blocks()), random_batch()
    gate = torch.zeros(3, 3)
    gate[:, number] = 1.0
    monkeypatch.setattr(network.detector, "forward", lambda *_: detection(gate))
    x = network.embed(network.with_market(batch))
    alone = network.blocks[GATED_BLOCKS[number]](x, batch.mask)
    mean, log_volatility = network.output(alone[:, :, -1])
    found = network(batch)
    torch.testing.assert_close(found.mean, mean)
    torch.testing.assert_close(found.log_volatility, log_volatility)
    other = network.blocks[GATED_BLOCKS[number - 1]](x, batch.mask)
    assert not torch.allclose(network.output(other[:, :, -1])[0], mean)


def test_gates_are_weights_of_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    network, batch = make(some_blocks()), random_batch()
    gate = torch.tensor([[0.2, 0.3, 0.5], [0.7, 0.1, 0.2], [1 / 3, 1 / 3, 1 / 3]])
    monkeypatch.setattr(network.detector, "forward", lambda *_: detection(gate))
    x = network.embed(network.with_market(batch))
    mixed = torch.zeros(3, 4, WIDTH)
    for number, block in enumerate(network.blocks.values()):
        last = block(x, batch.mask)[:, :, -1]
        for row in range(3):
            mixed[row] += gate[row, number] * last[row]
    torch.testing.assert_close(network(batch).mean, network.output(mixed)[0])


def test_a_cell_by_hand() -> None:
    operations = chosen_by(lambda *_: "identity")
    operations["trend", 2, "1"] = "none"
    block = make(describe_blocks(operations, 2)).blocks["trend"]
    x = torch.linspace(-6.0, 6.0, 2 * 3 * 5 * WIDTH).reshape(2, 3, 5, WIDTH)
    # Node 1 has one edge; node 2 adds its two edges and divides by the square root of two.
    first = x.clamp(-CLIP, CLIP)
    second = (x / 2**0.5).clamp(-CLIP, CLIP)
    mask = torch.ones(2, 3, dtype=torch.bool)
    torch.testing.assert_close(block(x, mask), (first + second) / 2)


def test_an_edge_without_connection_counts_and_is_not_worked_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any) -> torch.Tensor:
        raise AssertionError("zeros were made only to be added")

    operations = chosen_by(lambda *_: "identity")
    operations["trend", 2, "1"] = "none"
    blocks = make(describe_blocks(operations, 2)).blocks
    monkeypatch.setattr(NoOperation, "forward", refuse)
    x, mask = torch.full((2, 3, 5, WIDTH), 1.0), torch.ones(2, 3, dtype=torch.bool)
    expected = (1.0 + 1.0 / 2**0.5) / 2
    torch.testing.assert_close(blocks["trend"](x, mask), expected * x)
    torch.testing.assert_close(blocks["range"](x, mask), (1.0 + 2.0 / 2**0.5) / 2 * x)


@pytest.mark.parametrize("last", [False, True])
def test_a_cell_without_any_connection_gives_zeros(last: bool) -> None:
    block = make(describe_blocks(chosen_by(lambda *_: "none"), 2)).blocks["trend"]
    x, mask = torch.ones(2, 3, 5, WIDTH), torch.ones(2, 3, dtype=torch.bool)
    found = block(x, mask, last=last)
    assert torch.equal(found, torch.zeros(2, 3, 1 if last else 5, WIDTH))


def test_kinds_of_evidence_stand_side_by_side() -> None:
    operations = chosen_by(lambda *_: "identity")
    operations[EVIDENCE, 2, "1"] = "none"
    block = make(describe_blocks(operations, 2)).evidence
    x = torch.linspace(-6.0, 6.0, 2 * 3 * 5 * WIDTH).reshape(2, 3, 5, WIDTH)
    found = block(x, torch.ones(2, 3, dtype=torch.bool))
    assert found.shape == (2, 3, 5, 2 * WIDTH)
    torch.testing.assert_close(found[..., :WIDTH], x.clamp(-CLIP, CLIP))
    torch.testing.assert_close(found[..., WIDTH:], (x / 2**0.5).clamp(-CLIP, CLIP))


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_is_bounded_whatever_its_operations_do(block: str) -> None:
    x = 1e6 * torch.randn(2, 3, 9, WIDTH, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(2, 3, dtype=torch.bool)
    assert make(some_blocks()).cells()[block](x, mask).abs().max() <= CLIP


@pytest.mark.parametrize("n_nodes", [1, 2, 3])
def test_an_architecture_survives_json(n_nodes: int) -> None:
    blocks = some_blocks(n_nodes)
    restored = json.loads(json.dumps(blocks))
    assert restored == blocks
    found, make_edge = operation_edges(restored, WIDTH, 2)
    assert found == n_nodes
    one, other = make(blocks), make(restored)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(random_batch()).mean, other(random_batch()).mean)
    with pytest.raises(KeyError):
        make_edge("trend", n_nodes + 1, "input")


@pytest.mark.parametrize(("n_nodes", "n_evidence"), [(1, 4), (3, 1), (2, 2)])
def test_the_evidence_may_have_nodes_of_its_own_number(n_nodes: int, n_evidence: int) -> None:
    blocks = some_blocks(n_nodes, n_evidence)
    assert {name: len(nodes) for name, nodes in blocks.items()} == {
        EVIDENCE: n_evidence,
        **dict.fromkeys(GATED_BLOCKS, n_nodes),
    }
    assert evidence_nodes(blocks) == n_evidence
    found, make_edge = operation_edges(json.loads(json.dumps(blocks)), WIDTH, 2)
    assert found == n_nodes
    for name, nodes in blocks.items():
        for node in nodes:
            assert [edge["from"] for edge in node["edges"]] == list(edge_sources(node["node"]))
            for edge in node["edges"]:
                operation = make_edge(name, node["node"], edge["from"])
                assert isinstance(operation, OPERATIONS[edge["operation"]])
    network = make(blocks)
    assert network.market_evidence(random_batch()).shape[-1] == n_evidence * WIDTH
    assert network(random_batch()).mean.shape == (3, 4)


def test_the_evidence_has_as_many_nodes_as_the_blocks_where_nothing_else_is_said() -> None:
    blocks = some_blocks(3)
    assert len(make(blocks, evidence_nodes=None).evidence.nodes) == 3


def test_a_module_may_stand_in_place_of_the_evidence_cell() -> None:
    class Twice(torch.nn.Module):
        def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return torch.cat([x, -x], dim=-1)

    network, batch = make(some_blocks(1), evidence=(Twice(), 2 * WIDTH)), random_batch()
    assert EVIDENCE not in network.cells()
    evidence = network.market_evidence(batch)
    torch.testing.assert_close(evidence[..., WIDTH:], -evidence[..., :WIDTH])
    assert network(batch).gate.shape == (3, 3)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda nodes: nodes.pop(1), r"'evidence', 4, '1'"),
        (lambda nodes: nodes[3]["edges"].pop(2), r"\('evidence', 4, '2'\)"),
        (lambda nodes: nodes[0]["edges"].pop(), r"\('evidence', 1, 'input'\)"),
        (lambda nodes: nodes.clear(), "edges missing"),
        (lambda nodes: nodes.append(dict(nodes[3])), "listed twice"),
        (lambda nodes: nodes[3]["edges"][0].update(operation="gru"), "'gru'; it can be one of"),
    ],
)
def test_broken_evidence_of_its_own_number_of_nodes_is_refused(change: Any, complaint: str) -> None:
    blocks = some_blocks(1, 4)
    change(blocks[EVIDENCE])
    with pytest.raises(ParameterError, match=complaint):
        operation_edges(blocks, WIDTH, 2)


def broken(change: Callable[[dict[str, Any], dict[str, str]], object]) -> dict[str, Any]:
    """An architecture after ``change`` was made to it and to the edge from 1 to 2 of trend."""
    blocks = some_blocks()
    change(blocks, blocks["trend"][1]["edges"][1])
    return blocks


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            lambda blocks, edge: blocks.pop("range"),
            "needs the blocks evidence, volatility, trend, range and has evidence, trend, vol",
        ),
        (lambda blocks, edge: blocks.update(sideways=blocks["range"]), "has .*sideways"),
        (lambda blocks, edge: blocks.clear(), "has none"),
        (
            lambda blocks, edge: blocks["trend"][1]["edges"].pop(),
            r"edges missing or unexpected .*'trend', 2, '1'",
        ),
        (lambda blocks, edge: blocks["trend"][1]["edges"].append(dict(edge)), "listed twice"),
        (lambda blocks, edge: edge.update({"from": "2"}), r"'trend', 2, '1'.*'trend', 2, '2'"),
        (lambda blocks, edge: blocks["range"].pop(), r"'range', 2, '1'"),
        (lambda blocks, edge: blocks.update({block: [] for block in BLOCKS}), "edges missing"),
        (
            lambda blocks, edge: edge.update(operation="magic"),
            r"block 'trend', node 2, edge from '1' .*'magic'.*one of none",
        ),
        (
            lambda blocks, edge: edge.update(operation="z_score"),
            r"'z_score'; it can be one of .*running_sum",
        ),
        (lambda blocks, edge: edge.pop("operation"), "every edge 'from' and 'operation'"),
        (lambda blocks, edge: blocks["trend"][0].pop("node"), "every node needs 'node'"),
        (lambda blocks, edge: blocks.update(trend=["linear"]), "every node needs 'node'"),
    ],
)
def test_a_bad_architecture_is_refused(change: Any, complaint: str) -> None:
    with pytest.raises(ParameterError, match=complaint):
        operation_edges(broken(change), WIDTH, 2)


def test_an_unbroken_architecture_is_fine() -> None:
    assert operation_edges(broken(lambda blocks, edge: None), WIDTH, 2)[0] == 2
