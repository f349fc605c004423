"""What every network takes and gives, so that one training loop serves all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from regime_nas_pipeline.networks.windows import Batch

# The forecast volatility is kept within a factor of e^4 of the trailing one.
LOG_VOLATILITY_LIMIT = 4.0


@dataclass
class NetworkOutput:
    """What a network says of a batch, in units of scaled targets.

    Attributes:
        mean: (B, N) expected scaled target.
        log_volatility: (B, N) logarithm of its standard deviation.
        gate: (B, K) gate of each block at the decision bar; None for networks without one.
        gate_before: (B, K) gate one bar earlier; None likewise.
        regime: (B, K) regime probabilities; None likewise.
    """

    mean: Tensor
    log_volatility: Tensor
    gate: Tensor | None = None
    gate_before: Tensor | None = None
    regime: Tensor | None = None


class ForecastNetwork(nn.Module, ABC):
    """A network over windows, for each asset on its own (pooled) or all at once (joint).

    In ``pooled`` mode one set of weights sees every asset's window, with the market's features
    beside it. In ``joint`` mode the network sees one window that holds every asset's features
    and gives every asset's forecast.

    Args:
        n_assets: N.
        n_asset_features: F.
        joint: All assets at once.
    """

    keeps_memory = False
    """Whether a forward pass in training writes to the network's buffers."""
    busy_from = 0
    """Windows in a batch from which one network keeps a CPU busy: several are no quicker then."""

    def __init__(self, *, n_assets: int, n_asset_features: int, joint: bool) -> None:
        super().__init__()
        self.joint = joint
        self.n_inputs = n_asset_features * (n_assets if joint else 1)
        self.n_outputs = n_assets if joint else 1

    def arrange(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Asset windows as (B, M, L, inputs) and mask (B, M); M is N pooled and 1 joint."""
        if not self.joint:
            return batch.asset, batch.mask
        size, _, length, _ = batch.asset.shape
        together = batch.asset.transpose(1, 2).reshape(size, 1, length, self.n_inputs)
        return together, batch.mask.any(dim=1, keepdim=True)

    def with_market(self, batch: Batch) -> Tensor:
        """Asset windows with the market's features beside them, (B, M, L, inputs + G)."""
        asset, _ = self.arrange(batch)
        market = batch.market[:, None, 1:].expand(-1, asset.shape[1], -1, -1)
        return torch.cat([asset, market], dim=-1)

    @abstractmethod
    def forward(self, batch: Batch) -> NetworkOutput:
        """Forecast the scaled target of every asset in the batch."""


class GaussianHead(nn.Module):
    """Mean and log-volatility from a state; starts near zero mean and unit volatility.

    Args:
        width: Channels of the state.
        n_outputs: Forecasts.
        first_size: Size of the first weights, relative to torch's own. Small, since with returns
            this noisy, large first forecasts must be unlearnt.
    """

    def __init__(self, width: int, n_outputs: int, first_size: float = 0.1) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 2 * n_outputs)
        nn.init.zeros_(self.linear.bias)
        with torch.no_grad():
            self.linear.weight.mul_(first_size)

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """(B, M, width) to mean and log-volatility, each (B, M * outputs)."""
        with torch.autocast(state.device.type, enabled=False):
            mean, log_volatility = self.linear(state.to(self.linear.weight.dtype)).chunk(2, dim=-1)
        bounded = LOG_VOLATILITY_LIMIT * torch.tanh(log_volatility / LOG_VOLATILITY_LIMIT)
        return mean.flatten(1), bounded.flatten(1)
