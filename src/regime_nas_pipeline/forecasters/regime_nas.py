"""Forecasts from a found architecture: regime detector, gated blocks, head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.inputs import FeatureSet, TargetScale
from regime_nas_pipeline.forecasters.neural import Mode, NeuralForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.base import ForecastNetwork
from regime_nas_pipeline.networks.lipschitz.enforce import LipschitzLimit
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.operations import GATED_BLOCKS
from regime_nas_pipeline.networks.regime_net import (
    HEADS,
    Gate,
    RegimeNet,
    cell_edges,
    describe_blocks,
    evidence_nodes,
    operation_edges,
)
from regime_nas_pipeline.networks.training import TrainingPlan

MAX_NODES = 3
"""Largest cell that a search space can describe edge by edge."""

REGIME_OF_BLOCK = {"volatility": "volatile", "trend": "trend", "range": "range"}


class RegimeNasForecaster(NeuralForecaster):
    """RegimeNAS with a fixed architecture: a declared reconstruction of arXiv 2508.11338.

    The architecture comes from the search; every fit trains its weights from scratch. The other
    arguments are those of :class:`NeuralForecaster`.

    Args:
        blocks: The cells: for each block its nodes, for each node its edges, for each edge its
            operation; see :func:`regime_nas_pipeline.networks.regime_net.operation_edges`.
        width: Channels in detector, blocks and head.
        head: ``linear``, ``gru`` or ``lstm``.
        attention_heads: Heads in the detector and in self-attention edges.
        dropout: Dropout after the input projection and before the output.
        gate: ``learned``, or a control: ``uniform`` or ``shuffled``.
        uncertainty: Whether the detector's doubt softens the gate.
        lipschitz_limit: Largest certified Lipschitz constant of the scaled mean forecast, kept
            in training by projecting the weights; None for no limit.
    """

    needs_regimes: ClassVar[bool] = True
    idle_weights: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        *,
        horizon: int = 21,
        execution_lag: int = 1,
        mode: Mode = "pooled",
        lookback: int = 63,
        timeframes: tuple[int, ...] = (1, 5, 21),
        features: FeatureSet = "engineered",
        target_scale: TargetScale = "trailing",
        blocks: dict[str, Any] | None = None,
        width: int = 16,
        head: str = "linear",
        attention_heads: int = 2,
        gate: Gate = "learned",
        uncertainty: bool = True,
        lipschitz_limit: float | None = None,
        dropout: float = 0.1,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        objective: Objective = Objective(),  # noqa: B008 - frozen
        training: TrainingPlan = TrainingPlan(),  # noqa: B008 - frozen
        n_seeds: int = 3,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        super().__init__(
            horizon=horizon,
            execution_lag=execution_lag,
            mode=mode,
            lookback=lookback,
            timeframes=timeframes,
            features=features,
            target_scale=target_scale,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            objective=objective,
            training=training,
            n_seeds=n_seeds,
            seed=seed,
            device=device,
        )
        self.blocks = blocks
        self.width = width
        self.head = head
        self.attention_heads = attention_heads
        self.gate = gate
        self.uncertainty = uncertainty
        self.lipschitz_limit = lipschitz_limit
        self.dropout = dropout

    def required_regimes(self) -> frozenset[str]:
        """One regime per block where labels supervise the detector."""
        wanted = frozenset(REGIME_OF_BLOCK[block] for block in GATED_BLOCKS)
        return wanted if self.objective.label_weight > 0 else frozenset()

    def fit(self, market: Market) -> Self:
        """Train the architecture's weights; see :class:`NeuralForecaster`."""
        if self.objective.label_weight > 0:
            market = align_regimes(market)
        return super().fit(market)

    @classmethod
    def search_dimensions(cls) -> frozenset[str]:
        """Also the nodes of a cell, and the operation of each edge; see ``cell_dimension``."""
        edges = (cell_dimension(*edge) for edge in cell_edges(MAX_NODES))
        return super().search_dimensions() | {"nodes", *edges}

    @classmethod
    def from_choices(cls, choices: Mapping[str, Any]) -> dict[str, Any]:
        """Constructor arguments; where operations are chosen, the cells that they make.

        ``nodes`` stays beside them where cells are still to be found. Edges that a cell of so
        many nodes has not are ignored; where some of its edges are not in the space, they hold no
        operation.
        """
        found = super().from_choices(choices)
        edges = {cell_dimension(*edge): edge for edge in cell_edges(MAX_NODES)}
        operations = {edges[name]: found.pop(name) for name in list(found) if name in edges}
        if operations:
            nodes = int(found.pop("nodes", max(node for _, node, _ in operations)))
            cells = {edge: operations.get(edge, "none") for edge in cell_edges(nodes)}
            found["blocks"] = describe_blocks(cells, nodes)
        return found

    def weight_limit(self, n_assets: int) -> LipschitzLimit | None:
        """Keeps the certified constant under ``lipschitz_limit``."""
        if self.lipschitz_limit is None:
            return None
        return LipschitzLimit(self.lipschitz_limit, self.lookback, n_assets)

    def check_shape(self) -> None:
        """Refuse a head or operations that do not exist, or heads that do not divide the width.

        Raises:
            ParameterError: Names what does not fit.
        """
        if self.head not in HEADS:
            raise ParameterError(f"regime_nas: head '{self.head}' is none of {', '.join(HEADS)}.")
        if self.width < 1 or self.attention_heads < 1 or self.width % self.attention_heads:
            raise ParameterError(
                f"regime_nas: width {self.width} must be divisible by attention_heads "
                f"{self.attention_heads}."
            )
        if self.blocks is not None:
            operation_edges(self.blocks, self.width, self.attention_heads)

    def build_network(self, sizes: Mapping[str, Any]) -> ForecastNetwork:
        """The architecture with untrained weights.

        Raises:
            ParameterError: There is no architecture or it does not fit together.
        """
        if self.blocks is None:
            raise ParameterError(
                "regime_nas has no architecture yet; run the nas_search pipeline or give 'blocks'."
            )
        self.check_shape()
        n_nodes, make_edge = operation_edges(self.blocks, self.width, self.attention_heads)
        return RegimeNet(
            n_assets=sizes["n_assets"],
            n_asset_features=sizes["n_asset_features"],
            market_timeframes=tuple(sizes["market_timeframes"]),
            timeframes=tuple(self.timeframes),
            joint=self.mode == "joint",
            width=self.width,
            nodes=n_nodes,
            evidence_nodes=evidence_nodes(self.blocks),
            head=self.head,
            attention_heads=self.attention_heads,
            dropout=self.dropout,
            make_edge=make_edge,
            gate=self.gate,
            uncertainty=self.uncertainty,
            gate_before=self.objective.smoothness_weight > 0.0,
        )


def cell_dimension(cell: str, node: int, source: str) -> str:
    """Name of an edge's operation in a search space: ``trend.2.input``, for instance."""
    return f"{cell}.{node}.{source}"


def align_regimes(market: Market) -> Market:
    """Put the causal labels into the order of the blocks that they supervise.

    Raises:
        ParameterError: There are no labels, or not one for each block.
    """
    wanted = [REGIME_OF_BLOCK[block] for block in GATED_BLOCKS]
    if market.regimes is None or set(market.regime_names) != set(wanted):
        raise ParameterError(
            f"regime_nas: label_weight > 0 needs labels named {', '.join(wanted)}; there are "
            f"{', '.join(market.regime_names) or 'none'}. Set label_weight to 0 or choose a "
            "labeller with those regimes."
        )
    order = [market.regime_names.index(name) for name in wanted]
    return replace(market, regimes=market.regimes[:, order], regime_names=tuple(wanted))
