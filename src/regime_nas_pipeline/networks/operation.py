"""What every operation on an edge of a cell is, and the clip that keeps its slope finite."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn
from torch.nn import functional

CLIP = 4.0


class Operation(nn.Module, ABC):
    """Base of all operations.

    Args:
        width: Channels, W.
        attention_heads: Heads, for operations that attend.

    Class attributes:
        pointwise: A bar's result depends on that bar alone.
    """

    pointwise: bool = False

    def __init__(self, width: int, attention_heads: int) -> None:
        super().__init__()
        self.width = width
        self.attention_heads = attention_heads

    @abstractmethod
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Apply to states (B, M, L, W); ``mask`` (B, M) marks the assets that are there."""


def clip(x: Tensor) -> Tensor:
    """Limit to +-CLIP, so that what follows has a finite slope."""
    return functional.hardtanh(x, -CLIP, CLIP)
