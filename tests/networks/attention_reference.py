"""Attention over clipped tokens as plain loops over windows, heads and bars."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from regime_nas_pipeline.networks.attention import ClippedSelfAttention, LearnedQueryPool


def array(tensor: torch.Tensor | nn.Module) -> np.ndarray:
    """Values of a tensor in double precision."""
    assert isinstance(tensor, torch.Tensor)
    return tensor.detach().numpy().astype(float)


def clipped(tokens: np.ndarray) -> np.ndarray:
    """Each token at most as long as the square root of its number of channels."""
    result = tokens.astype(float).copy()
    for place in np.ndindex(tokens.shape[:-1]):
        length = np.sqrt((tokens[place] ** 2).sum())
        if length > np.sqrt(tokens.shape[-1]):
            result[place] *= np.sqrt(tokens.shape[-1]) / length
    return result


def softmax(scores: np.ndarray) -> np.ndarray:
    """Weights of one row of scores."""
    weight = np.exp(scores - scores.max())
    result: np.ndarray = weight / weight.sum()
    return result


def attend(layer: ClippedSelfAttention, tokens: np.ndarray) -> np.ndarray:
    """What self-attention makes of tokens (B, L, W)."""
    tokens = clipped(tokens)
    query, key, value = (
        tokens @ array(part.weight).T for part in (layer.query, layer.key, layer.value)
    )
    size = tokens.shape[-1] // layer.heads
    result = np.zeros_like(tokens)
    for window in range(tokens.shape[0]):
        for head in range(layer.heads):
            part = slice(head * size, (head + 1) * size)
            for bar in range(tokens.shape[1]):
                seen = bar + 1 if layer.causal else tokens.shape[1]
                scores = key[window, :seen, part] @ query[window, bar, part] / np.sqrt(size)
                result[window, bar, part] = softmax(scores) @ value[window, :seen, part]
    return result @ array(layer.merge.weight).T + array(layer.merge.bias)


def pool(layer: LearnedQueryPool, tokens: np.ndarray) -> np.ndarray:
    """What pooling makes of tokens (B, L, W), the newest last."""
    tokens = clipped(tokens)
    value = tokens @ array(layer.value.weight).T
    size = tokens.shape[-1] // layer.heads
    result = np.zeros((tokens.shape[0], tokens.shape[2]))
    for window in range(tokens.shape[0]):
        for head in range(layer.heads):
            part = slice(head * size, (head + 1) * size)
            scores = tokens[window] @ array(layer.query)[head]
            if layer.slope_logit is not None:
                slope = np.log1p(np.exp(array(layer.slope_logit)[head]))
                for bar in range(len(scores)):
                    scores[bar] -= slope * (len(scores) - 1 - bar)
            result[window, part] = softmax(scores) @ value[window, :, part]
    return result @ array(layer.merge.weight).T + array(layer.merge.bias)
