from __future__ import annotations

import numpy as np
import pytest
import torch
from attention_windows import FEATURES, HEADS, LAYERS, LOOKBACK, classifier, transformer, windows
from torch import Tensor, nn

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.networks.attention_maps import (
    AttentionMaps,
    attention_maps,
    encoder_of,
    encoder_tokens,
    layer_weights,
    one_asset_each,
    row_entropy,
)
from regime_nas_pipeline.networks.gru import GRUNetwork
from regime_nas_pipeline.networks.windows import Batch


def by_hand(layer: nn.TransformerEncoderLayer, tokens: Tensor) -> Tensor:
    """softmax(Q K' / sqrt(d)) from the layer's own weights, (W, H, S, S)."""
    width = tokens.shape[-1]
    entering = layer.norm1(tokens)
    assert layer.self_attn.in_proj_weight is not None
    joined = entering @ layer.self_attn.in_proj_weight.T + layer.self_attn.in_proj_bias
    query, key = (
        part.unflatten(-1, (HEADS, width // HEADS)).transpose(1, 2)
        for part in joined.split(width, dim=-1)[:2]
    )
    return torch.softmax(query @ key.transpose(-1, -2) / (width // HEADS) ** 0.5, dim=-1)


@pytest.mark.parametrize("make", [transformer, classifier])
def test_weights_are_those_of_the_layers_own_attention(make: type[nn.Module]) -> None:
    network, batch = make(), windows()
    network.eval()
    encoder, layers = encoder_of(network)
    with torch.no_grad():
        tokens = encoder_tokens(network, encoder, batch)
        found = layer_weights(layers, tokens)
        entering = tokens
        for layer, weights in zip(layers, found, strict=True):
            normed = layer.norm1(entering)
            _, asked = layer.self_attn(
                normed, normed, normed, need_weights=True, average_attn_weights=False
            )
            torch.testing.assert_close(weights, asked)
            torch.testing.assert_close(weights, by_hand(layer, entering))
            entering = layer(entering)
        # What the layers were asked for is what the encoder itself went through.
        assert encoder.norm is not None
        torch.testing.assert_close(encoder.norm(entering)[:, 0], encoder(tokens))
    maps = attention_maps(network, batch)
    every = torch.stack(found).double().numpy()
    np.testing.assert_allclose(maps.mean, every.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(maps.cls, every[:, :, :, 0].transpose(1, 0, 2, 3), atol=1e-6)
    np.testing.assert_allclose(maps.mean.sum(axis=-1), 1.0, atol=1e-6)
    np.testing.assert_allclose(maps.cls.sum(axis=-1), 1.0, atol=1e-6)
    assert maps.mean.shape == (LAYERS, HEADS, LOOKBACK + 1, LOOKBACK + 1)
    assert maps.entropy.shape == (70, LAYERS, HEADS)


def test_inspecting_changes_nothing_about_the_network() -> None:
    network, batch = transformer(), windows()
    network.train()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    network.eval()
    with torch.no_grad():
        before = network(batch)
    network.train()
    attention_maps(network, batch)
    assert network.training
    network.eval()
    with torch.no_grad():
        after = network(batch)
    assert torch.equal(before.mean, after.mean)
    assert torch.equal(before.log_volatility, after.log_volatility)
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_dropout_has_no_part_in_it() -> None:
    network, batch = transformer(), windows()
    network.train()
    first, second = attention_maps(network, batch), attention_maps(network, batch)
    np.testing.assert_array_equal(first.cls, second.cls)


def test_entropy_is_largest_where_all_is_alike() -> None:
    rows = np.array([[0.25] * 4, [1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]])
    np.testing.assert_allclose(row_entropy(rows), [np.log(4.0), 0.0, np.log(2.0)])


def test_windows_of_several_assets_are_read_one_by_one() -> None:
    network, batch = transformer(), windows(n=10, n_assets=3)
    batch.mask[2, 1] = False
    with pytest.raises(DataError, match="3 assets per window"):
        attention_maps(network, batch)
    single = one_asset_each(batch)
    assert len(single.asset) == 29
    assert bool(single.mask.all())
    maps = attention_maps(network, single)
    assert len(maps.cls) == 29
    # The eighth window is the second date's second asset but one: date 2 lacks asset 1.
    torch.testing.assert_close(single.asset[7, 0], batch.asset[2, 2])
    torch.testing.assert_close(single.market[7], batch.market[2])
    assert single.target[7, 0] == batch.target[2, 2]
    together = attention_maps(transformer(joint=True, n_assets=3), batch)
    assert len(together.cls) == 10


def test_joined_maps_are_those_of_all_windows() -> None:
    network, batch = transformer(), windows()
    parts = [
        Batch(batch.asset[a:b], batch.market[a:b], batch.mask[a:b], batch.target[a:b])
        for a, b in ((0, 20), (20, 70))
    ]
    joined = AttentionMaps.joined([attention_maps(network, part) for part in parts])
    whole = attention_maps(network, batch)
    np.testing.assert_allclose(joined.mean, whole.mean, atol=1e-6)
    np.testing.assert_allclose(joined.cls, whole.cls, atol=1e-6)
    with pytest.raises(DataError, match="at least one"):
        AttentionMaps.joined([])


def test_what_cannot_be_read_is_refused() -> None:
    gru = GRUNetwork(
        n_assets=1,
        n_asset_features=FEATURES,
        n_market_features=FEATURES,
        joint=False,
        width=4,
        layers=1,
        dropout=0.0,
    )
    with pytest.raises(ParameterError, match="GRUNetwork has no Transformer encoder"):
        attention_maps(gru, windows())
    with pytest.raises(DataError, match="no windows"):
        attention_maps(transformer(), windows(n=0))
    batch = windows(n=3)
    batch.mask[:] = False
    with pytest.raises(DataError, match="no asset has a whole window"):
        one_asset_each(batch)
