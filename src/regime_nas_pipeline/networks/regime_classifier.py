"""Transformer encoder that classifies windows of market features, and its cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.objective import masked_mean
from regime_nas_pipeline.networks.training import single_threaded
from regime_nas_pipeline.networks.transformer import (
    pre_norm_encoder,
    sinusoidal_positions,
    with_cls,
)
from regime_nas_pipeline.networks.windows import Batch, WindowData, complete_windows


class RegimeClassifierNetwork(nn.Module):
    """Encoder with a CLS token, whose last state gives one logit per class.

    Layers, heads, widths, dropout and window are DeepRegime's by default. What it leaves open is
    chosen as in :class:`~.transformer.TransformerNetwork`: sinusoidal positions, a CLS token
    instead of the last bar's state, and normalisation before each part.

    Args:
        n_features: Features of a bar, F.
        n_classes: Classes, K, at least 2.
        lookback: Bars in a window, L.
        width: Model width, even and divisible by ``attention_heads``.
        layers: Encoder layers.
        attention_heads: Heads per layer.
        feed_forward: Units of the feed-forward part.
        dropout: Dropout in the encoder and before the head.

    Raises:
        ParameterError: The sizes build no network together.
    """

    positions: Tensor

    def __init__(
        self,
        *,
        n_features: int,
        n_classes: int,
        lookback: int = 60,
        width: int = 64,
        layers: int = 2,
        attention_heads: int = 4,
        feed_forward: int = 128,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if min(n_features, lookback, layers, attention_heads, feed_forward) < 1 or n_classes < 2:
            raise ParameterError(
                "regime classifier: lookback, layers, attention_heads and feed_forward must be at "
                "least 1, and there must be a feature and two classes."
            )
        if width < 2 or width % 2 or width % attention_heads:
            raise ParameterError(
                f"regime classifier: width must be even and divisible by attention_heads; they "
                f"are {width} and {attention_heads}."
            )
        self.embed = nn.Linear(n_features, width)
        self.cls = nn.Parameter(torch.zeros(width))
        nn.init.normal_(self.cls, std=0.02)
        self.register_buffer("positions", sinusoidal_positions(lookback + 1, width))
        self.encoder = pre_norm_encoder(
            width=width,
            layers=layers,
            attention_heads=attention_heads,
            feed_forward=feed_forward,
            dropout=dropout,
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, n_classes)

    def forward(self, batch: Batch) -> Tensor:
        """Logits (B, K) from the windows of the market, the batch's one asset."""
        tokens = self.embed(batch.asset[:, 0])
        encoded = self.encoder(with_cls(tokens, self.cls, self.positions))
        logits: Tensor = self.head(self.dropout(encoded))
        return logits


def cross_entropy(logits: Tensor, batch: Batch) -> Tensor:
    """Mean of -log p(class) over the unmasked windows; targets (B, 1) are class numbers."""
    each = functional.cross_entropy(logits, batch.target[:, 0].long(), reduction="none")
    return masked_mean(each, batch.mask[:, 0])


@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy as the loss of :func:`~.training.train`; it has no penalty on weights."""

    def __call__(self, output: Tensor, batch: Batch) -> Tensor:
        """Mean of -log p(class) over a batch, a scalar."""
        return cross_entropy(output, batch)

    def penalty(self, network: nn.Module) -> Tensor:
        """Zero."""
        return next(network.parameters()).new_zeros(())


def class_windows(
    features: np.ndarray, classes: np.ndarray, lookback: int, device: torch.device
) -> WindowData:
    """Windows of the market as windows of one asset.

    Args:
        features: Scaled features of every bar, (T, F), blank where not known.
        classes: Number of the class that came true after each bar, (T,), blank where not known.
        lookback: Bars in a window.
        device: Where the tensors go.
    """
    complete = np.isfinite(features).all(axis=1)[:, None]
    plain = np.nan_to_num(features)[:, None, :]
    return WindowData(
        asset=torch.as_tensor(plain, dtype=torch.float32, device=device),
        market=torch.zeros(len(features), 0, device=device),
        usable=torch.as_tensor(complete_windows(complete, lookback), device=device),
        target=torch.as_tensor(classes[:, None], dtype=torch.float32, device=device),
        lookback=lookback,
    )


def mean_probabilities(
    networks: Sequence[RegimeClassifierNetwork], data: WindowData, rows: np.ndarray, size: int
) -> np.ndarray:
    """Probability of each class, averaged over networks, (R, K) float64.

    Args:
        networks: In evaluation mode, at least one.
        data: Windows.
        rows: Last bars of the windows, (R,), each with a complete window.
        size: Windows at a time; with 1 a window's probabilities do not depend on the others by
            as much as a bit.
    """
    pieces = [np.empty((0, networks[0].head.out_features))]
    with single_threaded(0), torch.no_grad():
        for start in range(0, len(rows), size):
            batch = data.batch(rows[start : start + size], need_target=False)
            each = [torch.softmax(network(batch).double(), dim=1) for network in networks]
            pieces.append(torch.stack(each).mean(dim=0).cpu().numpy())
    return np.concatenate(pieces)
