"""Regime detector: attention within and across timeframes, with its own uncertainty.

Ours, after the description in arXiv 2508.11338 (multi-head attention over several timeframes
with uncertainty estimation); the evidence form follows Sensoy et al. 2018, arXiv 1806.01768.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from regime_nas_pipeline.networks.attention import (
    ClippedSelfAttention,
    LearnedQueryPool,
    start_silent,
)

N_REGIMES = 3

# Evidence is exp(logit): a softplus would need logits in the hundreds before the gate closes, and
# its slope with respect to the gate is no smaller. The limit keeps exp finite.
LOGIT_GAIN = 2.0
LOGIT_LIMIT = 8.0

# Some evidence for every regime at first, so that the gate passes gradients from the start.
INITIAL_LOGIT = 2.0


@dataclass(frozen=True)
class Detection:
    """What the detector says of a batch.

    Attributes:
        probability: (B, 3) regime probabilities.
        uncertainty: (B, 1) in (0, 1): 1 without any evidence.
        gate: (B, 3) the weight of each block.
    """

    probability: Tensor
    uncertainty: Tensor
    gate: Tensor


class TimeframeEncoder(nn.Module):
    """Self-attention over the bars of one timeframe, pooled to one token.

    A timeframe of k bars is read at every k-th bar, counted back from the decision bar. Market
    features of that timeframe are aggregates over k bars already; evidence is averaged over
    them here.

    Args:
        columns: Market features of this timeframe; may be empty.
        every: Bars of the timeframe, k.
        n_evidence: Channels of evidence.
        width: Width of the attention layers.
        attention_heads: Heads.
    """

    def __init__(
        self, columns: list[int], every: int, n_evidence: int, width: int, attention_heads: int
    ) -> None:
        super().__init__()
        self.columns = columns
        self.every = every
        self.embed = nn.Linear(len(columns) + n_evidence, width)
        self.attention = ClippedSelfAttention(width, attention_heads, causal=False)
        start_silent(self.attention.merge)
        self.pool = LearnedQueryPool(width, attention_heads, recency=True)

    def tokens(self, market: Tensor, evidence: Tensor) -> Tensor:
        """(B, L, G) features and (B, L, E) evidence to (B, L // k, inputs), the newest last."""
        every = min(self.every, evidence.shape[1])
        count = evidence.shape[1] // every
        last = evidence[:, -count * every :]
        recent = last.reshape(len(last), count, every, last.shape[-1]).mean(dim=2)
        chosen = market[:, -count * every :, self.columns][:, every - 1 :: every]
        return torch.cat([chosen, recent], dim=-1)

    def forward(self, market: Tensor, evidence: Tensor) -> Tensor:
        """(B, L, G) market features and (B, L, E) evidence to (B, width)."""
        tokens = self.embed(self.tokens(market, evidence))
        pooled: Tensor = self.pool(tokens + self.attention(tokens))
        return pooled


class RegimeDetector(nn.Module):
    """Probabilities of volatile, trend and range, softened by the detector's own doubt.

    A regime belongs to the market: the detector reads market features and evidence that was
    averaged over assets, and all assets share its answer. With evidence e = exp(logits), total
    S = sum(e) + K and uncertainty u = K / S, the gate is (1 - u) softmax(logits) + u / K, which is
    the mean (e + 1) / S of the Dirichlet distribution: an unsure detector weighs all blocks
    equally.

    Args:
        market_timeframes: Timeframe of each market feature, length G.
        timeframes: Timeframes that are read; those of the market features and possibly more.
        n_evidence: Channels of evidence.
        width: Width of the attention layers, divisible by ``attention_heads``.
        attention_heads: Heads.
        uncertainty: Soften the gate; without it the gate is the probabilities.
    """

    def __init__(
        self,
        *,
        market_timeframes: tuple[int, ...],
        timeframes: tuple[int, ...],
        n_evidence: int,
        width: int,
        attention_heads: int,
        uncertainty: bool = True,
    ) -> None:
        super().__init__()
        self.uncertainty = uncertainty
        self.encoders = nn.ModuleList(
            TimeframeEncoder(
                [i for i, frame in enumerate(market_timeframes) if frame == k],
                k,
                n_evidence,
                width,
                attention_heads,
            )
            for k in sorted(set(timeframes) | set(market_timeframes))
        )
        self.across = LearnedQueryPool(width, attention_heads, recency=False)
        start_silent(self.across.merge)
        self.evidence = nn.Linear(width, N_REGIMES)
        nn.init.constant_(self.evidence.bias, INITIAL_LOGIT / LOGIT_GAIN)

    def logits(self, market: Tensor, evidence: Tensor) -> Tensor:
        """Logarithm of the evidence for each regime, (B, 3)."""
        pooled = torch.stack([encoder(market, evidence) for encoder in self.encoders], dim=1)
        raw = LOGIT_GAIN * self.evidence(pooled.mean(dim=1) + self.across(pooled))
        limited: Tensor = raw.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
        return limited

    def forward(self, market: Tensor, evidence: Tensor) -> Detection:
        """(B, L, G) market features and (B, L, E) evidence to probabilities and gate."""
        logits = self.logits(market, evidence)
        probability = logits.softmax(dim=-1)
        doubt = N_REGIMES / (logits.exp().sum(dim=-1, keepdim=True) + N_REGIMES)
        if not self.uncertainty:
            return Detection(probability, doubt, probability)
        gate = (1.0 - doubt) * probability + doubt / N_REGIMES
        return Detection(probability, doubt, gate)
