from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from search_samples import N_ASSETS, SIZES, WIDTH, small_supernet, some_batch

from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS, OPERATIONS
from regime_nas_pipeline.networks.regime_net import (
    BLOCKS,
    RegimeNet,
    describe_blocks,
    operation_edges,
)
from regime_nas_pipeline.search.supernet import (
    EdgeKey,
    MixedOperation,
    alpha_parameters,
    chosen_operations,
    mean_entropy,
    mixed_edges,
    set_temperature,
    weight_parameters,
)


def states() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 7, WIDTH, generator=generator), torch.ones(2, 3, dtype=torch.bool)


def set_alpha(edge: MixedOperation, values: list[float]) -> None:
    with torch.no_grad():
        edge.alpha.copy_(torch.tensor(values))


def three_operations() -> MixedOperation:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MixedOperation(("identity", "squared", "linear"), WIDTH, 2).eval()


@pytest.mark.parametrize("temperature", [1.0, 0.25, 4.0])
def test_weights_are_a_softmax_at_the_temperature(temperature: float) -> None:
    edge = three_operations()
    set_alpha(edge, [0.2, -0.4, 1.0])
    edge.temperature = temperature
    powers = np.exp(np.array([0.2, -0.4, 1.0]) / temperature)
    np.testing.assert_allclose(edge.weights().detach(), powers / powers.sum(), rtol=1e-5)


def test_a_mixture_is_the_weighted_sum_of_its_operations() -> None:
    edge = three_operations()
    set_alpha(edge, np.log([0.2, 0.5, 0.3]).tolist())
    x, mask = states()
    dense = edge.operations[2]
    expected = 0.2 * x + 0.5 * x.clamp(-4, 4) ** 2 + 0.3 * dense(x, mask)
    torch.testing.assert_close(edge(x, mask), expected)


def test_a_cold_mixture_is_its_heaviest_operation() -> None:
    edge = three_operations()
    set_alpha(edge, [0.1, 0.3, 0.2])
    edge.temperature = 1e-3
    x, mask = states()
    torch.testing.assert_close(edge(x, mask), x.clamp(-4, 4) ** 2)


def test_a_new_supernet_is_nearly_undecided_and_the_seed_breaks_the_tie() -> None:
    network = small_supernet()
    assert mean_entropy(network) == pytest.approx(1.0, abs=1e-4)
    assert chosen_operations(network) == chosen_operations(small_supernet())
    assert chosen_operations(network) != chosen_operations(small_supernet(seed=1))


def test_entropy_by_hand() -> None:
    network = small_supernet()
    for _, edge in mixed_edges(network):
        set_alpha(edge, [60.0] + [0.0] * (len(edge.names) - 1))
    assert mean_entropy(network) == pytest.approx(0.0, abs=1e-6)
    for _, edge in mixed_edges(network):
        # Two operations share all the weight: ln 2 over ln of their number.
        set_alpha(edge, [60.0, 60.0] + [0.0] * (len(edge.names) - 2))
    sizes = [len(BLOCK_OPERATIONS[block]) for block in BLOCKS]
    assert mean_entropy(network) == pytest.approx(np.mean(np.log(2) / np.log(sizes)), rel=1e-5)


@pytest.mark.parametrize(("nodes", "per_block"), [(1, 1), (2, 3), (3, 6)])
def test_every_edge_holds_what_its_block_may_use(nodes: int, per_block: int) -> None:
    edges = list(mixed_edges(small_supernet(nodes=nodes)))
    assert len(edges) == 3 * per_block
    assert len({key for key, _ in edges}) == len(edges)
    for (block, _, _), edge in edges:
        assert edge.names == BLOCK_OPERATIONS[block]
        kinds = [type(operation) for operation in edge.operations]
        assert kinds == [OPERATIONS[name] for name in edge.names]


def test_parameters_are_alphas_or_weights() -> None:
    network = small_supernet()
    alphas = {id(parameter) for parameter in alpha_parameters(network)}
    weights = {id(parameter) for parameter in weight_parameters(network)}
    assert len(alphas) == 9
    assert not alphas & weights
    assert alphas | weights == {id(parameter) for parameter in network.parameters()}


def test_the_temperature_is_set_on_every_edge() -> None:
    network = small_supernet()
    set_temperature(network, 0.3)
    assert {edge.temperature for _, edge in mixed_edges(network)} == {0.3}


def discrete_twin(network: RegimeNet, chosen: dict[EdgeKey, str], **settings: Any) -> RegimeNet:
    """A RegimeNet of the chosen operations that has the supernet's weights."""
    n_nodes, make_edge = operation_edges(
        describe_blocks(chosen, max(node for _, node, _ in chosen)), WIDTH, 2
    )
    twin = RegimeNet(
        n_assets=N_ASSETS,
        n_asset_features=SIZES["n_asset_features"],  # type: ignore[arg-type]
        market_timeframes=tuple(SIZES["market_timeframes"]),  # type: ignore[arg-type]
        width=WIDTH,
        nodes=n_nodes,
        attention_heads=2,
        dropout=0.0,
        make_edge=make_edge,
        **settings,
    ).eval()
    positions = {
        (block, node, source): BLOCK_OPERATIONS[block].index(name)
        for (block, node, source), name in chosen.items()
    }
    state = {}
    for name, value in network.state_dict().items():
        found = re.fullmatch(r"blocks\.(\w+)\.nodes\.(\d+)\.(\w+)\.operations\.(\d+)\.(.+)", name)
        if found is None:
            if not name.endswith(".alpha"):
                state[name] = value
            continue
        block, index, source, position, rest = found.groups()
        if positions[block, int(index) + 1, source] == int(position):
            state[f"blocks.{block}.nodes.{index}.{source}.{rest}"] = value
    twin.load_state_dict(state, strict=True)
    return twin


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("head", ["linear", "lstm"])
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_a_decided_supernet_is_the_network_of_its_chosen_operations(
    seed: int, joint: bool, head: str
) -> None:
    network = small_supernet(seed=seed, joint=joint, head=head)
    batch = some_batch()
    undecided = network(batch)
    chosen = chosen_operations(network)
    for key, edge in mixed_edges(network):
        set_alpha(edge, [-torch.inf] * len(edge.names))
        with torch.no_grad():
            edge.alpha[edge.names.index(chosen[key])] = 0.0
    twin = discrete_twin(network, chosen, joint=joint, head=head)
    decided, expected = network(batch), twin(batch)
    for name in ("mean", "log_volatility", "gate", "gate_before", "regime"):
        torch.testing.assert_close(
            getattr(decided, name), getattr(expected, name), rtol=1e-5, atol=1e-6
        )
    assert not torch.allclose(undecided.mean, expected.mean, atol=1e-5)
