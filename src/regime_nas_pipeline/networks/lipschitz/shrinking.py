"""Making single layers less steep by scaling their weights down."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from regime_nas_pipeline.networks import operations as ops
from regime_nas_pipeline.networks.attention import ClippedSelfAttention, LearnedQueryPool
from regime_nas_pipeline.networks.detector import TimeframeEncoder
from regime_nas_pipeline.networks.lipschitz.certify import head_slope, input_radius
from regime_nas_pipeline.networks.lipschitz.layers import (
    attention_slope,
    operation_slope,
    pool_slope,
)
from regime_nas_pipeline.networks.lipschitz.linear import spectral_norm
from regime_nas_pipeline.networks.regime_net import RegimeNet

# A factor is searched for until it is known to this share; weights end a hair below the cap, so
# that their rounding in float32 does not exceed it.
_PRECISION = 1.02
_MARGIN = 1.0 - 1e-6
_SMALLEST_FACTOR = 1e-9


@dataclass(frozen=True)
class Layer:
    """Weights that are shrunk together, and the slope that they give.

    Attributes:
        weights: Changed in place.
        slope: The layer's slope with the weights as they are.
        proportional: The slope is proportional to the weights.
    """

    weights: list[Tensor]
    slope: Callable[[], float]
    proportional: bool = False


@torch.no_grad()
def shrink(layer: Layer, cap: float) -> None:
    """Scale a layer's weights by the largest factor, at most 1, that brings it under ``cap``.

    Slopes fall at least as fast as the factor, so that cap / slope is small enough; between it and
    1 a larger factor is searched for. A layer whose weights are not finite is left as it is.
    """
    slope = layer.slope()
    if slope <= cap:
        return
    before = [weight.clone() for weight in layer.weights]

    def slope_at(factor: float) -> float:
        for weight, old in zip(layer.weights, before, strict=True):
            weight.copy_(old * factor)
        return layer.slope()

    small = cap / slope * _MARGIN
    if not layer.proportional:
        small = max(small, _SMALLEST_FACTOR)
    large = small if layer.proportional else 1.0
    if slope_at(small) > cap:
        slope_at(1.0)
        return
    while large > small * _PRECISION:
        middle = math.sqrt(small * large)
        if slope_at(middle) <= cap:
            small = middle
        else:
            large = middle
    slope_at(small)


def shrinkable_layers(network: RegimeNet, length: int) -> Iterator[Layer]:
    """Every layer with weights before the output layer.

    Operations count with the slope of what the head uses: the last bar or the whole window.
    """
    for linear in (network.embed, network.evidence_embed, network.detector.evidence):
        yield _linear(linear)
    for encoder in network.detector.encoders:
        assert isinstance(encoder, TimeframeEncoder)  # noqa: S101 - tells the type checker
        yield _linear(encoder.embed)
        yield Layer(_weights(encoder.attention), partial(_attention, encoder.attention))
        yield Layer(_weights(encoder.pool), partial(_pool, encoder.pool))
    yield Layer(_weights(network.detector.across), partial(_pool, network.detector.across))
    whole_window = network.head.recurrent is not None
    for name, block in network.cells().items():
        for node in block.nodes:
            assert isinstance(node, nn.ModuleDict)  # noqa: S101 - tells the type checker
            for source, edge in node.items():
                if isinstance(edge, ops.Operation) and (weights := _operation_weights(edge)):
                    radius = input_radius(name, source, edge.width)
                    slope = partial(_edge, edge, length, radius, whole_window)
                    proportional = isinstance(edge, (ops.Dense, ops.CausalConvolution))
                    yield Layer(weights, slope, proportional=proportional)
    if network.head.recurrent is not None:
        yield Layer(list(network.head.recurrent.parameters()), partial(head_slope, network, length))


def _linear(layer: nn.Linear) -> Layer:
    return Layer([layer.weight], partial(spectral_norm, layer.weight), proportional=True)


def _attention(layer: ClippedSelfAttention) -> float:
    return attention_slope(layer, 1).last


def _pool(layer: LearnedQueryPool) -> float:
    return pool_slope(layer).of_largest


def _edge(operation: nn.Module, length: int, radius: float, whole_window: bool) -> float:
    slope = operation_slope(operation, length, radius=radius)
    return slope.window if whole_window else slope.last


def _operation_weights(operation: ops.Operation) -> list[Tensor]:
    """Weights that an operation's slope falls with; biases only where gates hang on them."""
    if isinstance(operation, ops.Recurrent):
        return list(operation.recurrent.parameters())
    if isinstance(operation, (ops.Dense, ops.CausalConvolution, ops.SelfAttention)):
        return _weights(operation)
    return []


def _weights(module: nn.Module) -> list[Tensor]:
    return [parameter for parameter in module.parameters() if parameter.ndim >= 2]
