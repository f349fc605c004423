from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from search_samples import noise, small_supernet

from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS
from regime_nas_pipeline.networks.training import validation_error
from regime_nas_pipeline.search.perturbation import (
    most_missed,
    removal_errors,
    select_by_perturbation,
)
from regime_nas_pipeline.search.supernet import EdgeKey, MixedOperation, mixed_edges

ROWS = np.array([20, 50, 90, 91, 130, 150])
NAMES = ("none", "identity", "linear", "gru")


@pytest.mark.parametrize(
    "key", [("evidence", 1, "input"), ("volatility", 1, "input"), ("range", 2, "1")]
)
def test_removal_errors_are_those_of_a_supernet_without_the_operation(key: EdgeKey) -> None:
    network, data = small_supernet(), noise()
    edge = dict(mixed_edges(network))[key]
    with torch.no_grad():
        edge.alpha.copy_(torch.randn(len(edge.names), generator=torch.Generator().manual_seed(0)))
        edge.alpha[3] = -torch.inf
    errors, passes = removal_errors(network, edge, data, ROWS, 4)
    assert passes == len(edge.names) - 1  # the whole, and all but none and one of no weight
    expected = []
    weights = edge.weights().detach()
    for position in range(len(edge.names)):
        # An independent way to leave it out: fixed weights, one of them zero.
        left = weights.clone()
        left[position] = 0.0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(edge, "weights", lambda left=left: left)
            expected.append(validation_error(network, data, ROWS, 6))
    np.testing.assert_allclose(errors, expected, rtol=1e-5)
    assert errors[0] == errors[3]
    assert edge.without is None
    assert edge.memory is None


def test_none_is_chosen_only_where_every_removal_helps() -> None:
    assert most_missed(NAMES, np.array([1.0, 0.9, 0.8, 0.99])) == "none"
    assert most_missed(NAMES, np.array([1.0, 0.9, 1.01, 0.7])) == "linear"
    assert most_missed(NAMES, np.array([1.0, 0.9, 1.0, 0.7])) == "linear"
    assert most_missed(NAMES[1:], np.array([0.9, 0.95, 0.7])) == "linear"


@given(st.lists(st.floats(0.0, 10.0), min_size=4, max_size=4))
def test_what_is_chosen_is_missed_no_less_than_anything_else(errors: list[float]) -> None:
    chosen = most_missed(NAMES, np.array(errors))
    assert errors[NAMES.index(chosen)] == max(errors)


def test_a_harmful_edge_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in BLOCK_OPERATIONS:
        monkeypatch.setitem(BLOCK_OPERATIONS, name, ("none", "identity", "linear"))
    network, data = small_supernet(nodes=1, head="linear"), noise()
    edges = dict(mixed_edges(network))
    with torch.no_grad():
        # An output that shouts: whatever reaches the head adds to the error.
        network.output.linear.weight.mul_(200.0)
    errors, _ = removal_errors(network, edges["trend", 1, "input"], data, ROWS, 4)
    assert most_missed(("none", "identity", "linear"), errors) == "none"


def test_edges_are_fixed_one_by_one_with_fine_tuning_between() -> None:
    network = small_supernet()
    edges = dict(mixed_edges(network))
    visited: list[tuple[str, int, str]] = []
    parts: list[float] = []

    def errors_without(edge: MixedOperation) -> np.ndarray:
        fixed = [key for key, other in edges.items() if len(other.live()) <= 1]
        assert sorted(fixed) == sorted(visited)
        visited.append(edge.key)
        errors = np.zeros(len(edge.names))
        errors[len(visited) % len(edge.names)] = 1.0
        return errors

    chosen = select_by_perturbation(network, errors_without, parts.append, np.random.default_rng(0))
    assert list(chosen) == list(edges)
    assert visited != list(edges)
    assert sorted(visited) == sorted(edges)
    np.testing.assert_allclose(parts, np.arange(1, len(edges) + 1) / len(edges))
    for key, edge in edges.items():
        assert edge.names[int(edge.alpha.argmax())] == chosen[key]
        assert edge.weights().max().item() == 1.0
