from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from search_samples import WIDTH, discrete_twin, small_supernet, some_batch

from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS, OPERATIONS
from regime_nas_pipeline.networks.regime_net import BLOCKS
from regime_nas_pipeline.search.supernet import (
    MixedOperation,
    alpha_parameters,
    chosen_operations,
    heaviest_operations,
    make_up_for_mixing,
    mean_entropy,
    mixed_edges,
    remembering,
    set_path,
    set_skips,
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
        names = ("identity", "squared", "linear")
        return MixedOperation(("trend", 1, "input"), names, WIDTH, 2).eval()


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
    assert len(edges) == len(BLOCKS) * per_block
    assert len({key for key, _ in edges}) == len(edges)
    for (block, _, _), edge in edges:
        assert edge.names == BLOCK_OPERATIONS[block]
        kinds = [type(operation) for operation in edge.operations]
        assert kinds == [OPERATIONS[name] for name in edge.names]


def test_parameters_are_alphas_or_weights() -> None:
    network = small_supernet()
    alphas = {id(parameter) for parameter in alpha_parameters(network)}
    weights = {id(parameter) for parameter in weight_parameters(network)}
    assert len(alphas) == 3 * len(BLOCKS)
    assert not alphas & weights
    assert alphas | weights == {id(parameter) for parameter in network.parameters()}


def test_the_temperature_is_set_on_every_edge() -> None:
    network = small_supernet()
    set_temperature(network, 0.3)
    assert {edge.temperature for _, edge in mixed_edges(network)} == {0.3}


def test_operations_of_no_weight_are_not_computed_and_change_nothing() -> None:
    edge = three_operations()
    set_alpha(edge, [0.3, -torch.inf, 0.1])
    x, mask = states()
    powers = np.exp([0.3, 0.1])
    expected = (powers[0] * x + powers[1] * edge.operations[2](x, mask)) / powers.sum()
    edge.operations[1].forward = None  # type: ignore[assignment, method-assign]
    assert edge.live() == [0, 2]
    result = edge(x, mask)
    torch.testing.assert_close(result, expected.float())
    result.sum().backward()
    assert edge.alpha.grad is not None
    assert torch.isfinite(edge.alpha.grad).all()


def test_none_has_weight_but_no_work() -> None:
    with torch.random.fork_rng():
        edge = MixedOperation(("trend", 1, "input"), ("none", "identity"), WIDTH, 2)
    set_alpha(edge, [0.0, 0.0])
    x, mask = states()
    assert edge.live() == [1]
    torch.testing.assert_close(edge(x, mask), 0.5 * x)
    edge.fix("none")
    assert torch.equal(edge(x, mask), torch.zeros_like(x))


def test_leaving_an_operation_out_keeps_the_other_weights() -> None:
    edge = three_operations()
    set_alpha(edge, np.log([0.2, 0.5, 0.3]).tolist())
    x, mask = states()
    edge.without = 1
    torch.testing.assert_close(edge(x, mask), 0.2 * x + 0.3 * edge.operations[2](x, mask))


def test_the_auxiliary_skip_is_added_to_the_mixture() -> None:
    edge = three_operations()
    x, mask = states()
    plain = edge(x, mask)
    edge.auxiliary_skip = 0.7
    torch.testing.assert_close(edge(x, mask), plain + 0.7 * x)


def test_dropout_falls_on_identities_while_training_and_on_nothing_else() -> None:
    edge = three_operations()
    x, mask = states()
    set_alpha(edge, [0.0, -torch.inf, -torch.inf])
    edge.skip_dropout = 0.4
    assert torch.equal(edge(x, mask), x)
    edge.train()
    dropped = edge(x, mask)
    lost = dropped == 0
    assert 0.3 < float(lost.float().mean()) < 0.5
    torch.testing.assert_close(dropped[~lost], x[~lost] / 0.6)
    edge.fix("squared")
    assert torch.equal(edge(x, mask), x.clamp(-4, 4) ** 2)


def test_skips_are_set_on_every_edge() -> None:
    network = small_supernet()
    set_skips(network, dropout=0.3, auxiliary=0.2)
    assert {(e.skip_dropout, e.auxiliary_skip) for _, e in mixed_edges(network)} == {(0.3, 0.2)}


def test_magnitude_leaves_none_aside() -> None:
    network = small_supernet()
    for _, edge in mixed_edges(network):
        values = [0.0] * len(edge.names)
        values[edge.names.index("none")] = 9.0
        values[edge.names.index("convolution")] = 1.0
        set_alpha(edge, values)
    assert set(chosen_operations(network).values()) == {"none"}
    assert set(heaviest_operations(network).values()) == {"convolution"}


def test_a_path_is_a_sub_network_and_can_be_left_again() -> None:
    network = small_supernet()
    batch = some_batch()
    before = network(batch).mean
    chosen = chosen_operations(network)
    set_path(network, chosen)
    twin = discrete_twin(network, chosen, joint=False, head="gru")
    assert torch.equal(network(batch).mean, twin(batch).mean)
    set_path(network, None)
    assert torch.equal(network(batch).mean, before)


@torch.no_grad()
def test_remembering_changes_no_result_and_repeats_no_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = small_supernet()
    edges = [edge for _, edge in mixed_edges(network)]
    changing = edges[-1]
    batch = some_batch()
    other = replace(batch, asset=1.5 * batch.asset)

    def outputs() -> list[torch.Tensor]:
        results = []
        for without in (None, changing.names.index("linear"), None):
            for each in (batch, other):
                changing.without = without
                results.append(network(each).mean)
        return results

    calls: list[int] = []
    plain = outputs()
    original = MixedOperation._results
    monkeypatch.setattr(
        MixedOperation, "_results", lambda *given: calls.append(1) or original(*given)
    )
    with remembering(network, changing):
        remembered = outputs()
    assert all(torch.equal(a, b) for a, b in zip(plain, remembered, strict=True))
    # The edge that changes is the last of its cell: nothing downstream ever changes.
    assert len(calls) == 2 * len(edges)
    assert not torch.equal(plain[0], plain[2])
    outputs()
    assert len(calls) == (2 + 6) * len(edges)


def test_the_output_makes_up_for_the_number_of_operations_mixed() -> None:
    """The mean of K unrelated results of size 1 has size 1/√K; times √K it is 1 again."""
    network = small_supernet(nodes=1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    make_up_for_mixing(network)
    mixed = np.mean([len(names) for names in BLOCK_OPERATIONS.values()])
    for name, value in network.state_dict().items():
        factor = mixed**0.5 if name == "output.linear.weight" else 1.0
        torch.testing.assert_close(value, factor * before[name])


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
        edge.fix(chosen[key])
    twin = discrete_twin(network, chosen, joint=joint, head=head)
    decided, expected = network(batch), twin(batch)
    for name in ("mean", "log_volatility", "gate", "gate_before", "regime"):
        torch.testing.assert_close(
            getattr(decided, name), getattr(expected, name), rtol=1e-5, atol=1e-6
        )
    assert not torch.allclose(undecided.mean, expected.mean, atol=1e-5)
