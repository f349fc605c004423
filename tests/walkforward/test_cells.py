from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.operations import EVIDENCE, GATED_BLOCKS
from regime_nas_pipeline.networks.training import TrainingPlan
from regime_nas_pipeline.search.differentiable import CellSearchResult
from regime_nas_pipeline.walkforward.cells import find_cells
from regime_nas_pipeline.walkforward.parameters import CellSearch, Search

SEARCH = Search(budget=1000, trials=2, cell_search=CellSearch())


class Retraining(CellSearch):
    """Cells of which the best three are trained from scratch."""

    top_k: int = 3
    retrain_share: float = 0.5
    retrain_seeds: int = 2


def _prototype(**changes: Any) -> RegimeNasForecaster:
    given: dict[str, Any] = {
        "horizon": 5,
        "lookback": 4,
        "timeframes": (1, 5),
        "width": 4,
        "training": TrainingPlan(max_samples=10**9, batch_dates=2, sample_every=5),
        "device": "cpu",
        **changes,
    }
    return RegimeNasForecaster(**given)


def _find(
    market: Market, nodes: int = 1, budget: int = 200, search: Search = SEARCH, **changes: Any
) -> CellSearchResult:
    return find_cells(_prototype(**changes), market, nodes, budget, search)


@pytest.mark.parametrize("mode", ["pooled", "joint"])
def test_cells_have_the_nodes_asked_for_and_build_a_network(mode: str, labelled_market: Market):
    market = labelled_market.until(labelled_market.dates[250])
    found = _find(market, nodes=2, mode=mode)
    for nodes in found.blocks.values():
        assert [node["node"] for node in nodes] == [1, 2]
        assert [[edge["from"] for edge in node["edges"]] for node in nodes] == [
            ["input"],
            ["input", "1"],
        ]
    assert 0 < found.samples <= 200
    network = _prototype(mode=mode, blocks=found.blocks)
    network.training = dataclasses.replace(network.training, max_samples=20)
    assert network.fit(market).fit_report_.parameters > 0


def test_evidence_side_by_side_keeps_as_many_kinds_as_asked_for(labelled_market: Market):
    market = labelled_market.until(labelled_market.dates[250])
    settings = CellSearch(evidence="side_by_side", evidence_nodes=3)
    search = SEARCH.model_copy(update={"cell_search": settings})
    found = _find(market, search=search)
    assert {name: len(nodes) for name, nodes in found.blocks.items()} == {
        EVIDENCE: 3,
        **dict.fromkeys(GATED_BLOCKS, 1),
    }
    assert 0 < found.samples <= 200
    assert found == _find(market, search=search)
    network = _prototype(blocks=found.blocks)
    network.training = dataclasses.replace(network.training, max_samples=20)
    network.fit(market)
    assert len(network.networks_[0].evidence.nodes) == 3


def test_the_same_seed_finds_the_same_cells_and_another_one_learns_otherwise(
    labelled_market: Market,
):
    market = labelled_market.until(labelled_market.dates[250])
    one, two, other = _find(market), _find(market), _find(market, seed=1)
    assert (one.blocks, one.samples, one.facts) == (two.blocks, two.samples, two.facts)
    assert one.facts != other.facts


def test_regime_labels_are_needed_only_where_they_are_learned_from(small_market: Market):
    market = small_market.until(small_market.dates[250])
    assert _find(market).samples > 0
    with pytest.raises(ParameterError, match="label_weight > 0 needs labels"):
        _find(market, objective=Objective(label_weight=0.1))


def test_the_order_of_the_labels_columns_changes_nothing(labelled_market: Market):
    market = labelled_market.until(labelled_market.dates[250])
    turned = dataclasses.replace(
        market,
        regimes=np.ascontiguousarray(market.regimes[:, ::-1]),
        regime_names=market.regime_names[::-1],
    )
    labelled, unlabelled = Objective(label_weight=1.0), Objective()
    found = _find(market, objective=labelled)
    assert found.facts == _find(turned, objective=labelled).facts
    assert found.facts != _find(market, objective=unlabelled).facts


def test_a_budget_below_one_architecture_step_is_an_error(labelled_market: Market):
    with pytest.raises(ParameterError, match="a budget of 15 gradient samples does not pay"):
        _find(labelled_market, budget=15)


def test_the_best_few_are_trained_from_scratch_within_the_budget(labelled_market: Market):
    market = labelled_market.until(labelled_market.dates[250])
    search = SEARCH.model_copy(update={"cell_search": Retraining()})
    found, again = (_find(market, budget=600, search=search) for _ in range(2))
    assert (found.blocks, found.samples, found.facts) == (again.blocks, again.samples, again.facts)
    assert found.facts["retrained"] == 3
    assert 300 < found.samples <= 600
    assert -1.0 <= found.facts.get("kendall_tau", 0.0) <= 1.0
    # The one that is returned is one of those retrained, at its rank.
    assert found.blocks in [cells.blocks for cells in found.candidates]
    chosen_is_best = found.blocks == found.candidates[0].blocks
    assert chosen_is_best == (found.facts["chosen_rank"] == 1)


def test_a_share_too_small_to_retrain_on_is_an_error(labelled_market: Market):
    market = labelled_market.until(labelled_market.dates[250])
    search = SEARCH.model_copy(update={"cell_search": Retraining(retrain_share=0.1)})
    with pytest.raises(ParameterError, match="does not pay for one batch"):
        _find(market, budget=300, search=search)
