from __future__ import annotations

import torch
from jacobians import normal
from searched_networks import N_FEATURES, random_batch, random_network

from regime_nas_pipeline.networks.base import ForecastNetwork, NetworkOutput
from regime_nas_pipeline.networks.lipschitz.empirical import steepest_seen
from regime_nas_pipeline.networks.windows import Batch


class OneLayer(ForecastNetwork):
    """scale * f(x) of the first feature of each asset's last bar."""

    def __init__(self, f: torch.nn.Module, scale: float) -> None:
        super().__init__(n_assets=2, n_asset_features=N_FEATURES, joint=False)
        self.f, self.scale = f, torch.nn.Parameter(torch.tensor(scale))

    def forward(self, batch: Batch) -> NetworkOutput:
        mean = self.scale * self.f(batch.asset[:, :, -1, 0])
        return NetworkOutput(mean, torch.zeros_like(mean))


def batch_of(value: float) -> Batch:
    batch = random_batch(torch.Generator().manual_seed(0), n_assets=2, length=3)
    return Batch(
        asset=torch.full_like(batch.asset, value),
        market=batch.market,
        mask=torch.ones_like(batch.mask),
        target=batch.target,
    )


def test_slope_of_a_linear_network_is_found_at_once() -> None:
    network = OneLayer(torch.nn.Identity(), 3.0)
    assert abs(steepest_seen(network, [batch_of(1.0)], climb=0) - 3.0) < 1e-9


def test_climbing_finds_the_steep_part_of_a_curve() -> None:
    network = OneLayer(torch.nn.Tanh(), 2.0)
    start = steepest_seen(network, [batch_of(1.5)], climb=0)
    climbed = steepest_seen(network, [batch_of(1.5)], climb=40)
    assert start < 0.4
    assert 1.9 < climbed <= 2.0  # 2 at the origin


def test_climb_stays_within_the_clip_of_the_inputs() -> None:
    # exp is the steeper the further out: at the clip it is e^clip.
    class Exponential(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.exp()

    network = OneLayer(Exponential(), 1.0)
    seen = steepest_seen(network, [batch_of(0.5)], climb=60, clip=1.0)
    assert 2.6 < seen <= 2.7183


def test_absent_assets_do_not_count() -> None:
    class Only(OneLayer):
        """Only the second asset's forecast reacts."""

        def forward(self, batch: Batch) -> NetworkOutput:
            output = super().forward(batch)
            return NetworkOutput(output.mean * torch.tensor([0.0, 1.0]), output.log_volatility)

    present = batch_of(1.0)
    absent = Batch(
        asset=present.asset,
        market=present.market,
        mask=torch.tensor([[True, False]] * 3),
        target=present.target,
    )
    network = Only(torch.nn.Identity(), 3.0)
    assert steepest_seen(network, [absent], climb=3) == 0.0
    assert steepest_seen(network, [absent, present], climb=0) > 2.9


def test_network_is_left_as_it_is_and_the_answer_repeats() -> None:
    generator = torch.Generator().manual_seed(4)
    network = random_network(generator, n_assets=3, switch_off=False).float().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    batch = random_batch(generator, n_assets=3, length=6)
    seen = [steepest_seen(network, [batch], climb=3) for _ in range(2)]
    assert seen[0] == seen[1]
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_jacobian_norm_matches_the_plain_one() -> None:
    generator = torch.Generator().manual_seed(11)
    network = random_network(generator, n_assets=2, joint=False, head="linear", switch_off=False)
    batch = random_batch(generator, n_assets=2, length=6)
    one = Batch(
        asset=0.1 * normal(generator, *batch.asset[:1].shape),
        market=0.1 * normal(generator, *batch.market[:1].shape),
        mask=torch.ones(1, 2, dtype=torch.bool),
        target=batch.target[:1],
    )

    def forecast(asset: torch.Tensor, market: torch.Tensor) -> torch.Tensor:
        return network(Batch(asset, market, one.mask, one.target)).mean[0]

    parts = torch.autograd.functional.jacobian(forecast, (one.asset, one.market))
    matrix = torch.cat([part.reshape(2, -1) for part in parts], dim=1)
    expected = float(torch.linalg.matrix_norm(matrix, ord=2))
    assert abs(steepest_seen(network, [one], climb=0) - expected) < 1e-9 * expected
