from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from network_samples import MARKET_TIMEFRAMES, N_FEATURES, random_batch

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.mlp import MLPNetwork


def make(*, joint: bool = False, layers: int = 2) -> MLPNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        network = MLPNetwork(
            n_assets=4,
            n_asset_features=N_FEATURES,
            n_market_features=len(MARKET_TIMEFRAMES),
            joint=joint,
            lookback=random_batch().asset.shape[2],
            width=8,
            layers=layers,
            dropout=0.0,
        )
    network.eval()
    return network


@pytest.mark.parametrize("joint", [False, True])
def test_one_mean_and_one_volatility_per_window_and_asset(joint: bool) -> None:
    batch = random_batch()
    output = make(joint=joint)(batch)
    assert output.mean.shape == output.log_volatility.shape == batch.mask.shape
    assert output.gate is None


def test_the_forecast_is_the_formula() -> None:
    batch, network = random_batch(), make()
    state = {name: value.double().numpy() for name, value in network.state_dict().items()}
    window = np.hstack([batch.asset[1, 2].numpy(), batch.market[1, 1:].numpy()]).ravel()
    first = np.maximum(state["hidden.0.weight"] @ window + state["hidden.0.bias"], 0.0)
    second = np.maximum(state["hidden.3.weight"] @ first + state["hidden.3.bias"], 0.0)
    expected = state["head.linear.weight"] @ second + state["head.linear.bias"]
    assert float(network(batch).mean[1, 2].detach()) == pytest.approx(expected[0], abs=1e-6)


@pytest.mark.parametrize(("joint", "reaches"), [(False, False), (True, True)])
def test_another_assets_window_matters_in_joint_mode_alone(joint: bool, reaches: bool) -> None:
    batch, network = random_batch(), make(joint=joint)
    changed = batch.asset.clone()
    changed[:, 3] += 1.0
    before, after = network(batch).mean, network(replace(batch, asset=changed)).mean
    assert bool((before[:, 0] != after[:, 0]).any()) == reaches


def test_layers_are_counted() -> None:
    assert len([m for m in make(layers=3).hidden if isinstance(m, torch.nn.Linear)]) == 3
    with pytest.raises(ParameterError, match="at least 1 and is 0"):
        make(layers=0)
