from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.gene_layers import (
    ACTIVATIONS,
    TRANSFORMATIONS,
    AttentionLayer,
    ConvolutionLayer,
    LSTMLayer,
    layer_types,
)

SIZE, LENGTH, N_INPUTS, WIDTH, HEADS = 2, 9, 3, 8, 2


def made(name: str) -> tuple[torch.nn.Module, Tensor]:
    """A layer and windows, in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        layer = TRANSFORMATIONS[name](N_INPUTS, WIDTH, HEADS).double()
        return layer, torch.randn(SIZE, LENGTH, N_INPUTS, dtype=torch.float64)


def weights(layer: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in layer.state_dict().items()}


def test_the_names_of_the_layer_types() -> None:
    assert layer_types() == ("dense", "conv1d", "lstm", "attention", "skip", "identity")


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_from_any_width_to_its_own(name: str) -> None:
    layer, x = made(name)
    assert layer(x).shape == (SIZE, LENGTH, WIDTH)


@pytest.mark.parametrize("bar", [0, 4, LENGTH - 1])
@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_no_bar_sees_a_later_one(name: str, bar: int) -> None:
    layer, x = made(name)
    other = x.clone()
    other[:, bar:] += 2.0
    before, after = layer(x), layer(other)
    torch.testing.assert_close(after[:, :bar], before[:, :bar], rtol=0, atol=1e-14)
    assert ((after[:, bar] - before[:, bar]).abs().amax(dim=-1) > 1e-6).all()


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_what_looks_back_is_said(name: str) -> None:
    layer, x = made(name)
    other = x.clone()
    other[:, -2] += 2.0
    moved = bool((layer(other)[:, -1] - layer(x)[:, -1]).abs().max() > 1e-6)
    assert moved == TRANSFORMATIONS[name].looks_back


def test_convolution_by_hand() -> None:
    layer, x = made("conv1d")
    assert isinstance(layer, ConvolutionLayer)
    kernel = layer.convolution.weight.detach().numpy()
    bias = layer.convolution.bias.detach().numpy()  # type: ignore[union-attr]
    expected = np.tile(bias, (SIZE, LENGTH, 1))
    for bar in range(LENGTH):
        for age in range(min(bar, 2) + 1):
            expected[:, bar] += x[:, bar - age].numpy() @ kernel[:, :, 2 - age].T
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, atol=1e-12)


def test_lstm_by_hand() -> None:
    layer, x = made("lstm")
    assert isinstance(layer, LSTMLayer)
    w = weights(layer.lstm)
    state = memory = np.zeros((SIZE, WIDTH))
    states = []
    for bar in range(LENGTH):
        gates = x[:, bar].numpy() @ w["weight_ih_l0"].T + w["bias_ih_l0"]
        gates = gates + state @ w["weight_hh_l0"].T + w["bias_hh_l0"]
        into, forget, new, out = np.split(gates, 4, axis=1)
        memory = memory / (1 + np.exp(-forget)) + np.tanh(new) / (1 + np.exp(-into))
        state = np.tanh(memory) / (1 + np.exp(-out))
        states.append(state)
    np.testing.assert_allclose(layer(x).detach().numpy(), np.stack(states, axis=1), atol=1e-12)


def test_attention_by_hand() -> None:
    layer, x = made("attention")
    assert isinstance(layer, AttentionLayer)
    w, size = weights(layer), WIDTH // HEADS
    projected = x.numpy() @ w["project.weight"].T
    query, key, value = np.split(projected, 3, axis=-1)
    expected = np.zeros((SIZE, LENGTH, WIDTH))
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        slope = 0.25**head
        for bar in range(LENGTH):
            seen = slice(0, bar + 1)
            score = np.einsum("bd,bsd->bs", query[:, bar, part], key[:, seen, part])
            score = score / np.sqrt(size) - slope * np.arange(bar, -1, -1)
            weight = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
            expected[:, bar, part] = np.einsum("bs,bsd->bd", weight, value[:, seen, part])
    expected = expected @ w["output.weight"].T + w["output.bias"]
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("heads", [0, 3])
def test_heads_that_do_not_divide_the_width_are_refused(heads: int) -> None:
    with pytest.raises(ParameterError, match=rf"width 8 .*attention_heads = {heads}"):
        AttentionLayer(N_INPUTS, WIDTH, heads)


@pytest.mark.parametrize(
    ("name", "at_minus_one", "at_two"),
    [
        ("relu", 0.0, 2.0),
        ("tanh", -0.761594, 0.964028),
        ("sigmoid", 0.268941, 0.880797),
        ("gelu", -0.158655, 1.954500),
        ("leaky_relu", -0.01, 2.0),
    ],
)
def test_activations(name: str, at_minus_one: float, at_two: float) -> None:
    found = ACTIVATIONS[name](torch.tensor([-1.0, 2.0]))
    torch.testing.assert_close(found, torch.tensor([at_minus_one, at_two]), rtol=0, atol=1e-6)


def test_there_is_no_other_activation() -> None:
    assert set(ACTIVATIONS) == {"relu", "tanh", "sigmoid", "gelu", "leaky_relu"}
