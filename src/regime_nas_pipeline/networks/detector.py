"""Regime detector: attention within and across timeframes, with its own uncertainty.

Ours, after the description in arXiv 2508.11338 (multi-head attention over several timeframes
with uncertainty estimation); the evidence form follows Sensoy et al. 2018, arXiv 1806.01768.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

N_REGIMES = 3


class AttentionPool(nn.Module):
    """Multi-head attention of one learned query over tokens."""

    def __init__(self, width: int, attention_heads: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(1, 1, width))
        nn.init.normal_(self.query, std=0.1)
        self.attention = nn.MultiheadAttention(width, attention_heads, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, L, width) to (B, width)."""
        query = self.query.expand(len(tokens), -1, -1)
        pooled, _ = self.attention(query, tokens, tokens, need_weights=False)
        token: Tensor = pooled[:, 0]
        return token


class TimeframeEncoder(nn.Module):
    """Self-attention over the bars of one timeframe, pooled to one token.

    A timeframe of k bars is read at every k-th bar, counted back from the decision bar.
    """

    def __init__(self, columns: list[int], every: int, width: int, attention_heads: int) -> None:
        super().__init__()
        self.columns = columns
        self.every = every
        self.embed = nn.Linear(len(columns), width)
        self.attention = nn.MultiheadAttention(width, attention_heads, batch_first=True)
        self.pool = AttentionPool(width, attention_heads)

    def forward(self, market: Tensor) -> Tensor:
        """(B, L, G) market features to (B, width)."""
        last_first = market[..., self.columns].flip(1)[:, :: self.every]
        tokens = self.embed(last_first.flip(1))
        attended, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        pooled: Tensor = self.pool(tokens + attended)
        return pooled


class RegimeDetector(nn.Module):
    """Probabilities of volatile, trend and range, softened by the detector's own doubt.

    A regime belongs to the market, so the detector reads market features and all assets share
    its answer. Evidence e = softplus(logits), p = (e + 1) / sum(e + 1), uncertainty
    u = K / sum(e + 1), and the gate is (1 - u) p + u / K: an unsure detector weighs all blocks
    equally.

    Args:
        timeframes: Timeframe of each market feature, length G.
        width: Width of the attention layers, divisible by ``attention_heads``.
        attention_heads: Heads.
    """

    def __init__(self, *, timeframes: tuple[int, ...], width: int, attention_heads: int) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(
            TimeframeEncoder(
                [i for i, frame in enumerate(timeframes) if frame == k], k, width, attention_heads
            )
            for k in sorted(set(timeframes))
        )
        self.across = AttentionPool(width, attention_heads)
        self.evidence = nn.Linear(width, N_REGIMES)

    def forward(self, market: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L, G) market features to regime probabilities and gate, each (B, 3)."""
        pooled = torch.stack([encoder(market) for encoder in self.encoders], dim=1)
        evidence = functional.softplus(self.evidence(self.across(pooled)))
        strength = (evidence + 1.0).sum(dim=-1, keepdim=True)
        probability = (evidence + 1.0) / strength
        uncertainty = N_REGIMES / strength
        gate = (1.0 - uncertainty) * probability + uncertainty / N_REGIMES
        return probability, gate
