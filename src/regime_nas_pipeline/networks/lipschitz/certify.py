"""The certified Lipschitz constant of a whole network, and what it is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from torch import Tensor, nn

from regime_nas_pipeline.networks.detector import LOGIT_GAIN, RegimeDetector, TimeframeEncoder
from regime_nas_pipeline.networks.lipschitz.gate import GATE_SLOPE_TO_SUM, mixture_slope
from regime_nas_pipeline.networks.lipschitz.layers import (
    attention_slope,
    operation_slope,
    pool_slope,
    recurrent_slope,
)
from regime_nas_pipeline.networks.lipschitz.linear import (
    as_array,
    shared_input_norm,
    spectral_norm,
)
from regime_nas_pipeline.networks.lipschitz.slope import UNBOUNDED, Slope, times
from regime_nas_pipeline.networks.operations import CLIP, EVIDENCE, Operation
from regime_nas_pipeline.networks.regime_net import INPUT, Block, RegimeNet


@dataclass(frozen=True)
class Certificate:
    """An upper bound on the Lipschitz constant, and the slopes that it was multiplied out of.

    Attributes:
        total: Of the scaled mean forecasts of all assets that are there, as one vector, in their
            windows and the market's of scaled inputs as one vector; Euclidean norms. Infinite
            where no bound is known.
        parts: Slope of each part: ``embedding``, ``evidence``, ``gate`` (its changes added up in
            size, times the root of the number of rows, in the inputs), ``block ...`` (in the
            inputs, as the head uses it), ``mixture`` (in the inputs), ``head`` and ``output``.
            ``total`` is mixture times head times output.
        unbounded: Parts that have no finite slope by themselves, by name.
    """

    total: float
    parts: dict[str, float]
    unbounded: tuple[str, ...]


def certified_bound(network: RegimeNet, *, lookback: int, n_assets: int) -> Certificate:
    """Certify a network's evaluation mode, in float64 from exact singular values.

    The bound for ``n_assets`` assets holds for any smaller number that is there as well: every
    part of it grows with their number.

    Args:
        network: A network with one known operation on each edge; a search's mixture of operations
            has no bound.
        lookback: Bars in a window, L.
        n_assets: Largest number of assets, N.
    """
    rows = 1 if network.joint else n_assets
    slopes = _block_parts(network, lookback, rows)
    parts = dict(slopes)
    blocks = [slope for name, slope in slopes.items() if name.startswith("block ")]
    if network.gate == "uniform":
        parts["mixture"] = sum(blocks) / len(blocks)
    else:
        parts |= _gate_parts(network, lookback, rows)
        parts["mixture"] = mixture_slope(
            blocks, output_norm=_largest_output(network, lookback), gate=parts["gate"]
        )
    parts["head"] = head_slope(network, lookback)
    parts["output"] = spectral_norm(mean_weight(network))
    total = times(times(parts["mixture"], parts["head"]), parts["output"])
    return Certificate(total, parts, _unbounded(network, lookback))


def mean_weight(network: RegimeNet) -> Tensor:
    """Weights of the output layer that make the mean forecast, (outputs, W), a view."""
    return network.output.linear.weight[: network.n_outputs]


def state_radius(width: int) -> float:
    """Largest norm of a state whose entries are clipped."""
    return CLIP * math.sqrt(width)


def input_radius(cell: str, source: str, width: int) -> float:
    """Largest norm of the state that an edge starts from, at a bar of an asset.

    Nodes are clipped, and so is what enters the evidence; what enters the other cells is not.
    """
    clipped = source != INPUT or cell == EVIDENCE
    return state_radius(width) if clipped else math.inf


def head_slope(network: RegimeNet, length: int) -> float:
    """Slope of the head, from the mixed states that it uses to one state per asset."""
    layer = network.head.recurrent
    if layer is None:
        return 1.0
    return recurrent_slope(layer, length, state_radius(network.embed.out_features)).last


def block_slope(name: str, block: Block, length: int) -> Slope:
    """Slope of a cell from its input to its output.

    A node adds its edges up over the root of their number and clips the sum; a gated block is
    the mean of its nodes, the evidence has them side by side.

    Args:
        name: The cell's name.
        block: Cell.
        length: Bars, L.
    """
    slopes = {INPUT: Slope.of_bar(1.0)}
    for number, node in enumerate(block.nodes, start=1):
        assert isinstance(node, nn.ModuleDict)  # noqa: S101 - tells the type checker
        edges = [
            _edge_slope(name, source, edge, length).after(slopes[source])
            for source, edge in node.items()
        ]
        slopes[str(number)] = reduce(add, edges).scaled(1.0 / math.sqrt(len(edges)))
    nodes = [slope for source, slope in slopes.items() if source != INPUT]
    if not block.side_by_side:
        return reduce(add, nodes).scaled(1.0 / len(nodes))
    return Slope(
        math.hypot(*(slope.window for slope in nodes)),
        math.hypot(*(slope.last for slope in nodes)),
        local=all(slope.local for slope in nodes),
    )


def _edge_slope(cell: str, source: str, edge: nn.Module, length: int) -> Slope:
    if not isinstance(edge, Operation):
        return UNBOUNDED
    return operation_slope(edge, length, radius=input_radius(cell, source, edge.width))


def _block_parts(network: RegimeNet, length: int, rows: int) -> dict[str, float]:
    """Slopes of the embedding, and of each gated block in the inputs as the head uses it."""
    weight, own = network.embed.weight, network.n_inputs
    embedding = shared_input_norm(weight[:, :own], weight[:, own:], rows)
    parts = {"embedding": embedding}
    for name, block in network.blocks.items():
        assert isinstance(block, Block)  # noqa: S101 - tells the type checker
        slope = block_slope(name, block, length).after(Slope.of_bar(embedding))
        parts[f"block {name}"] = slope.last if network.head.recurrent is None else slope.window
    return parts


def _largest_output(network: RegimeNet, length: int) -> float:
    """Largest norm of what a block gives the head of one asset; entries are clipped."""
    bars = 1 if network.head.recurrent is None else length
    return state_radius(network.embed.out_features) * math.sqrt(bars)


def _gate_parts(network: RegimeNet, length: int, rows: int) -> dict[str, float]:
    """Slopes of the evidence in an asset's inputs, and of the gate over all rows.

    The gate moves the blocks' outputs of every row at once, and the evidence is a mean over rows:
    so the root of their number multiplies what comes from the market and cancels for the rest.
    """
    embedding = spectral_norm(network.evidence_embed.weight)
    if not isinstance(network.evidence, Block):
        return {"evidence": math.inf, "gate": math.inf}  # a search's, of which nothing is known
    evidence = times(block_slope(EVIDENCE, network.evidence, length).window, embedding)
    if network.gate == "shuffled":
        return {"evidence": evidence, "gate": math.inf}  # it jumps with the window's digits
    detector = detector_slope(network.detector, length, evidence=evidence, market=math.sqrt(rows))
    return {"evidence": evidence, "gate": times(GATE_SLOPE_TO_SUM, detector)}


def detector_slope(
    detector: RegimeDetector, length: int, *, evidence: float, market: float = 1.0
) -> float:
    """Slope of the detector's logits in the inputs that market features and evidence come from.

    Args:
        detector: Detector.
        length: Bars, L.
        evidence: Slope of the evidence over all bars in inputs of its own.
        market: Slope of the market features over all bars in theirs.
    """
    pooled = [_encoder_slope(encoder, length, evidence, market) for encoder in detector.encoders]
    timeframes = Slope(math.hypot(*pooled), max(pooled))
    mean = sum(pooled) / len(pooled)
    logits = LOGIT_GAIN * spectral_norm(detector.evidence.weight)
    return times(logits, mean + pool_slope(detector.across).after(timeframes))


def _encoder_slope(encoder: nn.Module, length: int, evidence: float, market: float) -> float:
    assert isinstance(encoder, TimeframeEncoder)  # noqa: S101 - tells the type checker
    if not math.isfinite(evidence):
        return math.inf
    every = min(encoder.every, length)
    weight, n_columns = as_array(encoder.embed.weight), len(encoder.columns)
    # Market features are picked out of the window; evidence is a mean over the timeframe's bars.
    embedding = spectral_norm(
        np.hstack(
            [market * weight[:, :n_columns], evidence / math.sqrt(every) * weight[:, n_columns:]]
        )
    )
    attended = attention_slope(encoder.attention, length // every)
    tokens = Slope(embedding, embedding)
    return pool_slope(encoder.pool).after(tokens + attended.after(tokens))


def _unbounded(network: RegimeNet, length: int) -> tuple[str, ...]:
    """Names of the parts without a finite slope of their own."""
    names = [
        f"{cell}, node {number}, edge from {source}: {type(edge).__name__}"
        for cell, block in network.cells().items()
        for number, node in enumerate(block.nodes, start=1)
        for source, edge in node.items()  # type: ignore[operator]
        if not math.isfinite(_edge_slope(cell, source, edge, length).window)
    ]
    if not isinstance(network.evidence, Block):
        names.append(f"{EVIDENCE}: {type(network.evidence).__name__}")
    if network.gate == "shuffled":
        names.append("shuffled gate")
    return tuple(names)
