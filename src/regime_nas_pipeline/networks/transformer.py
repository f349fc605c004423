"""Transformer encoder (Vaswani et al. 2017) with a CLS token over feature windows."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from regime_nas_pipeline.networks.base import ForecastNetwork, GaussianHead, NetworkOutput
from regime_nas_pipeline.networks.first_token_encoder import FirstTokenEncoder
from regime_nas_pipeline.networks.products import linear
from regime_nas_pipeline.networks.windows import Batch


def sinusoidal_positions(length: int, width: int) -> Tensor:
    """Sine and cosine position code, (length, width); width must be even."""
    position = torch.arange(length, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(1e4) / width))
    code = torch.zeros(length, width)
    code[:, 0::2] = torch.sin(position * rate)
    code[:, 1::2] = torch.cos(position * rate)
    return code


def with_cls(tokens: Tensor, cls: Tensor, positions: Tensor) -> Tensor:
    """Tokens (B, L, width) behind a CLS token (width,), positions added, (B, L + 1, width)."""
    return torch.cat([cls.expand(len(tokens), 1, -1), tokens], dim=1) + positions


def pre_norm_encoder(
    *, width: int, layers: int, attention_heads: int, feed_forward: int, dropout: float
) -> FirstTokenEncoder:
    """Encoder that normalises before each part, with GELU; ``feed_forward`` is in units."""
    layer = nn.TransformerEncoderLayer(
        width,
        attention_heads,
        dim_feedforward=feed_forward,
        dropout=dropout,
        activation="gelu",
        batch_first=True,
        norm_first=True,
    )
    return FirstTokenEncoder(layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)


class TransformerNetwork(ForecastNetwork):
    """Pre-norm encoder; the CLS token's last state gives mean and log-volatility.

    Args:
        n_assets: N.
        n_asset_features: F.
        n_market_features: G.
        joint: All assets at once.
        lookback: Bars in a window.
        width: Model width, even and divisible by ``attention_heads``.
        layers: Encoder layers.
        attention_heads: Heads per layer.
        feed_forward: Width of the feed-forward part as a multiple of ``width``.
        dropout: Dropout in the encoder and before the head.
    """

    positions: Tensor

    def __init__(
        self,
        *,
        n_assets: int,
        n_asset_features: int,
        n_market_features: int,
        joint: bool,
        lookback: int,
        width: int,
        layers: int,
        attention_heads: int,
        feed_forward: int,
        dropout: float,
    ) -> None:
        super().__init__(n_assets=n_assets, n_asset_features=n_asset_features, joint=joint)
        self.embed = nn.Linear(self.n_inputs + n_market_features, width)
        self.cls = nn.Parameter(torch.zeros(width))
        nn.init.normal_(self.cls, std=0.02)
        self.register_buffer("positions", sinusoidal_positions(lookback + 1, width))
        self.encoder = pre_norm_encoder(
            width=width,
            layers=layers,
            attention_heads=attention_heads,
            feed_forward=feed_forward * width,
            dropout=dropout,
        )
        self.dropout = nn.Dropout(dropout)
        self.head = GaussianHead(width, self.n_outputs)

    def forward(self, batch: Batch) -> NetworkOutput:
        """Forecast from the CLS token, which attends to every bar of the window."""
        windows = self.with_market(batch)
        size, rows = windows.shape[:2]
        tokens = linear(windows.flatten(0, 1), self.embed.weight, self.embed.bias)
        encoded = self.encoder(with_cls(tokens, self.cls, self.positions))
        state = self.dropout(encoded).reshape(size, rows, -1)
        mean, log_volatility = self.head(state)
        return NetworkOutput(mean, log_volatility)
