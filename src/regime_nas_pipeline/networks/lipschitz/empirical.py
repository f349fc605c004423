"""The steepest reaction that can be found: a lower bound on a network's Lipschitz constant."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import replace

import torch
from torch import Tensor

from regime_nas_pipeline.networks.base import ForecastNetwork
from regime_nas_pipeline.networks.windows import Batch

# Length of the finite differences that are climbed; float64 leaves them ten exact digits.
_STEP = 1e-4
_CLIMBING_RATE = 0.1
_TINY = 1e-12


def steepest_seen(
    network: ForecastNetwork, batches: Iterable[Batch], *, climb: int = 20, clip: float = 5.0
) -> float:
    """Largest slope of the mean forecast that was seen, in float64 and evaluation mode.

    For every sample the norm of the Jacobian of the forecasts of the assets that are there, with
    respect to their windows and the market's as one vector. From each sample ``climb`` gradient
    steps then make |f(x + h) - f(x)| / |h| larger, in x and in the direction of h at once. Either
    is a slope that some pair of inputs reaches, so no Lipschitz constant can be smaller.

    Args:
        network: Left as it is.
        batches: Windows to look at.
        climb: Gradient steps from every sample; 0 for none.
        clip: Scaled inputs lie within ±clip, and the climb keeps to it.
    """
    double = copy.deepcopy(network).to("cpu", torch.float64).eval()
    double.requires_grad_(False)
    steepest = 0.0
    for given in batches:
        batch = _in_float64(given)
        forecast, start = _as_function(double, batch)
        norms, directions = _jacobian_norms(forecast, start)
        steepest = max(steepest, float(norms.max()))
        if climb:
            steepest = max(steepest, _climb(forecast, start, directions, climb, clip))
    return steepest


def _in_float64(batch: Batch) -> Batch:
    return replace(
        batch,
        asset=batch.asset.to("cpu", torch.float64),
        market=batch.market.to("cpu", torch.float64),
        mask=batch.mask.cpu(),
        target=batch.target.to("cpu", torch.float64),
        regimes=None,  # labels are for training; a forecast reads none
    )


def _as_function(
    network: ForecastNetwork, batch: Batch
) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Forecasts (B, N) as a function of flattened inputs (B, D), and the batch's inputs."""
    size, n_assets = batch.mask.shape
    there = batch.mask.to(batch.asset.dtype)
    start = torch.cat([batch.asset.flatten(1), batch.market.flatten(1)], dim=1)
    n_asset_inputs = batch.asset[0].numel()

    def forecast(inputs: Tensor) -> Tensor:
        asset = inputs[:, :n_asset_inputs].reshape(batch.asset.shape)
        market = inputs[:, n_asset_inputs:].reshape(batch.market.shape)
        moved = replace(batch, asset=asset * there[:, :, None, None], market=market)
        mean: Tensor = network(moved).mean
        return mean.reshape(size, n_assets) * there

    return forecast, start


def _jacobian_norms(forecast: Callable[[Tensor], Tensor], start: Tensor) -> tuple[Tensor, Tensor]:
    """Spectral norm of each sample's Jacobian (B,), and the inputs' direction that reaches it."""
    inputs = start.clone().requires_grad_(True)
    outputs = forecast(inputs)
    rows = [
        torch.autograd.grad(outputs[:, n].sum(), inputs, retain_graph=True)[0]
        for n in range(outputs.shape[1])
    ]
    jacobian = torch.stack(rows, dim=1)
    # Assets are few and inputs many: the small Gram matrix has the same singular values.
    values, vectors = torch.linalg.eigh(jacobian @ jacobian.mT)
    norms = values[:, -1].clamp_min(0).sqrt()
    return norms, torch.einsum("bn,bnd->bd", vectors[:, :, -1], jacobian)


def _climb(
    forecast: Callable[[Tensor], Tensor],
    start: Tensor,
    directions: Tensor,
    steps: int,
    clip: float,
) -> float:
    position = start.clamp(-clip, clip).clone().requires_grad_(True)
    # Entries of about one, so that the optimiser's step suits position and direction alike.
    scale = directions.shape[1] ** 0.5
    direction = (scale * directions / _lengths(directions)).requires_grad_(True)
    optimiser = torch.optim.Adam([position, direction], lr=_CLIMBING_RATE, maximize=True)
    steepest = 0.0
    for _ in range(steps):
        other = (position + _STEP * direction / _lengths(direction)).clamp(-clip, clip)
        change = torch.linalg.vector_norm(forecast(other) - forecast(position), dim=1)
        # A distance that the clip made tiny is taken for larger, and its slope for smaller.
        slopes = change / _lengths(other - position)[:, 0]
        steepest = max(steepest, float(slopes.max().detach()))
        optimiser.zero_grad()
        torch.autograd.backward(torch.log(slopes + _TINY).sum())
        optimiser.step()
        with torch.no_grad():
            position.clamp_(-clip, clip)
    return steepest


def _lengths(vectors: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    return lengths.clamp_min(_TINY)
