"""Operations that an edge of a cell can hold; each maps (B, M, L, W) to the same shape.

All are causal along the window. Divisors have floors and squares have clipped inputs, so that
every operation has a finite slope on bounded inputs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from regime_nas_pipeline.networks.attention import ClippedSelfAttention, clip_tokens
from regime_nas_pipeline.networks.fast_gru import FastGRU
from regime_nas_pipeline.networks.operation import CLIP, Operation, clip
from regime_nas_pipeline.networks.running_operations import (
    AverageDifference,
    MeanDeviation,
    RunningSum,
    VolatilityScaling,
    ZScore,
)

__all__ = [
    "BLOCK_OPERATIONS",
    "CLIP",
    "COMMON_OPERATIONS",
    "EVIDENCE",
    "GATED_BLOCKS",
    "OPERATIONS",
    "Operation",
    "clip",
]


class NoOperation(Operation):
    """No connection: zeros."""

    pointwise = True

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Zeros of the same shape."""
        return torch.zeros_like(x)


class Identity(Operation):
    """The state itself."""

    pointwise = True

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return ``x``."""
        return x


class Dense(Operation):
    """Linear map over channels and GELU, at each bar."""

    pointwise = True

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

    def __init__(self, width: int, attention_heads: int) -> None:
        super().__init__(width, attention_heads)
        self.recurrent = FastGRU(width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """States after each bar, of states clipped onto a ball: its slope depends on them."""
        return self.recurrent.all_states(clip_tokens(x.flatten(0, 1))).reshape(x.shape)


class LongShortTermMemory(Operation):
    """LSTM over the window, every state."""

    def __init__(self, width: int, attention_heads: int) -> None:
        super().__init__(width, attention_heads)
        self.recurrent = nn.LSTM(width, width, batch_first=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """States after each bar, of states clipped onto a ball: its slope depends on them."""
        states, _ = self.recurrent(clip_tokens(x.flatten(0, 1)))
        return states.reshape(x.shape)  # type: ignore[no-any-return]


class SelfAttention(Operation):
    """Multi-head self-attention over the window, each bar seeing the bars up to it."""

    def __init__(self, width: int, attention_heads: int) -> None:
        super().__init__(width, attention_heads)
        self.attention = ClippedSelfAttention(width, attention_heads, causal=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Attend causally."""
        attended: Tensor = self.attention(x.flatten(0, 1))
        return attended.reshape(x.shape)


class CrossSectionalMean(Operation):
    """Mean over the assets that are there: the market's context for one asset."""

    pointwise = True

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Masked mean over assets, given to every asset."""
        weight = mask[:, :, None, None].to(x.dtype)
        mean = (x * weight).sum(dim=1, keepdim=True) / weight.sum(dim=1, keepdim=True).clamp_min(1)
        return mean.expand_as(x)


class Squared(Operation):
    """Squares of the clipped state: energy, the stuff of volatility."""

    pointwise = True

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """clip(x)^2."""
        return clip(x) ** 2


class Absolute(Operation):
    """Size of the state, whatever its sign."""

    pointwise = True

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """|x|."""
        return x.abs()


class LagProduct(Operation):
    """Product of neighbouring bars: positive on average in a trend, negative in a range."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """clip(x_t) clip(x_(t-1)); 0 at the first bar."""
        clipped = clip(x)
        return clipped * functional.pad(clipped, (0, 0, 1, 0))[:, :, :-1]


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
    "absolute": Absolute,
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

EVIDENCE = "evidence"
"""The block that turns asset states into evidence for the detector; the gate does not weigh it."""

BLOCK_OPERATIONS: dict[str, tuple[str, ...]] = {
    EVIDENCE: (
        "none",
        "identity",
        "linear",
        "convolution",
        "absolute",
        "squared",
        "lag_product",
        "average_difference",
        "volatility_scaling",
    ),
    "volatility": (*COMMON_OPERATIONS, "volatility_scaling", "squared"),
    "trend": (*COMMON_OPERATIONS, "average_difference", "running_sum", "lag_product"),
    "range": (*COMMON_OPERATIONS, "mean_deviation", "z_score", "lag_product"),
}
"""What each kind of block may use; the gated ones have the common operations and their own."""

GATED_BLOCKS = tuple(block for block in BLOCK_OPERATIONS if block != EVIDENCE)
"""The blocks that the detector's gate weighs, in the gate's order."""
