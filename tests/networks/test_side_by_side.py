"""Networks side by side against the same networks one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from network_samples import MARKET_TIMEFRAMES, N_FEATURES, random_batch, random_windows, with_signal
from regime_net_samples import make as make_regime_net
from regime_net_samples import some_blocks, with_evidence
from torch import nn

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.gru import GRUNetwork
from regime_nas_pipeline.networks.mlp import MLPNetwork
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.operations import BLOCK_OPERATIONS
from regime_nas_pipeline.networks.together import can_join, joins, joint_losses, train_together
from regime_nas_pipeline.networks.training import (
    Steps,
    TrainingPlan,
    TrainingResult,
    TrainingTask,
    make_split,
    single_threaded,
    train,
)
from regime_nas_pipeline.networks.transformer import TransformerNetwork
from regime_nas_pipeline.networks.windows import Batch, WindowData

SEEDS = (3, 1, 4)
EVERYTHING = Objective(
    volatility_weight=0.1,
    ranking_weight=0.1,
    smoothness_weight=0.1,
    label_weight=0.1,
    lipschitz_weight=0.01,
    l1_weight=1e-4,
    l2_weight=1e-4,
)


def gru(layers: int = 2, dropout: float = 0.0) -> GRUNetwork:
    return GRUNetwork(
        n_assets=3,
        n_asset_features=N_FEATURES,
        n_market_features=len(MARKET_TIMEFRAMES),
        joint=False,
        width=6,
        layers=layers,
        dropout=dropout,
    )


def transformer(length: int = 6, dropout: float = 0.0) -> TransformerNetwork:
    return TransformerNetwork(
        n_assets=3,
        n_asset_features=N_FEATURES,
        n_market_features=len(MARKET_TIMEFRAMES),
        joint=False,
        lookback=length,
        width=8,
        layers=2,
        attention_heads=2,
        feed_forward=2,
        dropout=dropout,
    )


def three(make: Callable[[], nn.Module]) -> list[nn.Module]:
    networks = []
    for seed in SEEDS:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = make()
            for weight in network.parameters():
                nn.init.normal_(weight, std=0.3)
            networks.append(network.train())
    return networks


def glued(batches: list[Batch]) -> Batch:
    return Batch(
        *(
            torch.cat([getattr(batch, name) for batch in batches])
            for name in ("asset", "market", "mask", "target", "regimes")
        )
    )


def all_operations() -> list[tuple[str, str]]:
    return [
        (block, name)
        for block, names in BLOCK_OPERATIONS.items()
        for name in names
        if name != "lstm"
    ]


def check_losses(make: Callable[[], nn.Module], length: int = 24) -> None:
    networks = three(make)
    batches = [random_batch(regimes=True, length=length, seed=seed) for seed in SEEDS]
    assert can_join(networks)
    together = joint_losses(networks, EVERYTHING, glued(batches))
    torch.autograd.backward(together.sum())
    found = [[weight.grad for weight in network.parameters()] for network in networks]
    for network, batch, loss, gradients in zip(networks, batches, together, found, strict=True):
        network.zero_grad(set_to_none=True)
        alone = EVERYTHING(network(batch), batch) + EVERYTHING.penalty(network)
        torch.autograd.backward(alone)
        torch.testing.assert_close(loss, alone)
        for (name, weight), gradient in zip(network.named_parameters(), gradients, strict=True):
            expected = torch.zeros_like(weight) if weight.grad is None else weight.grad
            torch.testing.assert_close(gradient, expected, rtol=2e-3, atol=2e-5, msg=name)


@pytest.mark.parametrize("layers", [1, 2])
def test_losses_and_gradients_of_grus(layers: int) -> None:
    check_losses(lambda: gru(layers))


def test_losses_and_gradients_of_transformers() -> None:
    check_losses(lambda: transformer(24))


def test_losses_and_gradients_of_perceptrons() -> None:
    check_losses(
        lambda: MLPNetwork(
            n_assets=3,
            n_asset_features=N_FEATURES,
            n_market_features=len(MARKET_TIMEFRAMES),
            joint=False,
            lookback=24,
            width=8,
            layers=2,
            dropout=0.0,
        )
    )


@pytest.mark.parametrize(("block", "operation"), all_operations())
def test_losses_and_gradients_of_regime_networks(block: str, operation: str) -> None:
    check_losses(lambda: make_regime_net(with_evidence(**{block: operation})).train())


def test_losses_and_gradients_of_a_regime_network_that_sees_all_assets_at_once() -> None:
    check_losses(lambda: make_regime_net(with_evidence(), joint=True, head="gru").train())


PLAN = TrainingPlan(max_samples=1500, batch_dates=4, sample_every=3, patience=2)


@pytest.fixture(scope="module")
def data() -> WindowData:
    """Assets drop in and out, so that batches of one size cost different numbers of samples."""
    windows = random_windows()
    windows.usable[60:90, 1] = False
    windows.usable[100:, 2] = False
    return with_signal(windows, windows.asset[..., 0], noise=0.6)


def both_ways(
    data: WindowData, plan: TrainingPlan, make: Callable[[], nn.Module], rate: float = 1e-2
) -> list[tuple[list[nn.Module], list[TrainingResult]]]:
    split = make_split(data, plan, execution_lag=0, horizon=1)
    task = TrainingTask(data, split, plan, Objective(), Steps(learning_rate=rate))
    side_by_side, alone = three(make), three(make)
    with single_threaded(0):
        results = train_together(side_by_side, task, seeds=SEEDS)
        one_by_one = [
            train(network, task, seed=seed) for network, seed in zip(alone, SEEDS, strict=True)
        ]
    return [(side_by_side, results), (alone, one_by_one)]


def check_alike(
    data: WindowData, plan: TrainingPlan, make: Callable[[], nn.Module], rate: float = 1e-2
) -> list[TrainingResult]:
    (together, results), (alone, expected) = both_ways(data, plan, make, rate)
    for mine, theirs in zip(results, expected, strict=True):
        assert (mine.epochs, mine.samples) == (theirs.epochs, theirs.samples)
        for ours, other in zip(mine.curve, theirs.curve, strict=True):
            assert ours == pytest.approx(other, rel=1e-3)
    # Forecasts and not weights: of some, like a key's bias, the gradient is nothing but rounding.
    batch = random_batch(n_assets=3, length=6)
    for network, other in zip(together, alone, strict=True):
        assert not network.training
        torch.testing.assert_close(network(batch).mean, other(batch).mean, rtol=1e-2, atol=1e-3)
    return results


@pytest.mark.parametrize("make", [gru, transformer])
def test_each_ends_up_as_it_would_alone(make: Callable[[], nn.Module], data: WindowData) -> None:
    results = check_alike(data, PLAN, make)
    assert all(result.epochs >= 2 for result in results)


def test_budgets_that_end_at_different_batches(data: WindowData) -> None:
    plan = replace(PLAN, max_samples=311, patience=50)
    results = check_alike(data, plan, gru)
    assert len({result.samples for result in results}) > 1


def test_one_that_stops_early_leaves_the_others(data: WindowData) -> None:
    plan = replace(PLAN, max_samples=4000, patience=1, sample_every=8)
    results = check_alike(data, plan, gru, rate=5e-2)
    assert len({result.epochs for result in results}) > 1


def test_a_limit_holds_after_every_step(data: WindowData) -> None:
    split = make_split(data, PLAN, execution_lag=0, horizon=1)
    networks = three(gru)

    def limit(network: nn.Module) -> None:
        with torch.no_grad():
            for weight in network.parameters():
                weight.clamp_(-0.05, 0.05)

    with single_threaded(0):
        task = TrainingTask(data, split, PLAN, Objective(), Steps())
        train_together(networks, task, seeds=SEEDS, limit=limit)
    for network in networks:
        assert max(float(weight.detach().abs().max()) for weight in network.parameters()) < 0.0501


def test_same_seed_same_bits_with_dropout(data: WindowData) -> None:
    def weights() -> np.ndarray:
        split = make_split(data, PLAN, execution_lag=0, horizon=1)
        networks = three(lambda: gru(dropout=0.3))
        with single_threaded(7):
            task = TrainingTask(data, split, PLAN, Objective(), Steps())
            train_together(networks, task, seeds=SEEDS)
        return np.concatenate(
            [weight.detach().numpy().ravel() for each in networks for weight in each.parameters()]
        )

    assert np.array_equal(weights(), weights())


def test_dropout_is_drawn_for_each_network() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first = gru(dropout=0.5).train()
    networks = [first, gru(dropout=0.5).train()]
    networks[1].load_state_dict(first.state_dict())
    batch = random_batch(regimes=True)
    losses = joint_losses(networks, Objective(), glued([batch, batch]))
    assert float(losses[0].detach()) != float(losses[1].detach())


def test_what_cannot_be_joined() -> None:
    lstm = [make_regime_net(with_evidence(), head="lstm") for _ in range(2)]
    assert not can_join(lstm)
    shuffled = [make_regime_net(with_evidence(), gate="shuffled") for _ in range(2)]
    assert not can_join(shuffled)
    assert not can_join([gru(1), gru(2)])
    assert not can_join([gru(1), transformer()])
    assert not can_join([nn.Linear(2, 2), nn.Linear(2, 2)])
    always = replace(PLAN, together="always")
    with pytest.raises(ParameterError, match=r"RegimeNets of this kind .* training\.together"):
        joins(lstm, always, random_windows())


def test_where_several_are_quicker_at_once() -> None:
    cpu = random_windows()
    gpu = replace(cpu, asset=cpu.asset.to("meta"))  # any device but the CPU
    grus, transformers = three(gru), three(transformer)
    regime_nets: list[nn.Module] = [make_regime_net(some_blocks()) for _ in range(2)]
    assert not joins(regime_nets, PLAN, cpu)
    assert joins(grus, PLAN, cpu)
    assert joins(grus, PLAN, gpu)
    assert not joins(grus, replace(PLAN, batch_dates=100), cpu)
    assert joins(grus, replace(PLAN, batch_dates=100), gpu)
    assert not joins(transformers, PLAN, cpu)
    assert joins(transformers, PLAN, gpu)
    assert joins(transformers, replace(PLAN, together="always"), cpu)
    assert not joins(grus, replace(PLAN, together="never"), gpu)
    assert not joins(grus[:1], PLAN, gpu)


def test_the_learning_rate_grows_with_the_root_of_the_batch() -> None:
    plan = replace(PLAN, batch_dates=16, rate_batch_dates=4)
    assert plan.rate(0.01) == pytest.approx(0.02)
    assert replace(plan, batch_dates=4).rate(0.01) == 0.01
    assert PLAN.rate(0.01) == 0.01


@pytest.mark.parametrize(("block", "operation"), all_operations())
def test_every_operation_works_in_mixed_precision(block: str, operation: str) -> None:
    networks = three(lambda: make_regime_net(with_evidence(**{block: operation})).train())
    batches = [random_batch(regimes=True, seed=seed) for seed in SEEDS]
    exact = joint_losses(networks, EVERYTHING, glued(batches))
    with replace(PLAN, precision="mixed").products(torch.device("cpu")):
        mixed = joint_losses(networks, EVERYTHING, glued(batches))
    torch.autograd.backward(mixed.sum())
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, exact, rtol=0.03, atol=0.0)
