"""Operations that an edge of a cell can hold; each maps (B, M, L, W) to the same shape.

All are causal along the window. Divisors have floors and squares have clipped inputs, so that
every operation has a finite slope on bounded inputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

CLIP = 4.0
DIVISOR_FLOOR = 0.1


class Operation(nn.Module, ABC):
    """Base of all operations.

    Args:
        width: Channels, W.
        attention_heads: Heads, for operations that attend.
    """

    def __init__(self, width: int, attention_heads: int) -> None:
        super().__init__()
        self.width = width
        self.attention_heads = attention_heads

    @abstractmethod
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Apply to states (B, M, L, W); ``mask`` (B, M) marks the assets that are there."""


class NoOperation(Operation):
    """No connection: zeros."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Zeros of the same shape."""
        return torch.zeros_like(x)


class Identity(Operation):
    """The state itself."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return ``x``."""
        return x


class Dense(Operation):
    """Linear map over channels and GELU, at each bar."""

    def __init__(self, width: int, attention_heads: int) -> None:
        super().__init__(width, attention_heads)
        self.linear = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """GELU(W x + b)."""
        return functional.gelu(self.linear(x))


class CausalConvolution(Operation):
    """Causal convolution over three bars (spaced by ``dilation``) and GELU."""

    dilation = 1

    def __init__(self, width: int, attention_heads: int) -> None:
        super().__init__(width, attention_heads)
        self.convolution = nn.Conv1d(width, width, 3, dilation=self.dilation)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Convolve each asset's window, padded with zeros on the past side."""
        size, rows, length, width = x.shape
        channels_first = x.reshape(size * rows, length, width).transpose(1, 2)
        padded = functional.pad(channels_first, (2 * self.dilation, 0))
        convolved = functional.gelu(self.convolution(padded))
        return convolved.transpose(1, 2).reshape(x.shape)


class CausalConvolutionBy2(CausalConvolution):
    """Causal convolution with bars two apart."""

    dilation = 2


class CausalConvolutionBy4(CausalConvolution):
    """Causal convolution with bars four apart."""

    dilation = 4


class Recurrent(Operation):
    """GRU over the window, every state."""

    cell: type[nn.GRU | nn.LSTM] = nn.GRU

    def __init__(self, width: int, attention_heads: int) -> None:
        super().__init__(width, attention_heads)
        self.recurrent = self.cell(width, width, batch_first=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """States after each bar."""
        states, _ = self.recurrent(x.flatten(0, 1))
        return states.reshape(x.shape)  # type: ignore[no-any-return]


class LongShortTermMemory(Recurrent):
    """LSTM over the window, every state."""

    cell = nn.LSTM


class SelfAttention(Operation):
    """Multi-head self-attention over the window, each bar seeing the bars up to it."""

    def __init__(self, width: int, attention_heads: int) -> None:
        super().__init__(width, attention_heads)
        self.attention = nn.MultiheadAttention(width, attention_heads, batch_first=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Attend causally."""
        tokens = x.flatten(0, 1)
        length = tokens.shape[1]
        future = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
        attended, _ = self.attention(tokens, tokens, tokens, attn_mask=future, need_weights=False)
        return attended.reshape(x.shape)  # type: ignore[no-any-return]


class CrossSectionalMean(Operation):
    """Mean over the assets that are there: the market's context for one asset."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Masked mean over assets, given to every asset."""
        weight = mask[:, :, None, None].to(x.dtype)
        mean = (x * weight).sum(dim=1, keepdim=True) / weight.sum(dim=1, keepdim=True).clamp_min(1)
        return mean.expand_as(x)


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
    """State over its own exponentially weighted size."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Divide by average |x| plus a floor."""
        return x / (self.average(x.abs()) + DIVISOR_FLOOR)


class Squared(Operation):
    """Squares of the clipped state: energy, the stuff of volatility."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """clip(x)^2."""
        return functional.hardtanh(x, -CLIP, CLIP) ** 2


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


class LagProduct(Operation):
    """Product of neighbouring bars, averaged: positive in a trend, negative in a range."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Running mean of clip(x_t) clip(x_(t-1))."""
        clipped = functional.hardtanh(x, -CLIP, CLIP)
        before = functional.pad(clipped, (0, 0, 1, 0))[:, :, :-1]
        return (clipped * before).cumsum(dim=2) / _bar_numbers(x)


class MeanDeviation(Operation):
    """Deviation from the mean of the bars so far."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Subtract the running mean."""
        return x - x.cumsum(dim=2) / _bar_numbers(x)


class ZScore(Operation):
    """Deviation from the running mean over the running standard deviation."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(x - mean) / (std + floor)."""
        number = _bar_numbers(x)
        mean = x.cumsum(dim=2) / number
        variance = (x**2).cumsum(dim=2) / number - mean**2
        # The small constant keeps the square root's slope finite at zero variance.
        deviation = (variance.clamp_min(0) + 1e-6).sqrt()
        return (x - mean) / (deviation + DIVISOR_FLOOR)


def _bar_numbers(x: Tensor) -> Tensor:
    return torch.arange(1, x.shape[2] + 1, device=x.device, dtype=x.dtype)[:, None]


OPERATIONS: dict[str, type[Operation]] = {
    "none": NoOperation,
    "identity": Identity,
    "linear": Dense,
    "convolution": CausalConvolution,
    "convolution_by_2": CausalConvolutionBy2,
    "convolution_by_4": CausalConvolutionBy4,
    "gru": Recurrent,
    "lstm": LongShortTermMemory,
    "self_attention": SelfAttention,
    "cross_sectional_mean": CrossSectionalMean,
    "volatility_scaling": VolatilityScaling,
    "squared": Squared,
    "average_difference": AverageDifference,
    "running_sum": RunningSum,
    "lag_product": LagProduct,
    "mean_deviation": MeanDeviation,
    "z_score": ZScore,
}

COMMON_OPERATIONS = (
    "none",
    "identity",
    "linear",
    "convolution",
    "convolution_by_2",
    "convolution_by_4",
    "gru",
    "lstm",
    "self_attention",
    "cross_sectional_mean",
)

BLOCK_OPERATIONS: dict[str, tuple[str, ...]] = {
    "volatility": (*COMMON_OPERATIONS, "volatility_scaling", "squared"),
    "trend": (*COMMON_OPERATIONS, "average_difference", "running_sum", "lag_product"),
    "range": (*COMMON_OPERATIONS, "mean_deviation", "z_score", "lag_product"),
}
"""What each kind of block may use: the common operations and its own."""
