"""From what a search proposes, and from a parameters file, to arguments of a forecaster."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from neural_cases import NEURAL, ONE_NODE, tiny

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.core.params import check_arguments
from regime_nas_pipeline.forecasters.genes import GeneForecaster
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.forecasters.regime_nas import (
    MAX_NODES,
    RegimeNasForecaster,
    cell_dimension,
)
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS
from regime_nas_pipeline.networks.regime_net import BLOCKS, cell_edges, operation_edges

EVERY = (*NEURAL, GeneForecaster)
UNGATED = tuple(cls for cls in EVERY if cls is not RegimeNasForecaster)
ALL_WEIGHTS = {weight.name for weight in fields(Objective)}


@pytest.mark.parametrize("cls", UNGATED)
def test_without_a_gate_the_weights_of_the_gate_are_not_searched(
    cls: type[NeuralForecaster],
) -> None:
    assert ALL_WEIGHTS - cls.weight_names() == {"smoothness_weight", "label_weight"}
    assert cls.weight_names() <= cls.search_dimensions()
    assert not {"smoothness_weight", "label_weight"} & cls.search_dimensions()


def test_a_gated_network_has_every_weight_and_its_cells() -> None:
    assert RegimeNasForecaster.weight_names() == ALL_WEIGHTS
    edges = {cell_dimension(*edge) for edge in cell_edges(MAX_NODES)}
    assert len(edges) == len(BLOCKS) * (1 + 2 + 3)
    assert RegimeNasForecaster.search_dimensions() == ALL_WEIGHTS | edges | {"nodes"}
    assert {"evidence.1.input", "trend.3.2"} < edges


@pytest.mark.parametrize("cls", EVERY)
def test_choices_become_arguments(cls: type[NeuralForecaster]) -> None:
    choices = {"lookback": 21, "l2_weight": 0.01, "learning_rate": 3e-3, "ranking_weight": 0.5}
    before = dict(choices)
    found = cls.from_choices(choices)
    assert found == {
        "lookback": 21,
        "learning_rate": 3e-3,
        "objective": {"l2_weight": 0.01, "ranking_weight": 0.5},
    }
    assert choices == before
    checked = check_arguments(cls, found)
    assert checked["objective"] == Objective(l2_weight=0.01, ranking_weight=0.5)
    assert cls.from_choices({"lookback": 21}) == {"lookback": 21}


def test_a_weight_without_effect_is_no_argument() -> None:
    """A space that names it is refused where constructor arguments are checked."""
    found = tiny(NEURAL[0]).from_choices({"label_weight": 0.5})
    with pytest.raises(ParameterError, match="has no parameter 'label_weight'"):
        check_arguments(NEURAL[0], found)


@pytest.mark.parametrize("cls", EVERY)
def test_the_objective_comes_from_parameters(cls: type[NeuralForecaster]) -> None:
    checked = check_arguments(cls, {"objective": {"volatility_weight": 0.3, "l1_weight": 1}})
    assert checked == {"objective": Objective(volatility_weight=0.3, l1_weight=1.0)}
    assert cls(**checked).objective.volatility_weight == 0.3
    with pytest.raises(ParameterError, match=rf"{cls.__name__}\.objective\.smoothness"):
        check_arguments(cls, {"objective": {"smoothness": 0.1}})
    with pytest.raises(ParameterError, match=rf"{cls.__name__}\.objective\.l1_weight"):
        check_arguments(cls, {"objective": {"l1_weight": "much"}})


# --- cells, edge by edge ----------------------------------------------------------------------


def last_operations(nodes: int) -> dict[str, Any]:
    return {cell_dimension(*edge): BLOCK_OPERATIONS[edge[0]][-1] for edge in cell_edges(nodes)}


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_chosen_operations_become_cells(nodes: int) -> None:
    """Edges beyond the cell's nodes are in the space, and have no part in the candidate."""
    choices = {"width": 8, "nodes": nodes, **last_operations(MAX_NODES)}
    found = RegimeNasForecaster.from_choices(choices)
    assert set(found) == {"width", "blocks"}
    assert operation_edges(found["blocks"], 8, 2)[0] == nodes
    for block, cell in found["blocks"].items():
        assert [node["node"] for node in cell] == list(range(1, nodes + 1))
        for node in cell:
            assert {edge["operation"] for edge in node["edges"]} == {BLOCK_OPERATIONS[block][-1]}


def test_without_nodes_the_edges_say_how_many_there_are() -> None:
    found = RegimeNasForecaster.from_choices(last_operations(2))
    assert operation_edges(found["blocks"], 8, 2)[0] == 2


def test_edges_outside_the_space_hold_nothing() -> None:
    found = RegimeNasForecaster.from_choices(
        {"nodes": 2, "trend.1.input": "running_sum", "evidence.2.1": "squared"}
    )
    operations = {
        cell_dimension(block, node["node"], edge["from"]): edge["operation"]
        for block, cell in found["blocks"].items()
        for node in cell
        for edge in node["edges"]
    }
    assert len(operations) == len(cell_edges(2))
    assert operations.pop("trend.1.input") == "running_sum"
    assert operations.pop("evidence.2.1") == "squared"
    assert set(operations.values()) == {"none"}


def test_without_operations_the_number_of_nodes_stays() -> None:
    assert RegimeNasForecaster.from_choices({"nodes": 2, "width": 4}) == {"nodes": 2, "width": 4}


def test_cells_by_edges_are_those_given_whole() -> None:
    choices = {cell_dimension(block, 1, "input"): "linear" for block in BLOCKS}
    assert RegimeNasForecaster.from_choices(choices) == {"blocks": ONE_NODE}
