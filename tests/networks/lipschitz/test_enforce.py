from __future__ import annotations

import copy
import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jacobians import whole
from searched_networks import N_FEATURES, random_batch, random_network

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.gru import GRUNetwork
from regime_nas_pipeline.networks.lipschitz.certify import certified_bound
from regime_nas_pipeline.networks.lipschitz.empirical import steepest_seen
from regime_nas_pipeline.networks.lipschitz.enforce import LipschitzLimit
from regime_nas_pipeline.networks.lipschitz.shrinking import shrinkable_layers
from regime_nas_pipeline.networks.objective import Objective

seeds = st.integers(0, 2**32 - 1)


@given(seeds)
@example(171995)  # blocks so steep that the output must shrink by more than a billion
@settings(max_examples=15, deadline=None)
def test_limit_holds_after_every_training_step(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    n_assets, length = whole(generator, 1, 3), whole(generator, 6, 8)
    # Float32, as in training: the certificate must survive the rounding of the scaled weights.
    network = random_network(generator, n_assets=n_assets).float().train()
    double = random_batch(generator, n_assets=n_assets, length=length)
    batch = type(double)(
        double.asset.float(), double.market.float(), double.mask, double.target.float()
    )
    limit = LipschitzLimit(limit=0.7, lookback=length, n_assets=n_assets)
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.05)
    limit(network)
    for _ in range(3):
        total = certified_bound(network, lookback=length, n_assets=n_assets).total
        assert total <= limit.limit
        for layer in shrinkable_layers(network, length):
            assert layer.slope() <= limit.layer_cap
        loss = Objective()(network(batch), batch)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        limit(network)
    assert certified_bound(network, lookback=length, n_assets=n_assets).total <= limit.limit
    assert steepest_seen(network, [batch], climb=1) <= limit.limit


def test_weights_under_the_limit_are_left_as_they_are() -> None:
    network = random_network(torch.Generator().manual_seed(1), n_assets=2, switch_off=False).float()
    total = certified_bound(network, lookback=6, n_assets=2).total
    before = copy.deepcopy(network.state_dict())
    LipschitzLimit(limit=total, lookback=6, n_assets=2, layer_cap=math.inf)(network)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_without_a_cap_only_the_weights_of_the_mean_forecast_change() -> None:
    network = random_network(
        torch.Generator().manual_seed(2), n_assets=2, joint=False, switch_off=False
    ).float()
    total = certified_bound(network, lookback=6, n_assets=2).total
    before = copy.deepcopy(network.state_dict())
    LipschitzLimit(limit=0.25 * total, lookback=6, n_assets=2, layer_cap=math.inf)(network)
    after = network.state_dict()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert changed == ["output.linear.weight"]
    mean, volatility = (after["output.linear.weight"][row] for row in (0, 1))
    torch.testing.assert_close(mean, 0.25 * before["output.linear.weight"][0])
    assert torch.equal(volatility, before["output.linear.weight"][1])


@pytest.mark.parametrize("head", ["linear", "gru", "lstm"])
def test_capped_layers_use_what_they_are_allowed(head: str) -> None:
    # Shrinking stops near the cap: a limit should cost no more than it must.
    network = random_network(
        torch.Generator().manual_seed(3), n_assets=2, head=head, switch_off=False
    )
    before = [layer.slope() for layer in shrinkable_layers(network, 6)]
    LipschitzLimit(limit=1e9, lookback=6, n_assets=2, layer_cap=0.5)(network)
    after = [layer.slope() for layer in shrinkable_layers(network, 6)]
    assert any(slope > 0.5 for slope in before)
    for old, new in zip(before, after, strict=True):
        if old <= 0.5:
            assert new == old
        else:
            assert 0.4 <= new <= 0.5


def test_parts_without_a_bound_are_refused_by_name() -> None:
    network = random_network(torch.Generator().manual_seed(4), n_assets=2, switch_off=False)
    network.blocks["trend"].nodes[0]["input"] = torch.nn.Identity()
    with pytest.raises(ParameterError, match="trend, node 1, edge from input: Identity"):
        LipschitzLimit(limit=1.0, lookback=6, n_assets=2)(network)


def test_broken_weights_are_refused() -> None:
    network = random_network(torch.Generator().manual_seed(5), n_assets=2, switch_off=False)
    with torch.no_grad():
        network.embed.weight[0, 0] = math.nan
    with pytest.raises(ParameterError, match="not finite"):
        LipschitzLimit(limit=1.0, lookback=6, n_assets=2)(network)


def test_other_networks_and_senseless_limits_are_refused() -> None:
    gru = GRUNetwork(
        n_assets=2,
        n_asset_features=N_FEATURES,
        n_market_features=1,
        joint=False,
        width=4,
        layers=1,
        dropout=0.0,
    )
    with pytest.raises(ParameterError, match="GRUNetwork"):
        LipschitzLimit(limit=1.0, lookback=6, n_assets=2)(gru)
    for wrong in (0.0, -1.0, math.nan):
        with pytest.raises(ParameterError, match="limit must be above 0"):
            LipschitzLimit(limit=wrong, lookback=6, n_assets=2)
    with pytest.raises(ParameterError, match="layer_cap must be above 0"):
        LipschitzLimit(limit=1.0, lookback=6, n_assets=2, layer_cap=0.0)
