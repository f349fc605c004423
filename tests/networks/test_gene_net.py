from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from genome_samples import COMPUTING, genomes, plain
from hypothesis import given, settings
from network_samples import (
    MARKET_TIMEFRAMES,
    N_FEATURES,
    random_batch,
    random_windows,
    with_signal,
)
from torch import Tensor

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.gene_net import GeneNetwork, last_bar_only
from regime_nas_pipeline.networks.genome import LayerGene, canonical_genes, live_nodes
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.training import (
    Steps,
    TrainingPlan,
    TrainingTask,
    make_split,
    single_threaded,
    train,
)

N_INPUTS = N_FEATURES + len(MARKET_TIMEFRAMES)
WEIGHTS = ("weight", "bias")
SMOOTH = ("tanh", "sigmoid", "gelu")
quick = settings(max_examples=40, deadline=None, derandomize=True)


def made(
    genes: Sequence[LayerGene], *, joint: bool = False, n_assets: int = 4, seed: int = 3
) -> GeneNetwork:
    with single_threaded(seed):
        return GeneNetwork(
            n_assets=n_assets,
            n_asset_features=N_FEATURES,
            n_market_features=len(MARKET_TIMEFRAMES),
            joint=joint,
            genes=genes,
            attention_heads=2,
        ).eval()


def n_parameters(network: GeneNetwork) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@quick
@given(genomes())
@pytest.mark.parametrize("joint", [False, True])
def test_every_genome_builds_and_forecasts(joint: bool, genes: tuple[LayerGene, ...]) -> None:
    output = made(genes, joint=joint)(random_batch(length=8))
    assert output.mean.shape == output.log_volatility.shape == (3, 4)
    assert torch.isfinite(output.mean).all()
    assert torch.isfinite(output.log_volatility).all()


@quick
@given(genomes(activations=SMOOTH))
def test_the_slope_reaches_every_weight(genes: tuple[LayerGene, ...]) -> None:
    # In float64, since six sigmoids in a row leave little of a slope.
    network, batch = made(genes).double(), random_batch(length=8)
    batch = replace(batch, asset=batch.asset.double(), market=batch.market.double())
    output = network(batch)
    torch.autograd.backward((output.mean + output.log_volatility).sum())
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


@quick
@given(genomes())
def test_one_canonical_form_is_one_network_to_the_bit(genes: tuple[LayerGene, ...]) -> None:
    batch = random_batch(length=8)
    expected, found = made(genes)(batch), made(canonical_genes(genes))(batch)
    assert torch.equal(found.mean, expected.mean)
    assert torch.equal(found.log_volatility, expected.log_volatility)


@quick
@given(genomes())
def test_leaving_out_unused_bars_changes_nothing(genes: tuple[LayerGene, ...]) -> None:
    network, batch = made(genes).double(), random_batch(length=8)
    batch = replace(batch, asset=batch.asset.double(), market=batch.market.double())
    short = network(batch).mean
    network.last_bar = (False,) * len(network.nodes)
    torch.testing.assert_close(network(batch).mean, short, rtol=0, atol=1e-12)


def test_of_which_layers_the_last_bar_is_enough() -> None:
    def found(*genes: Any) -> tuple[bool, ...]:
        return last_bar_only(live_nodes(plain(*genes)))

    assert found("dense", "dense") == (True, True)
    assert found("dense", "lstm", "dense") == (False, True, True)
    # The first layer is added to the third, which the last one reads as a whole window.
    assert found("dense", "conv1d", {"layer": "dense", "skip": 1}, "conv1d") == (
        (False, False, False, True)
    )
    # Here it is added to what is needed at the last bar only; the second still reads it whole.
    assert found("dense", {"layer": "skip", "skip": 0}, {"layer": "dense", "skip": 1}) == (
        (True, True)
    )


def by_weights(network: GeneNetwork, layer: int, x: Tensor) -> Tensor:
    state = network.state_dict()
    prefix = f"layers.{layer}.transformation.linear"
    return x @ state[f"{prefix}.weight"].T + state[f"{prefix}.bias"]


def test_skips_by_hand() -> None:
    network = made(
        plain(
            {"layer": "dense", "width": 3, "activation": "tanh"},
            {"layer": "dense", "width": 5, "skip": 0},
            {"layer": "identity", "width": 7},
            {"layer": "dense", "width": 3, "activation": "sigmoid", "skip": 1},
            {"layer": "skip", "width": 9, "skip": 2},
            {"layer": "dense", "width": 5, "activation": "leaky_relu", "skip": 4},
        )
    )
    batch = random_batch()
    x = network.with_market(batch)[:, :, -1]
    state = network.state_dict()
    first = torch.tanh(by_weights(network, 0, x))
    second = torch.relu(by_weights(network, 1, first)) + x @ state["layers.1.join.weight"].T
    # Widths agree: what is added is the first layer's output itself.
    fourth = torch.sigmoid(by_weights(network, 2, second)) + first
    # The fifth layer copies the second, so the last one reads that and adds the fourth.
    last = torch.nn.functional.leaky_relu(by_weights(network, 3, second))
    last = last + fourth @ state["layers.3.join.weight"].T
    expected = last @ state["head.linear.weight"].T + state["head.linear.bias"]
    torch.testing.assert_close(network(batch).mean, expected[..., 0], rtol=0, atol=1e-6)
    assert set(state) == {
        *(f"layers.{k}.transformation.linear.{kind}" for k in range(4) for kind in WEIGHTS),
        "layers.1.join.weight",
        "layers.3.join.weight",
        *(f"head.linear.{kind}" for kind in WEIGHTS),
    }


def test_only_what_is_used_is_built_and_counted() -> None:
    head = 2 * N_INPUTS + 2
    assert n_parameters(made(plain("identity", "identity"))) == head
    assert n_parameters(made(plain("lstm", "attention", {"layer": "skip", "skip": 0}))) == head
    one = n_parameters(made(plain("dense")))
    assert one == (N_INPUTS + 1) * 4 + 2 * 4 + 2
    assert n_parameters(made(plain("dense", {"layer": "lstm", "skip": 1}))) == (
        one + 4 * (4 * 4 + 4 * 4 + 2 * 4)
    )
    assert n_parameters(made(plain("dense", "conv1d"))) == one + 3 * 4 * 4 + 4
    assert n_parameters(made(plain("dense", "attention"))) == one + 4 * 3 * 4 + 4 * 4 + 4


def test_without_a_layer_it_is_linear_in_the_last_bar() -> None:
    network, batch = made(plain("identity")), random_batch()
    weight, bias = network.head.linear.weight, network.head.linear.bias
    expected = network.with_market(batch)[:, :, -1] @ weight[0] + bias[0]
    torch.testing.assert_close(network(batch).mean, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("layers", "reach"),
    [
        (["dense", "dense"], 1),
        (["conv1d"], 3),
        (["conv1d", "dense", "conv1d"], 5),
        (["dense", "lstm"], 24),
        (["attention"], 24),
        (["lstm", {"layer": "skip", "skip": 0}, "conv1d"], 3),
    ],
)
def test_how_many_bars_the_forecast_depends_on(layers: list[Any], reach: int) -> None:
    network = made(plain(*[{"layer": g} if isinstance(g, str) else g for g in layers])).double()
    batch = random_batch()
    batch = replace(batch, asset=batch.asset.double(), market=batch.market.double())
    batch = replace(batch, asset=batch.asset.requires_grad_())
    torch.autograd.backward(network(batch).mean.sum() + network(batch).log_volatility.sum())
    assert batch.asset.grad is not None
    slope = batch.asset.grad.abs().amax(dim=(0, 1, 3))
    assert (slope[: 24 - reach] == 0).all()
    assert (slope[24 - reach :] > 0).all()


def test_dropout_acts_in_training_alone() -> None:
    network, batch = made(plain({"layer": "dense", "dropout": 0.5})), random_batch()
    assert torch.equal(network(batch).mean, network(batch).mean)
    network.train()
    with single_threaded(0):
        assert not torch.equal(network(batch).mean, network(batch).mean)


def test_heads_must_divide_the_width_of_attention_layers_that_are_used() -> None:
    with pytest.raises(ParameterError, match=r"width 5 .*attention_heads = 2"):
        made(plain({"layer": "attention", "width": 5}))
    made(plain({"layer": "attention", "width": 5}, {"layer": "skip", "skip": 0}))


def validation_error_after_training(genes: Sequence[LayerGene], lag: int) -> float:
    """Of a target whose variance is 1 and of which a feature ``lag`` bars ago explains 0.91."""
    data = random_windows(n_bars=500)
    data = with_signal(data, data.asset[:, :, 0].roll(lag, dims=0), noise=0.3)
    plan = TrainingPlan(max_samples=5000, batch_dates=8, sample_every=2, patience=20)
    network = made(genes, n_assets=3)
    split = make_split(data, plan, execution_lag=0, horizon=1)
    steps = Steps(learning_rate=1e-2)
    with single_threaded(0):
        task = TrainingTask(data, split, plan, Objective(), steps)
        return train(network, task, seed=0).best_validation


@pytest.mark.parametrize("layer", COMPUTING)
def test_every_layer_learns_a_linear_signal(layer: str) -> None:
    genes = plain({"layer": layer, "width": 16})
    assert validation_error_after_training(genes, lag=0) < 0.3


@pytest.mark.parametrize("layer", COMPUTING)
def test_a_signal_of_the_bar_before_needs_a_layer_that_looks_back(layer: str) -> None:
    error = validation_error_after_training(plain({"layer": layer, "width": 16}), lag=1)
    if layer == "dense":
        assert error > 0.8
    else:
        assert error < 0.7


def test_a_skip_lets_a_signal_past_six_layers() -> None:
    gene = {"layer": "conv1d", "width": 16, "activation": "sigmoid"}
    assert validation_error_after_training(plain(*[gene] * 6), lag=0) > 0.8
    with_skip = plain(*[gene] * 5, {**gene, "skip": 0})
    assert validation_error_after_training(with_skip, lag=0) < 0.3
