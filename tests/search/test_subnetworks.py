from __future__ import annotations

import numpy as np
import pytest
import torch
from search_samples import TRAINING, discrete_twin, noise, small_supernet

from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS
from regime_nas_pipeline.networks.training import single_threaded, validation_error
from regime_nas_pipeline.search.subnetworks import (
    best_around,
    count_windows,
    local_search,
    random_architecture,
    score_subnetworks,
    variations,
)
from regime_nas_pipeline.search.supernet import Architecture, mixed_edges

ROWS = np.array([20, 50, 90, 91, 130, 150, 199])


@pytest.mark.parametrize("joint", [False, True])
def test_a_sub_networks_score_is_that_of_the_network_built_with_its_weights(joint: bool) -> None:
    network, data = small_supernet(joint=joint), noise()
    generator = np.random.default_rng(0)
    first = random_architecture(network, generator)
    key = next(iter(first))
    # Some share all edges but one, so that remembered work is reused.
    several = [first, *list(variations(network, first, key))[:3]]
    several.append(random_architecture(network, generator))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with single_threaded(0):
        scores = score_subnetworks(network, several, data, ROWS, 3)
        expected = [
            validation_error(
                discrete_twin(network, chosen, joint=joint, head="gru"),
                data,
                ROWS,
                TRAINING.batch_dates,
            )
            for chosen in several
        ]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    assert len(set(scores)) == len(several)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(edge.only is None and edge.memory is None for _, edge in mixed_edges(network))


def test_windows_without_a_target_are_not_counted() -> None:
    data = noise()
    assert count_windows(data, ROWS) == 3 * (len(ROWS) - 1)  # the last bar's target is unknown
    assert count_windows(data, np.array([2])) == 0


def test_random_architectures_use_every_operation_alike() -> None:
    network = small_supernet(nodes=1)
    generator = np.random.default_rng(0)
    drawn = [random_architecture(network, generator)["trend", 1, "input"] for _ in range(1300)]
    counts = [drawn.count(name) for name in BLOCK_OPERATIONS["trend"]]
    n = len(counts)
    expected = 1300 / n
    assert sum(counts) == 1300
    # Chi-square with n - 1 degrees of freedom: mean n - 1, deviation sqrt(2 (n - 1)).
    statistic = sum((count - expected) ** 2 / expected for count in counts)
    assert statistic < (n - 1) + 4 * (2 * (n - 1)) ** 0.5


def test_variations_differ_on_one_edge() -> None:
    network = small_supernet()
    chosen = random_architecture(network, np.random.default_rng(0))
    key = ("range", 2, "1")
    others = list(variations(network, chosen, key))
    assert {other[key] for other in others} == set(BLOCK_OPERATIONS["range"]) - {chosen[key]}
    assert all({k for k in chosen if other[k] != chosen[k]} == {key} for other in others)


def made_up_score(architectures: list[Architecture]) -> np.ndarray:
    """Each edge has an error of its own for each operation: edge by edge is then exact."""
    return np.array(
        [
            sum(
                np.random.default_rng(abs(hash_of(key, name))).random()
                for key, name in cells.items()
            )
            for cells in architectures
        ]
    )


def hash_of(key: tuple[str, int, str], name: str) -> int:
    return int.from_bytes(f"{key}{name}".encode()) % 2**32


def test_local_search_finds_the_best_where_edges_do_not_interact() -> None:
    network = small_supernet()
    best = {
        key: min(edge.names, key=lambda name: made_up_score([{key: name}])[0])
        for key, edge in mixed_edges(network)
    }
    found = local_search(network, made_up_score, starts=2, generator=np.random.default_rng(0))
    assert found == best


def test_the_best_around_a_choice_are_its_best_neighbours() -> None:
    network = small_supernet()
    chosen = random_architecture(network, np.random.default_rng(0))
    neighbours = [n for key in chosen for n in variations(network, chosen, key)]
    found = best_around(network, chosen, made_up_score, 4)
    assert found[0] == (chosen, pytest.approx(made_up_score([chosen])[0]))
    expected = sorted(made_up_score([n])[0] for n in neighbours)[:3]
    assert [error for _, error in found[1:]] == pytest.approx(expected)
    assert all(cells in neighbours for cells, _ in found[1:])
    assert len(best_around(network, chosen, made_up_score, 10**6)) == 1 + len(neighbours)
