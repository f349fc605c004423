"""The layers that a gene can ask for: maps over windows, causal along the bars.

Another layer type is another :class:`Transformation` and its name in :data:`TRANSFORMATIONS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from regime_nas_pipeline.core.errors import ParameterError

Activation = Callable[[Tensor], Tensor]

ACTIVATIONS: dict[str, Activation] = {
    "relu": functional.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": functional.gelu,
    "leaky_relu": functional.leaky_relu,
}


class Transformation(nn.Module, ABC):
    """What a layer computes before its activation, from any width to its own.

    Args:
        n_inputs: Channels that come in.
        width: Channels that go out.
        attention_heads: Heads, for a layer that attends.
    """

    looks_back: ClassVar[bool] = True
    """Whether the output at a bar depends on the bars before it, too."""

    def __init__(self, n_inputs: int, width: int, attention_heads: int) -> None:
        super().__init__()
        self.n_inputs, self.width, self.attention_heads = n_inputs, width, attention_heads

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """(B, L, n_inputs) to (B, L, width); the output at a bar sees no later bar."""


class DenseLayer(Transformation):
    """Linear map over channels at each bar."""

    looks_back = False

    def __init__(self, n_inputs: int, width: int, attention_heads: int) -> None:
        super().__init__(n_inputs, width, attention_heads)
        self.linear = nn.Linear(n_inputs, width)

    def forward(self, x: Tensor) -> Tensor:
        """W x + b."""
        mapped: Tensor = self.linear(x)
        return mapped


class ConvolutionLayer(Transformation):
    """Convolution over a bar and the two before it; zeros stand before the window."""

    def __init__(self, n_inputs: int, width: int, attention_heads: int) -> None:
        super().__init__(n_inputs, width, attention_heads)
        self.convolution = nn.Conv1d(n_inputs, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve along the bars, padded on the past side only."""
        padded = functional.pad(x.transpose(1, 2), (2, 0))
        convolved: Tensor = self.convolution(padded).transpose(1, 2)
        return convolved


class LSTMLayer(Transformation):
    """LSTM (Hochreiter and Schmidhuber 1997) over the window, the state after every bar."""

    def __init__(self, n_inputs: int, width: int, attention_heads: int) -> None:
        super().__init__(n_inputs, width, attention_heads)
        self.lstm = nn.LSTM(n_inputs, width, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """States after each bar."""
        states: Tensor = self.lstm(x)[0]
        return states


class AttentionLayer(Transformation):
    """Multi-head self-attention in which a bar sees itself and the bars before it.

    Without a sense of distance a mean over the window is all that attention can give, so each
    head prefers recent bars by a fixed slope in their age (ALiBi: Press et al. 2022, arXiv
    2108.12409). The heads' slopes are 1, 1/4, 1/16 … where that paper, for texts, starts lower:
    so they look back over about 1, 4, 16 … bars unless what the bars hold says otherwise. Keys
    and queries have no bias: the keys' would change nothing.

    Raises:
        ParameterError: The heads do not divide the width.
    """

    slopes: Tensor

    def __init__(self, n_inputs: int, width: int, attention_heads: int) -> None:
        super().__init__(n_inputs, width, attention_heads)
        if attention_heads < 1 or width % attention_heads:
            raise ParameterError(
                f"an attention layer of width {width} cannot be divided among attention_heads = "
                f"{attention_heads}; choose heads that divide every width of the space."
            )
        self.project = nn.Linear(n_inputs, 3 * width, bias=False)
        self.output = nn.Linear(width, width)
        numbers = torch.arange(attention_heads, dtype=torch.float32)
        self.register_buffer("slopes", 4.0**-numbers, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Attend causally."""
        size, length, _ = x.shape
        split = self.project(x).reshape(size, length, 3, self.attention_heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        bar = torch.arange(length, device=x.device)
        age = bar[:, None] - bar[None, :]
        penalty = -self.slopes.to(x.dtype)[:, None, None] * age
        bias = penalty.masked_fill(age < 0, -torch.inf)
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        attended: Tensor = self.output(seen.transpose(1, 2).reshape(size, length, self.width))
        return attended


TRANSFORMATIONS: dict[str, type[Transformation]] = {
    "dense": DenseLayer,
    "conv1d": ConvolutionLayer,
    "lstm": LSTMLayer,
    "attention": AttentionLayer,
}


def layer_types() -> tuple[str, ...]:
    """All that a gene can ask for: transformations, and two layers that compute nothing."""
    return (*TRANSFORMATIONS, "skip", "identity")
