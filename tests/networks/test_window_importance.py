from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from attention_windows import FEATURES, LOOKBACK, classifier, transformer, windows
from torch import Tensor, nn

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.networks.base import NetworkOutput
from regime_nas_pipeline.networks.window_importance import (
    WindowImportance,
    class_log_loss,
    squared_error,
    window_importance,
)
from regime_nas_pipeline.networks.windows import Batch

NAMES = ("a", "b", "c")


class OneNumber(nn.Module):
    """Says the asset's feature 1 at the bar before the decision bar, and nothing else matters."""

    def forward(self, batch: Batch) -> NetworkOutput:
        said = batch.asset[:, :, -2, 1]
        return NetworkOutput(said, torch.zeros_like(said))


def planted(n: int = 400) -> Batch:
    batch = windows(n=n)
    return replace(batch, target=batch.asset[:, :, -2, 1].clone())


def test_only_what_the_network_uses_is_important() -> None:
    found = window_importance(
        OneNumber(), planted(), squared_error, feature_names=NAMES, block=2, n_repeats=3
    )
    assert found.first_lags == (0, 2, 4)
    assert found.last_lags == (1, 3, 5)
    np.testing.assert_array_equal(found.loss, 0.0)
    np.testing.assert_array_equal(found.features[:, [0, 2]], 0.0)
    np.testing.assert_array_equal(found.blocks[:, 1:], 0.0)
    # Two independent standard normal numbers differ by 2 in mean square.
    assert found.features[:, 1].mean() == pytest.approx(2.0, rel=0.2)
    np.testing.assert_array_equal(found.features[:, 1], found.blocks[:, 0])


def test_a_feature_is_shuffled_in_the_markets_inputs_as_well() -> None:
    class Difference(nn.Module):
        def forward(self, batch: Batch) -> NetworkOutput:
            said = batch.asset[:, :, -1, 0] - batch.market[:, None, -1, 0]
            return NetworkOutput(said, torch.zeros_like(said))

    batch = windows(n=50)
    batch = replace(batch, market=batch.market.clone(), target=torch.zeros(50, 1))
    batch.market[:, 1:] = batch.asset[:, 0]
    found = window_importance(
        Difference(), batch, squared_error, feature_names=NAMES, block=4, n_repeats=2
    )
    np.testing.assert_array_equal(found.features, 0.0)
    np.testing.assert_array_equal(found.blocks, 0.0)


def test_it_is_seeded_and_leaves_the_windows_alone() -> None:
    network, batch = transformer(), windows(n=30)
    asset, market = batch.asset.clone(), batch.market.clone()

    def found(seed: int) -> WindowImportance:
        return window_importance(network, batch, squared_error, feature_names=NAMES, seed=seed)

    first, again, other = found(0), found(0), found(1)
    np.testing.assert_array_equal(first.features, again.features)
    np.testing.assert_array_equal(first.blocks, again.blocks)
    assert (first.features != other.features).any()
    assert torch.equal(batch.asset, asset)
    assert torch.equal(batch.market, market)
    with torch.no_grad():
        network.eval()
        expected = (network(batch).mean - batch.target)[:, 0].double() ** 2
    np.testing.assert_allclose(first.loss, expected.numpy(), rtol=1e-6)


def test_a_classifier_is_judged_by_its_log_loss() -> None:
    network = classifier()
    batch = replace(
        windows(n=30), market=torch.zeros(30, LOOKBACK + 1, 0), target=torch.ones(30, 1)
    )
    found = window_importance(network, batch, class_log_loss, feature_names=NAMES, n_repeats=1)
    with torch.no_grad():
        network.eval()
        logits: Tensor = network(batch)
    expected = -torch.log_softmax(logits, dim=1)[:, 1]
    np.testing.assert_allclose(found.loss, expected.double().numpy(), rtol=1e-5)
    assert found.features.shape == (30, FEATURES)


def test_bad_settings_are_refused() -> None:
    network = transformer()
    with pytest.raises(ParameterError, match="2 names"):
        window_importance(network, windows(), squared_error, feature_names=("a", "b"))
    with pytest.raises(ParameterError, match="at least 1"):
        window_importance(network, windows(), squared_error, feature_names=NAMES, n_repeats=0)
    with pytest.raises(DataError, match="fewer than two"):
        window_importance(network, windows(n=1), squared_error, feature_names=NAMES)


def test_importance_of_several_folds_is_joined() -> None:
    found = window_importance(OneNumber(), planted(20), squared_error, feature_names=NAMES)
    joined = WindowImportance.joined([found, found])
    assert joined.blocks.shape == (40, 2)
    with pytest.raises(DataError, match="same features"):
        WindowImportance.joined([found, replace(found, first_lags=(0, 1))])
