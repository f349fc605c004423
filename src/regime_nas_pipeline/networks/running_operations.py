"""Operations that look back over the window with running or exponential averages."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from regime_nas_pipeline.networks.operation import Operation, clip

DIVISOR_FLOOR = 0.1
# Keeps the square root's slope finite at zero variance.
VARIANCE_FLOOR = 1e-6


class LearnedAverage(Operation):
    """Base of operations that use an exponential average with a learned decay per channel."""

    def __init__(self, width: int, attention_heads: int) -> None:
        super().__init__(width, attention_heads)
        # Decays from about 0.5 to 0.95: half-lives of one to thirteen bars.
        self.decay_logit = nn.Parameter(torch.linspace(0.0, 3.0, width))

    def average(self, x: Tensor) -> Tensor:
        """Exponential average over the bars so far, weights summing to one at every bar."""
        length = x.shape[2]
        steps = torch.arange(length, device=x.device, dtype=x.dtype)
        age = (steps[:, None] - steps[None, :]).clamp_min(0)
        decay = torch.sigmoid(self.decay_logit)[:, None, None]
        weight = torch.tril(decay ** age[None])
        weight = weight / weight.sum(dim=-1, keepdim=True)
        return torch.einsum("wts,bmsw->bmtw", weight, x)


class VolatilityScaling(LearnedAverage):
    """Clipped state over its own exponentially weighted size."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Divide clip(x) by the average of |clip(x)| plus a floor."""
        clipped = clip(x)
        return clipped / (self.average(clipped.abs()) + DIVISOR_FLOOR)


class AverageDifference(LearnedAverage):
    """Deviation from the learned exponential average: the MACD family."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Subtract the average."""
        return x - self.average(x)


class RunningSum(Operation):
    """Sum over the bars so far, over the square root of their number."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """cumsum(x) / sqrt(n)."""
        return x.cumsum(dim=2) / _bar_numbers(x).sqrt()


class MeanDeviation(Operation):
    """Deviation from the mean of the bars so far."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Subtract the running mean."""
        return x - x.cumsum(dim=2) / _bar_numbers(x)


class ZScore(Operation):
    """Deviation of the clipped state from its running mean, over the running deviation."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(clip(x) - mean) / (std + floor)."""
        clipped, number = clip(x), _bar_numbers(x)
        mean = clipped.cumsum(dim=2) / number
        variance = (clipped**2).cumsum(dim=2) / number - mean**2
        deviation = (variance.clamp_min(0) + VARIANCE_FLOOR).sqrt()
        return (clipped - mean) / (deviation + DIVISOR_FLOOR)


def _bar_numbers(x: Tensor) -> Tensor:
    return torch.arange(1, x.shape[2] + 1, device=x.device, dtype=x.dtype)[:, None]
