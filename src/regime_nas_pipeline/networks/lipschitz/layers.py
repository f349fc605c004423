"""Slopes of the layers and operations that a searched network is built of."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from regime_nas_pipeline.networks import operations as ops
from regime_nas_pipeline.networks import running_operations as running
from regime_nas_pipeline.networks.attention import (
    ClippedSelfAttention,
    LearnedQueryPool,
    token_radius,
)
from regime_nas_pipeline.networks.lipschitz.attention import (
    PoolSlope,
    pooled_attention_slope,
    self_attention_slope,
)
from regime_nas_pipeline.networks.lipschitz.linear import (
    Array,
    convolution_slope,
    cross_section_slope,
    deviation_slope,
    exponential_average,
    running_mean,
    running_sum_slope,
    spectral_norm,
)
from regime_nas_pipeline.networks.lipschitz.pointwise import (
    ACTIVATION_SLOPES,
    lag_product_slope,
    squared_slope,
    volatility_scaling_slope,
    z_score_slope,
)
from regime_nas_pipeline.networks.lipschitz.recurrent import gru_slope, lstm_slope
from regime_nas_pipeline.networks.lipschitz.slope import UNBOUNDED, Slope

Rule = Callable[[Any, int, float], Slope]
"""(operation, bars, largest norm of the state at a bar) to the operation's slope."""


def attention_slope(layer: ClippedSelfAttention, length: int) -> Slope:
    """Slope of self-attention over ``length`` tokens; ``last`` holds at every token."""
    return self_attention_slope(
        layer.query.weight,
        layer.key.weight,
        layer.value.weight,
        layer.merge.weight,
        heads=layer.heads,
        length=length,
        radius=token_radius(layer.query.in_features),
    )


def pool_slope(layer: LearnedQueryPool) -> PoolSlope:
    """Slope of pooling any number of tokens to one."""
    radius = token_radius(layer.value.in_features)
    return pooled_attention_slope(
        layer.query, layer.value.weight, layer.merge.weight, radius=radius
    )


def recurrent_slope(layer: nn.GRU | nn.LSTM, length: int, radius: float) -> Slope:
    """Slope of a GRU or LSTM over ``length`` bars of inputs of at most ``radius``."""
    if isinstance(layer, nn.GRU):
        return gru_slope(layer, length=length, radius=radius)
    return lstm_slope(layer, length=length, radius=radius)


def _dense(operation: ops.Dense, length: int, radius: float) -> Slope:
    return Slope.of_bar(ACTIVATION_SLOPES["gelu"] * spectral_norm(operation.linear.weight))


def _convolution(operation: ops.CausalConvolution, length: int, radius: float) -> Slope:
    weight = operation.convolution.weight
    slope = convolution_slope(weight, dilation=operation.dilation, length=length)
    return slope.scaled(ACTIVATION_SLOPES["gelu"])


def _average(operation: running.LearnedAverage, length: int) -> Array:
    return exponential_average(torch.sigmoid(operation.decay_logit.detach().double()), length)


def _volatility_scaling(operation: running.VolatilityScaling, length: int, radius: float) -> Slope:
    average = _average(operation, length)
    return volatility_scaling_slope(average, floor=running.DIVISOR_FLOOR, clip=ops.CLIP)


def _z_score(operation: running.ZScore, length: int, radius: float) -> Slope:
    return z_score_slope(length, floor=running.DIVISOR_FLOOR, variance_floor=running.VARIANCE_FLOOR)


OPERATION_SLOPES: dict[type[nn.Module], Rule] = {
    ops.NoOperation: lambda operation, length, radius: Slope.of_bar(0.0),
    ops.Identity: lambda operation, length, radius: Slope.of_bar(1.0),
    ops.Dense: _dense,
    ops.CausalConvolution: _convolution,
    ops.CausalConvolutionBy2: _convolution,
    ops.CausalConvolutionBy4: _convolution,
    ops.Recurrent: lambda operation, length, radius: recurrent_slope(
        operation.recurrent, length, radius
    ),
    ops.LongShortTermMemory: lambda operation, length, radius: recurrent_slope(
        operation.recurrent, length, radius
    ),
    ops.SelfAttention: lambda operation, length, radius: attention_slope(
        operation.attention, length
    ),
    ops.CrossSectionalMean: lambda operation, length, radius: cross_section_slope(),
    running.VolatilityScaling: _volatility_scaling,
    ops.Squared: lambda operation, length, radius: squared_slope(min(ops.CLIP, radius)),
    ops.Absolute: lambda operation, length, radius: Slope.of_bar(ACTIVATION_SLOPES["absolute"]),
    running.AverageDifference: lambda operation, length, radius: deviation_slope(
        _average(operation, length)
    ),
    running.RunningSum: lambda operation, length, radius: running_sum_slope(length, over_root=True),
    ops.LagProduct: lambda operation, length, radius: lag_product_slope(
        min(ops.CLIP, radius), np.eye(length)
    ),
    running.MeanDeviation: lambda operation, length, radius: deviation_slope(running_mean(length)),
    running.ZScore: _z_score,
}
"""How each operation's slope is found. By exact class, so that a class derived from one of these
is not taken for it; what is not listed has no bound."""


def operation_slope(operation: nn.Module, length: int, *, radius: float = math.inf) -> Slope:
    """Slope of an operation on states (M, L, W) of the assets that are there, as one vector.

    Args:
        operation: What is on an edge.
        length: Bars, L.
        radius: Largest Euclidean norm of a state at a bar of an asset.
    """
    rule = OPERATION_SLOPES.get(type(operation))
    return UNBOUNDED if rule is None else rule(operation, length, radius)
