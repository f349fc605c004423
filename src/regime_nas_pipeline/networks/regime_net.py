"""The network that the search looks for: three kinds of blocks, gated by a regime detector.

A declared reconstruction of arXiv 2508.11338: detector, volatility / trend / range blocks that
regime probabilities gate softly, then a recurrent or linear head. The cells' inner form (nodes,
edges, clipped sums) and the searched evidence that the detector reads beside the market's
features are ours.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.base import ForecastNetwork, GaussianHead, NetworkOutput
from regime_nas_pipeline.networks.cells import (
    BLOCKS,
    INPUT,
    Block,
    EdgeMaker,
    cell_edges,
    describe_blocks,
    edge_sources,
    evidence_nodes,
    operation_edges,
)
from regime_nas_pipeline.networks.detector import N_REGIMES, Detection, RegimeDetector
from regime_nas_pipeline.networks.fast_gru import FastGRU
from regime_nas_pipeline.networks.operations import (
    EVIDENCE,
    GATED_BLOCKS,
    clip,
)
from regime_nas_pipeline.networks.windows import Batch

__all__ = [
    "BLOCKS",
    "HEADS",
    "INPUT",
    "Block",
    "EdgeMaker",
    "Gate",
    "Head",
    "RegimeNet",
    "cell_edges",
    "describe_blocks",
    "edge_sources",
    "evidence_nodes",
    "operation_edges",
]

HEADS = ("linear", "gru", "lstm")

Gate = Literal["learned", "uniform", "shuffled"]
"""``uniform`` weighs all blocks equally; ``shuffled`` lets a window be gated by another window of
the training sample, so that the gate varies as before and says nothing. Both are controls."""

GATE_BANK = 64
"""Gates of the last training windows that the shuffled control draws from."""


FIRST_SIZE = 0.4
"""Of the output's first weights: the gate learns from the differences between the blocks'
forecasts, and at a tenth it may be lost before it has found any."""


class Head(nn.Module):
    """What turns the mixed states of a window into one state per asset: last bar, GRU or LSTM."""

    def __init__(self, kind: str, width: int) -> None:
        super().__init__()
        self.kind = kind
        self.recurrent: FastGRU | nn.LSTM | None = None
        if kind == "gru":
            self.recurrent = FastGRU(width, width)
        elif kind == "lstm":
            self.recurrent = nn.LSTM(width, width, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, M, L, W) to (B, M, W)."""
        if self.recurrent is None:
            return x[:, :, -1]
        windows = x.flatten(0, 1)
        if isinstance(self.recurrent, FastGRU):
            last = self.recurrent.last_state(windows)
        else:
            last = self.recurrent(windows)[0][:, -1]
        return last.reshape(x.shape[0], x.shape[1], -1)


class RegimeNet(ForecastNetwork):
    """Evidence, detector, gated blocks, head.

    Args:
        n_assets: N.
        n_asset_features: F.
        market_timeframes: Timeframe of each market feature, length G.
        timeframes: Timeframes that the detector reads.
        joint: All assets at once.
        width: Channels in blocks, head and detector.
        nodes: Nodes per cell.
        head: linear, gru or lstm.
        attention_heads: Heads in the detector and in self-attention edges.
        dropout: Dropout on the projected input and before the output.
        make_edge: What is on each edge: one operation, or the search's mixture of all.
        gate: ``learned``, or one of two controls.
        uncertainty: Whether the detector's doubt softens the gate.
        gate_before: Whether the gate one bar earlier is wanted; it costs a second look.
        evidence_nodes: Nodes of the evidence; as many as ``nodes`` by default.
        evidence: A module in place of the evidence cell, and its channels; for a search.
    """

    gate_bank: Tensor

    def __init__(
        self,
        *,
        n_assets: int,
        n_asset_features: int,
        market_timeframes: tuple[int, ...],
        timeframes: tuple[int, ...] = (1,),
        joint: bool,
        width: int,
        nodes: int,
        head: str,
        attention_heads: int,
        dropout: float,
        make_edge: EdgeMaker,
        gate: Gate = "learned",
        uncertainty: bool = True,
        gate_before: bool = True,
        evidence_nodes: int | None = None,
        evidence: tuple[nn.Module, int] | None = None,
    ) -> None:
        super().__init__(n_assets=n_assets, n_asset_features=n_asset_features, joint=joint)
        self.embed = nn.Linear(self.n_inputs + len(market_timeframes), width)
        self.evidence_embed = nn.Linear(self.n_inputs, width)
        n_kinds = evidence_nodes or nodes
        self.evidence, n_evidence = evidence or (
            Block(EVIDENCE, n_kinds, make_edge),
            n_kinds * width,
        )
        self.detector = RegimeDetector(
            market_timeframes=market_timeframes,
            timeframes=timeframes,
            n_evidence=n_evidence,
            width=width,
            attention_heads=attention_heads,
            uncertainty=uncertainty,
        )
        self.blocks = nn.ModuleDict({name: Block(name, nodes, make_edge) for name in GATED_BLOCKS})
        self.dropout = nn.Dropout(dropout)
        self.head = Head(head, width)
        self.output = GaussianHead(width, self.n_outputs, FIRST_SIZE)
        if gate not in get_args(Gate):
            raise ParameterError(f"gate '{gate}' is none of {', '.join(get_args(Gate))}.")
        self.gate = gate
        self.keeps_memory = gate == "shuffled"
        self.gate_before = gate_before
        bank = torch.full((GATE_BANK, N_REGIMES), 1.0 / N_REGIMES)
        self.register_buffer("gate_bank", bank, persistent=gate == "shuffled")

    def cells(self) -> dict[str, Block]:
        """Every cell by its name."""
        cells = {EVIDENCE: self.evidence, **dict(self.blocks.items())}
        return {name: cell for name, cell in cells.items() if isinstance(cell, Block)}

    def market_evidence(self, batch: Batch) -> Tensor:
        """Evidence averaged over the assets that are there, (B, L, nodes * W)."""
        asset, mask = self.arrange(batch)
        states = self.evidence(clip(self.evidence_embed(asset)), mask)
        weight = mask[:, :, None, None].to(states.dtype)
        mean: Tensor = (states * weight).sum(dim=1) / weight.sum(dim=1).clamp_min(1.0)
        return mean

    def detect(self, batch: Batch) -> tuple[Detection, Tensor | None]:
        """What the detector says at the decision bar, and its gate one bar earlier if wanted."""
        market = batch.market[:, 1:]
        evidence = self.market_evidence(batch)
        now: Detection = self.detector(market, evidence)
        if not self.gate_before:
            return now, None
        before: Detection = self.detector(market[:, :-1], evidence[:, :-1])
        return now, before.gate

    def forward(self, batch: Batch) -> NetworkOutput:
        """Forecast; the gate weighs the blocks' outputs for every asset alike."""
        _, mask = self.arrange(batch)
        x = self.dropout(clip(self.embed(self.with_market(batch))))
        detection, gate, before = self._gates(batch)
        last = self.head.kind == "linear"
        blocks = [block(x, mask, last=last) for block in self.blocks.values()]
        outputs = torch.stack(blocks, dim=1)
        mixed = (outputs * gate[:, :, None, None, None]).sum(dim=1)
        state = self.dropout(self.head(mixed))
        mean, log_volatility = self.output(state)
        regime = None if detection is None else detection.probability
        return NetworkOutput(mean, log_volatility, gate, before, regime)

    def _gates(self, batch: Batch) -> tuple[Detection | None, Tensor, Tensor | None]:
        """What the detector said, the gate in use, and the gate one bar earlier."""
        if self.gate == "uniform":
            return None, batch.asset.new_full((len(batch.asset), N_REGIMES), 1 / N_REGIMES), None
        detection, before = self.detect(batch)
        if self.gate == "learned":
            return detection, detection.gate, before
        if not self.training:
            # Chosen by the window's own digits: it must not depend on what else is in the batch.
            digits = (batch.asset.abs().sum(dim=(1, 2, 3)) * 1e3).long() % GATE_BANK
            return detection, self.gate_bank[digits], None
        # Together with the gate before it, so that smoothness compares one window's two gates.
        alone = len(batch.asset) == 1
        gate = self.gate_bank[:1].clone() if alone else detection.gate.roll(1, dims=0)
        with torch.no_grad():
            kept = torch.cat([detection.gate.detach(), self.gate_bank])[:GATE_BANK]
            self.gate_bank.copy_(kept)
        return detection, gate, None if alone or before is None else before.roll(1, dims=0)
