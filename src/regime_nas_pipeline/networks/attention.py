"""Attention with a known slope: tokens are clipped onto a ball, queries and keys have no bias.

Dot-product attention on unbounded tokens has no Lipschitz constant (Kim, Papamakarios and Mnih
2021, arXiv 2006.04710). On a ball it has one, as long as the logits are x'Ay without a bias.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

# Initial half-lives of the recency bias, in tokens, spread over the heads.
_SLOWEST, _FASTEST = 14.0, 1.0


def token_radius(width: int) -> float:
    """Radius of the ball that tokens of ``width`` channels are clipped onto: unit mean square."""
    return math.sqrt(width)


def clip_tokens(tokens: Tensor) -> Tensor:
    """Project every token (last dimension) onto the ball of :func:`token_radius`."""
    radius = token_radius(tokens.shape[-1])
    norm = torch.linalg.vector_norm(tokens, dim=-1, keepdim=True)
    clipped: Tensor = tokens * (radius / norm.clamp_min(radius))
    return clipped


def keep_size(layer: nn.Linear) -> None:
    """Orthogonal first weights and no bias: a chain of such layers neither shrinks nor grows.

    PyTorch's own first weights shrink a signal by the square root of three in every layer, which
    leaves little after the linear maps between evidence and gate.
    """
    nn.init.orthogonal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def start_silent(layer: nn.Linear) -> None:
    """Zero first weights, for a branch beside a direct path: it speaks once it has learned to."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


class ClippedSelfAttention(nn.Module):
    """Multi-head self-attention over clipped tokens.

    Args:
        width: Channels, divisible by ``attention_heads``.
        attention_heads: Heads.
        causal: Each token sees itself and those before it.
    """

    def __init__(self, width: int, attention_heads: int, *, causal: bool) -> None:
        super().__init__()
        self.heads = attention_heads
        self.causal = causal
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.merge = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, L, W) to (B, L, W)."""
        size, length, width = tokens.shape
        clipped = clip_tokens(tokens)

        def split(projected: Tensor) -> Tensor:
            return projected.reshape(size, length, self.heads, -1).transpose(1, 2)

        attended = functional.scaled_dot_product_attention(
            split(self.query(clipped)),
            split(self.key(clipped)),
            split(self.value(clipped)),
            is_causal=self.causal,
        )
        merged: Tensor = self.merge(attended.transpose(1, 2).reshape(size, length, width))
        return merged


class LearnedQueryPool(nn.Module):
    """Attention of one learned query per head over clipped tokens.

    With ``recency`` each head's logits fall linearly with a token's age, at a learned slope: where
    contents say nothing, the head is an exponential average. Without it the order of tokens is
    not seen.

    Args:
        width: Channels, divisible by ``attention_heads``.
        attention_heads: Heads.
        recency: Tokens are ordered in time, the newest last.
    """

    def __init__(self, width: int, attention_heads: int, *, recency: bool) -> None:
        super().__init__()
        self.heads = attention_heads
        self.query = nn.Parameter(0.1 * torch.randn(attention_heads, width))
        self.value = nn.Linear(width, width, bias=False)
        self.merge = nn.Linear(width, width)
        keep_size(self.value)
        keep_size(self.merge)
        self.slope_logit = None
        if recency:
            half_lives = torch.logspace(math.log10(_SLOWEST), math.log10(_FASTEST), attention_heads)
            slopes = math.log(2.0) / half_lives
            self.slope_logit = nn.Parameter(torch.log(torch.expm1(slopes)))

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, L, W) to (B, W)."""
        size, length, width = tokens.shape
        clipped = clip_tokens(tokens)
        logits = torch.einsum("hw,blw->bhl", self.query, clipped)
        if self.slope_logit is not None:
            age = torch.arange(length - 1, -1, -1, device=tokens.device, dtype=tokens.dtype)
            logits = logits - functional.softplus(self.slope_logit)[:, None] * age
        values = self.value(clipped).reshape(size, length, self.heads, width // self.heads)
        pooled = torch.einsum("bhl,blhd->bhd", logits.softmax(dim=-1), values)
        merged: Tensor = self.merge(pooled.reshape(size, width))
        return merged
