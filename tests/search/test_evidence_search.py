from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from cell_searches import LARGEST_BATCH, PLAN, WAYS, CountingObjective, search
from evidence_samples import NAMES, kept_names, supernet_with_all_evidence
from search_samples import (
    N_ASSETS,
    SIZES,
    TRAINING,
    WIDTH,
    noise,
    small_supernet,
    some_batch,
    split_of,
)

from regime_nas_pipeline.core.splits import strided
from regime_nas_pipeline.networks.operations import EVIDENCE
from regime_nas_pipeline.networks.regime_net import RegimeNet, evidence_nodes, operation_edges
from regime_nas_pipeline.search import differentiable
from regime_nas_pipeline.search.cell_plan import CellSearchPlan
from regime_nas_pipeline.search.differentiable import EVIDENCE_PART
from regime_nas_pipeline.search.scoring import spread
from regime_nas_pipeline.search.subnetworks import count_windows
from regime_nas_pipeline.search.supernet import mixed_edges

SIDE_BY_SIDE = replace(PLAN, evidence="side_by_side", evidence_nodes=3)


@pytest.mark.parametrize("way", WAYS)
def test_the_budget_is_never_exceeded(way: str) -> None:
    objective = CountingObjective()
    plan = replace(SIDE_BY_SIDE, max_samples=233, **WAYS[way])
    result = search(supernet_with_all_evidence(), noise(), plan, objective=objective)
    assert result.samples == sum(objective.seen)
    assert plan.supernet_samples - 2 * LARGEST_BATCH < result.samples <= plan.supernet_samples


def test_fine_tuning_is_shared_between_evidence_and_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spent: dict[str, int] = {}
    select, select_blocks = differentiable._Search.select, differentiable._Search.select_blocks

    def notes_before(self, *arguments):  # type: ignore[no-untyped-def]
        spent["training"] = self.samples
        return select(self, *arguments)

    def notes_between(self, *arguments):  # type: ignore[no-untyped-def]
        spent["evidence"] = self.samples - spent["training"]
        return select_blocks(self, *arguments)

    monkeypatch.setattr(differentiable._Search, "select", notes_before)
    monkeypatch.setattr(differentiable._Search, "select_blocks", notes_between)
    plan = replace(SIDE_BY_SIDE, max_samples=600, selection="perturbation", selection_share=0.5)
    result = search(supernet_with_all_evidence(), noise(), plan)
    reserve = plan.supernet_samples - plan.training_samples
    blocks = result.samples - spent["training"] - spent["evidence"]
    assert EVIDENCE_PART * reserve - LARGEST_BATCH < spent["evidence"] <= EVIDENCE_PART * reserve
    assert reserve - spent["evidence"] - LARGEST_BATCH < blocks <= reserve - spent["evidence"]


@pytest.mark.parametrize("way", ["perturbation", "top three"])
def test_the_same_seed_finds_the_same_evidence(way: str) -> None:
    plan = replace(SIDE_BY_SIDE, max_samples=200, **WAYS[way])
    one, other = supernet_with_all_evidence(), supernet_with_all_evidence()
    first, again = search(one, noise(), plan), search(other, noise(), plan)
    assert first == again
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("nodes", [1, 4, len(NAMES)])
def test_what_was_found_builds_a_network(nodes: int) -> None:
    plan = CellSearchPlan(max_samples=150, evidence="side_by_side", evidence_nodes=nodes)
    supernet = supernet_with_all_evidence()
    result = search(supernet, noise(), plan)
    found = [
        edge["operation"]
        for node in result.blocks[EVIDENCE]
        for edge in node["edges"]
        if edge["from"] == "input"
    ]
    assert len(found) == len(set(found)) == evidence_nodes(result.blocks) == nodes
    assert set(found) == kept_names(supernet.evidence)
    n_nodes, make_edge = operation_edges(result.blocks, WIDTH, 2)
    assert n_nodes == 1
    network = RegimeNet(
        n_assets=N_ASSETS,
        n_asset_features=2,
        market_timeframes=tuple(SIZES["market_timeframes"]),
        joint=False,
        width=WIDTH,
        nodes=n_nodes,
        evidence_nodes=nodes,
        head="linear",
        attention_heads=2,
        dropout=0.0,
        make_edge=make_edge,
    ).eval()
    assert network.market_evidence(some_batch()).shape[-1] == nodes * WIDTH
    assert network(some_batch()).mean.shape == (4, N_ASSETS)


def test_every_candidate_has_the_evidence_that_was_chosen() -> None:
    plan = replace(SIDE_BY_SIDE, max_samples=300, **WAYS["top three"])
    result = search(supernet_with_all_evidence(), noise(), plan)
    assert len(result.candidates) == 3
    assert {str(cells.blocks[EVIDENCE]) for cells in result.candidates} == {
        str(result.blocks[EVIDENCE])
    }


def test_edges_that_kinds_of_evidence_do_not_have_count_as_switched_off() -> None:
    """Three nodes have six edges, three of them between nodes; three blocks have one each."""
    plan = replace(SIDE_BY_SIDE, max_samples=120)  # by size, which never chooses none
    network = supernet_with_all_evidence()
    facts = search(network, noise(), plan).facts
    assert len(list(mixed_edges(network))) == 3
    assert facts["none_share"] == pytest.approx(3 / 9)


def test_every_look_of_the_removals_is_counted() -> None:
    """Eight to three operations: 8 + 7 + 6 + 5 + 4 removals are scored, and 3 to order them."""
    plan, data = replace(SIDE_BY_SIDE, max_samples=120, selection_dates=5), noise()
    facts = search(supernet_with_all_evidence(), data, plan).facts
    plain = search(small_supernet(nodes=1), data, replace(plan, evidence="edges")).facts
    rows = strided(split_of(data).validation, TRAINING.sample_every)
    each = count_windows(data, spread(rows, 5))
    looks = facts["validation_windows"] - plain["validation_windows"]
    assert looks == (8 + 7 + 6 + 5 + 4 + 3) * each
