"""The encoder that computes the first token alone at its end, against torch's that computes all."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from regime_nas_pipeline.networks.first_token_encoder import FirstTokenEncoder


def encoder(kind: type[nn.TransformerEncoder], layers: int, dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(
        8,
        2,
        dim_feedforward=12,
        dropout=dropout,
        activation="gelu",
        batch_first=True,
        norm_first=True,
    )
    made = kind(layer, layers, norm=nn.LayerNorm(8), enable_nested_tensor=False).double()
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return made


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("training", [True, False])
def test_state_and_gradients_are_those_of_torchs_encoder(layers: int, training: bool) -> None:
    ours, torchs = encoder(FirstTokenEncoder, layers), encoder(nn.TransformerEncoder, layers)
    assert list(ours.state_dict()) == list(torchs.state_dict())
    tokens = torch.randn(5, 7, 8, dtype=torch.float64)
    found = []
    for network in (ours, torchs):
        network.train(training)
        asked = tokens.clone().requires_grad_()
        output = network(asked)
        first: Tensor = output if network is ours else output[:, 0]
        (first * torch.linspace(-1, 2, 8)).sum().backward()
        found.append([first.detach(), asked.grad, *[p.grad for p in network.parameters()]])
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11)


def test_dropout_is_drawn_in_training_and_leaves_the_mean() -> None:
    network = encoder(FirstTokenEncoder, 2, dropout=0.2)
    tokens = torch.randn(1, 7, 8, dtype=torch.float64).expand(20_000, -1, -1)
    with torch.no_grad():
        drawn = network.norm(network(tokens))
        plain = encoder(nn.TransformerEncoder, 2, dropout=0.2)
        torchs = plain.norm(plain(tokens)[:, 0])
    assert float(drawn.std(dim=0).max()) > 0.01
    # Two samples of the same distribution: means and spreads agree within their errors.
    error = torch.sqrt((drawn.var(dim=0) + torchs.var(dim=0)) / len(tokens))
    assert float(((drawn.mean(dim=0) - torchs.mean(dim=0)) / error).abs().max()) < 5.0
    torch.testing.assert_close(drawn.std(dim=0), torchs.std(dim=0), rtol=0.05, atol=0.0)


@pytest.mark.filterwarnings("ignore:.*batching rule:UserWarning")
def test_networks_side_by_side_are_those_one_by_one() -> None:
    alone = [encoder(FirstTokenEncoder, 2) for _ in range(3)]
    for number, network in enumerate(alone):
        with torch.no_grad():
            for weight in network.parameters():
                weight.mul_(1.0 + 0.1 * number)
    tokens = torch.randn(3, 5, 7, 8, dtype=torch.float64)
    weights, _ = stack_module_state(alone)
    together = torch.vmap(lambda w, x: functional_call(alone[0], w, (x,)))(weights, tokens)
    for number, network in enumerate(alone):
        torch.testing.assert_close(together[number], network(tokens[number]))
