"""What every network has in common: shapes in both arrangements, masks, first forecasts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from network_samples import MARKET_TIMEFRAMES, N_FEATURES, random_batch

from regime_nas_pipeline.networks.base import (
    LOG_VOLATILITY_LIMIT,
    ForecastNetwork,
    GaussianHead,
)
from regime_nas_pipeline.networks.gene_net import GeneNetwork
from regime_nas_pipeline.networks.genome import LayerGene
from regime_nas_pipeline.networks.gru import GRUNetwork
from regime_nas_pipeline.networks.operations import OPERATIONS
from regime_nas_pipeline.networks.regime_net import RegimeNet
from regime_nas_pipeline.networks.transformer import TransformerNetwork, sinusoidal_positions

KINDS = (
    "gru",
    "transformer",
    "genes",
    "regime_net ungated",
    "regime_net",
    "regime_net with context",
)
POOLED_ALONE = KINDS[:4]
"""What sees one asset at a time: without a gate and context, also a regime_net."""


def make(kind: str, *, joint: bool = False, dropout: float = 0.0, n_assets: int = 4) -> Any:
    def on_edge(name: str) -> Any:
        return lambda block, node, source: OPERATIONS[name](8, 2)

    common: dict[str, Any] = {
        "n_assets": n_assets,
        "n_asset_features": N_FEATURES,
        "joint": joint,
        "width": 8,
        "dropout": dropout,
    }
    with torch.random.fork_rng():
        torch.manual_seed(4)
        if kind == "gru":
            return GRUNetwork(**common, n_market_features=len(MARKET_TIMEFRAMES), layers=2).eval()
        if kind == "transformer":
            return TransformerNetwork(
                **common,
                n_market_features=len(MARKET_TIMEFRAMES),
                lookback=24,
                layers=2,
                attention_heads=2,
                feed_forward=2,
            ).eval()
        if kind == "genes":
            del common["width"], common["dropout"]
            return GeneNetwork(
                **common,
                n_market_features=len(MARKET_TIMEFRAMES),
                genes=[
                    LayerGene(layer, 8, "tanh", 0, dropout)
                    for layer in ("dense", "conv1d", "lstm", "attention")
                ],
                attention_heads=2,
            ).eval()
        operation = "cross_sectional_mean" if kind.endswith("context") else "linear"
        return RegimeNet(
            **common,
            market_timeframes=MARKET_TIMEFRAMES,
            nodes=1,
            head="gru",
            attention_heads=2,
            make_edge=on_edge(operation),
            gate="uniform" if kind.endswith("ungated") else "learned",
        ).eval()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("joint", [False, True])
def test_one_mean_and_one_volatility_per_window_and_asset(kind: str, joint: bool) -> None:
    output = make(kind, joint=joint)(random_batch())
    assert output.mean.shape == output.log_volatility.shape == (3, 4)
    assert torch.isfinite(output.mean).all()
    assert output.log_volatility.abs().max() <= LOG_VOLATILITY_LIMIT


@pytest.mark.parametrize("joint", [False, True])
def test_arrangement_of_assets(joint: bool) -> None:
    network, batch = make("gru", joint=joint), random_batch()
    windows, mask = network.arrange(batch)
    if joint:
        assert windows.shape == (3, 1, 24, 4 * N_FEATURES)
        assert mask.tolist() == [[True]] * 3
        # All features of one asset stand beside each other.
        torch.testing.assert_close(
            windows[2, 0, 7, N_FEATURES : 2 * N_FEATURES], batch.asset[2, 1, 7]
        )
    else:
        assert windows is batch.asset
        assert mask is batch.mask
    beside = network.with_market(batch)
    assert beside.shape == (*windows.shape[:3], windows.shape[3] + len(MARKET_TIMEFRAMES))
    # The market's window has one bar more at its start, which only a gate looks at.
    for asset in range(windows.shape[1]):
        torch.testing.assert_close(
            beside[1, asset, :, -len(MARKET_TIMEFRAMES) :], batch.market[1, 1:]
        )


def altered(kind: str, *, masked: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Means before and after changing one asset's window, and the other assets' places."""
    network, batch = make(kind), random_batch()
    mask = batch.mask.clone()
    mask[:, 2] = not masked
    asset = batch.asset.clone()
    asset[:, 2] += 3.0
    before = network(replace(batch, mask=mask)).mean
    after = network(replace(batch, mask=mask, asset=asset)).mean
    return before, after, torch.tensor([0, 1, 3])


@pytest.mark.parametrize("kind", KINDS)
def test_a_masked_asset_moves_no_other_pooled_forecast(kind: str) -> None:
    before, after, others = altered(kind, masked=True)
    torch.testing.assert_close(after[:, others], before[:, others], rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", POOLED_ALONE)
def test_pooled_assets_are_forecast_each_on_its_own(kind: str) -> None:
    before, after, others = altered(kind, masked=False)
    torch.testing.assert_close(after[:, others], before[:, others], rtol=0, atol=1e-7)
    assert (after[:, 2] != before[:, 2]).all()


@pytest.mark.parametrize("kind", ["regime_net", "regime_net with context"])
def test_the_gate_and_the_cross_sectional_mean_carry_news_from_asset_to_asset(kind: str) -> None:
    before, after, others = altered(kind, masked=False)
    assert (after[:, others] != before[:, others]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_joint_network_sees_all_assets(kind: str) -> None:
    network, batch = make(kind, joint=True), random_batch()
    asset = batch.asset.clone()
    asset[:, 2] += 3.0
    changed = network(replace(batch, asset=asset)).mean
    assert (changed != network(batch).mean).all()


@pytest.mark.parametrize("kind", KINDS)
def test_pooled_weights_fit_any_number_of_assets(kind: str) -> None:
    few, many = make(kind, n_assets=4), make(kind, n_assets=9)
    many.load_state_dict(few.state_dict())
    batch = random_batch(n_assets=9)
    batch.mask[:, 4:] = False
    first = replace(
        batch, asset=batch.asset[:, :4], mask=batch.mask[:, :4], target=batch.target[:, :4]
    )
    torch.testing.assert_close(many(batch).mean[:, :4], few(first).mean, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_it_reads_the_market_features(kind: str) -> None:
    network, batch = make(kind), random_batch()
    market = batch.market.clone()
    market[:, 1:] += 1.0
    assert (network(replace(batch, market=market)).mean != network(batch).mean).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_forecast_does_not_depend_on_the_bar_before_the_window(kind: str) -> None:
    network, batch = make(kind), random_batch()
    market = batch.market.clone()
    market[:, 0] += 5.0
    assert torch.equal(network(replace(batch, market=market)).mean, network(batch).mean)


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_acts_in_training_alone(kind: str) -> None:
    network, batch = make(kind, dropout=0.5), random_batch()
    assert torch.equal(network(batch).mean, network(batch).mean)
    network.train()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert not torch.equal(network(batch).mean, network(batch).mean)


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_gets_a_slope(kind: str) -> None:
    network: ForecastNetwork = make(kind)
    output = network(random_batch())
    torch.autograd.backward((output.mean**2 + output.log_volatility**2).sum())
    for name, parameter in network.named_parameters():
        if kind.endswith("ungated") and name.startswith(("evidence", "detector")):
            continue
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_a_gru_of_one_layer_does_not_warn_about_dropout(
    recwarn: pytest.WarningsRecorder,
) -> None:
    GRUNetwork(
        n_assets=1,
        n_asset_features=1,
        n_market_features=1,
        joint=False,
        width=2,
        layers=1,
        dropout=0.5,
    )
    assert not recwarn.list


def test_the_head_starts_near_no_change_and_bounds_the_volatility() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = GaussianHead(16, 3)
        mean, log_volatility = head(torch.randn(5, 1, 16))
    assert mean.shape == log_volatility.shape == (5, 3)
    assert not any(said.any() for said in head(torch.zeros(1, 1, 16)))
    with torch.no_grad():
        head.linear.bias[3:] = torch.tensor([1e3, -1e3, 1.0])
    _, log_volatility = head(torch.zeros(1, 1, 16))
    expected = [[LOG_VOLATILITY_LIMIT, -LOG_VOLATILITY_LIMIT, 4 * np.tanh(0.25)]]
    torch.testing.assert_close(log_volatility, torch.tensor(expected, dtype=torch.float32))


@pytest.mark.parametrize(("chosen", "size"), [({}, 0.1), ({"first_size": 0.4}, 0.4)])
def test_first_forecasts_are_small(chosen: dict[str, float], size: float) -> None:
    """A torch layer's weights are uniform with variance 1 / (3 width)."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = GaussianHead(64, 40, **chosen)
        mean, log_volatility = head(torch.randn(400, 1, 64))
    assert mean.std().item() == pytest.approx(size / 3**0.5, rel=0.05)
    assert log_volatility.std().item() == pytest.approx(size / 3**0.5, rel=0.05)


def test_positions_by_hand() -> None:
    found = sinusoidal_positions(3, 4)
    expected = [[np.sin(t), np.cos(t), np.sin(t / 100), np.cos(t / 100)] for t in range(3)]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float32))


def test_the_transformer_knows_the_order_of_the_bars() -> None:
    network, batch = make("transformer"), random_batch()
    order = torch.arange(24)
    order[[3, 17]] = order[[17, 3]]
    swapped = replace(
        batch,
        asset=batch.asset[:, :, order],
        market=torch.cat([batch.market[:, :1], batch.market[:, 1:][:, order]], dim=1),
    )
    assert (network(swapped).mean != network(batch).mean).all()
    with torch.no_grad():
        network.positions.zero_()
    torch.testing.assert_close(network(swapped).mean, network(batch).mean, rtol=0, atol=1e-6)
