from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from evidence_samples import NAMES, all_evidence, kept_names, supernet_with_all_evidence
from hypothesis import given, settings
from hypothesis import strategies as st
from search_samples import WIDTH, some_batch

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS, EVIDENCE, OPERATIONS, clip
from regime_nas_pipeline.networks.regime_net import operation_edges
from regime_nas_pipeline.search.cell_plan import CellSearchPlan
from regime_nas_pipeline.search.evidence import (
    ErrorsOf,
    SideBySideEvidence,
    errors_without,
    select_evidence,
)
from regime_nas_pipeline.search.subnetworks import random_blocks
from regime_nas_pipeline.search.supernet import NONE


def states() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 7, WIDTH, generator=generator), torch.ones(2, 3, dtype=torch.bool)


def channels(name: str) -> slice:
    """Where an operation's results lie."""
    first = NAMES.index(name) * WIDTH
    return slice(first, first + WIDTH)


def keep_only(evidence: SideBySideEvidence, *names: str) -> None:
    evidence.kept = {NAMES.index(name) for name in names}


def one_by_one(score: Callable[[], float]) -> ErrorsOf:
    """The score of each state, entered in turn."""

    def errors_of(states: Sequence[Callable[[], None]]) -> list[float]:
        errors = []
        for enter in states:
            enter()
            errors.append(score())
        return errors

    return errors_of


def scripted(
    evidence: SideBySideEvidence, gains: Mapping[str, float], pair: frozenset[str] = frozenset()
) -> ErrorsOf:
    """An error that each operation lowers by its gain, and a pair by 5 if both are there."""

    def score() -> float:
        kept = kept_names(evidence)
        together = 5.0 if pair and pair <= kept else 0.0
        return 10.0 - together - sum(gains.get(name, 0.0) for name in kept)

    return one_by_one(score)


def test_each_operation_has_channels_of_its_own() -> None:
    evidence, (x, mask) = all_evidence(), states()
    assert evidence.names == NAMES
    found = evidence(x, mask)
    assert found.shape == (2, 3, 7, len(NAMES) * WIDTH)
    for name, operation in zip(NAMES, evidence.operations, strict=True):
        assert isinstance(operation, OPERATIONS[name])
        torch.testing.assert_close(found[..., channels(name)], clip(operation(x, mask)))
    with torch.no_grad():
        for parameter in evidence.operations[NAMES.index("linear")].parameters():
            parameter.add_(1.0)
    moved = (evidence(x, mask) != found).flatten(0, 2).any(dim=0)
    assert moved[channels("linear")].all()
    assert int(moved.sum()) == WIDTH


def test_what_was_removed_gives_zeros_and_leaves_the_others() -> None:
    evidence, (x, mask) = all_evidence(), states()
    before = evidence(x, mask)
    keep_only(evidence, "squared", "linear", "lag_product")
    found = evidence(x, mask)
    for name in NAMES:
        expected = before[..., channels(name)]
        if name not in kept_names(evidence):
            expected = torch.zeros_like(expected)
        assert torch.equal(found[..., channels(name)], expected)


def test_what_was_removed_is_not_computed_and_learns_nothing() -> None:
    network = supernet_with_all_evidence()
    keep_only(network.evidence, "linear", "volatility_scaling")
    with torch.no_grad():
        for parameter in network.evidence.operations[NAMES.index("convolution")].parameters():
            parameter.fill_(torch.nan)
    output = network.train()(some_batch())
    assert torch.isfinite(output.mean).all()
    # The gate, and through it the evidence, is what this sum depends on.
    torch.autograd.backward((output.gate * torch.tensor([1.0, -2.0, 3.0])).sum())
    for name, operation in zip(NAMES, network.evidence.operations, strict=True):
        for parameter in operation.parameters():
            if name in kept_names(network.evidence):
                assert parameter.grad is not None
                assert parameter.grad.abs().sum() > 0.0
            else:
                assert parameter.grad is None


def test_errors_without_each_put_it_back() -> None:
    evidence = all_evidence()
    keep_only(evidence, "identity", "squared", "absolute")
    errors = errors_without(evidence, scripted(evidence, {"squared": 3.0, "absolute": 1.0}))
    assert errors == {
        NAMES.index("identity"): 6.0,
        NAMES.index("absolute"): 7.0,
        NAMES.index("squared"): 9.0,
    }
    assert kept_names(evidence) == {"identity", "squared", "absolute"}


def test_two_that_help_only_together_are_kept_together() -> None:
    """One by one, ``identity`` helps most: adding the best each time would never find the pair."""
    evidence = all_evidence()
    pair = frozenset({"squared", "lag_product"})
    gains = {
        "identity": 1.0,
        "linear": 0.1,
        "convolution": 0.6,
        "absolute": 0.3,
        "average_difference": 0.4,
        "volatility_scaling": 0.5,
        "lag_product": 0.05,
    }
    assert set(gains) | pair == set(NAMES)
    left: list[set[str]] = [set(NAMES)]
    shares: list[float] = []

    def fine_tune(share: float) -> None:
        shares.append(share)
        left.append(kept_names(evidence))

    chosen = select_evidence(evidence, 2, scripted(evidence, gains, pair), fine_tune)
    removed = [next(iter(before - after)) for before, after in pairwise(left)]
    assert removed == [
        "linear",
        "absolute",
        "average_difference",
        "volatility_scaling",
        "convolution",
        "identity",
    ]
    assert shares == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1.0])
    # The lag product is missed a little more, and so comes first.
    assert chosen == {
        (EVIDENCE, 1, "input"): "lag_product",
        (EVIDENCE, 2, "input"): "squared",
        (EVIDENCE, 2, "1"): "none",
    }
    assert kept_names(evidence) == pair


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(NAMES), nodes=st.integers(1, len(NAMES)))
def test_independent_gains_keep_the_largest_in_their_order(order: list[str], nodes: int) -> None:
    evidence = all_evidence()
    gains = {name: 1.0 + place for place, name in enumerate(reversed(order))}
    shares: list[float] = []
    chosen = select_evidence(evidence, nodes, scripted(evidence, gains), shares.append)
    assert [chosen.pop((EVIDENCE, n, "input")) for n in range(1, nodes + 1)] == order[:nodes]
    assert set(chosen) == {
        (EVIDENCE, node, str(earlier)) for node in range(1, nodes + 1) for earlier in range(1, node)
    }
    assert set(chosen.values()) <= {"none"}
    assert kept_names(evidence) == set(order[:nodes])
    assert shares == pytest.approx([n / (8 - nodes) for n in range(1, 9 - nodes)])


def test_every_removal_is_judged_by_what_fine_tuning_left() -> None:
    evidence = all_evidence()
    gains = {name: float(number) for number, name in enumerate(NAMES, start=1)}
    removed: list[str] = []

    def fine_tune(_: float) -> None:
        removed.extend(set(NAMES) - kept_names(evidence) - set(removed))
        # What was worth most becomes worth nothing, and the first in line takes its place.
        gains[NAMES[-1]], gains[NAMES[1]] = 0.0, 100.0

    chosen = select_evidence(evidence, 1, scripted(evidence, gains), fine_tune)
    assert removed[:2] == [NAMES[0], NAMES[-1]]
    assert chosen == {(EVIDENCE, 1, "input"): NAMES[1]}


def test_what_nobody_reads_is_removed() -> None:
    """Scored on real results, by a readout that looks at two operations alone."""
    evidence, (x, mask) = all_evidence(), states()
    readout = torch.zeros(len(NAMES) * WIDTH)
    readout[channels("squared")], readout[channels("average_difference")] = 0.1, 2.0
    target = (evidence(x, mask) @ readout).detach()

    def score() -> float:
        return float(((evidence(x, mask) @ readout - target) ** 2).mean().detach())

    chosen = select_evidence(evidence, 2, one_by_one(score), lambda _: None)
    assert kept_names(evidence) == {"squared", "average_difference"}
    assert score() == 0.0
    assert set(chosen.values()) == {"squared", "average_difference", "none"}


@pytest.mark.parametrize("kinds", [1, 3, 8])
def test_random_cells_draw_as_many_different_kinds_of_evidence_as_a_search_keeps(
    kinds: int,
) -> None:
    drawn = []
    for seed in range(40):
        blocks = random_blocks(2, np.random.default_rng(seed), kinds)
        nodes = blocks[EVIDENCE]
        from_input = [node["edges"][0]["operation"] for node in nodes]
        assert len(set(from_input)) == len(nodes) == kinds
        assert all(edge["operation"] == NONE for node in nodes for edge in node["edges"][1:])
        assert len(blocks["trend"]) == 2
        operation_edges(blocks, 4, 1)
        drawn += from_input
    assert set(drawn) == set(BLOCK_OPERATIONS[EVIDENCE]) - {NONE}


def test_more_kinds_than_there_are_cannot_be_kept() -> None:
    with pytest.raises(ParameterError, match="evidence_nodes is 9 and there are 8 kinds"):
        CellSearchPlan(max_samples=1, evidence_nodes=9)
