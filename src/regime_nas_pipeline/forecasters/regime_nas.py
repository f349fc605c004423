"""Forecasts from a found architecture: regime detector, gated blocks, head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.neural import Mode, NeuralForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.base import ForecastNetwork
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.regime_net import BLOCKS, HEADS, RegimeNet, operation_edges
from regime_nas_pipeline.networks.training import TrainingPlan

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
        smoothness_weight: Weight of transition smoothness in the loss.
        label_weight: Weight of the detector's supervision by causal labels; 0 for none.
    """

    needs_regimes: ClassVar[bool] = True

    def __init__(
        self,
        *,
        horizon: int = 21,
        execution_lag: int = 1,
        mode: Mode = "pooled",
        lookback: int = 63,
        timeframes: tuple[int, ...] = (1, 5, 21),
        blocks: dict[str, Any] | None = None,
        width: int = 16,
        head: str = "linear",
        attention_heads: int = 2,
        smoothness_weight: float = 0.01,
        label_weight: float = 0.1,
        dropout: float = 0.1,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        volatility_weight: float = 0.1,
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
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            volatility_weight=volatility_weight,
            training=training,
            n_seeds=n_seeds,
            seed=seed,
            device=device,
        )
        self.blocks = blocks
        self.width = width
        self.head = head
        self.attention_heads = attention_heads
        self.smoothness_weight = smoothness_weight
        self.label_weight = label_weight
        self.dropout = dropout

    def required_regimes(self) -> frozenset[str]:
        """One regime per block where labels supervise the detector."""
        wanted = frozenset(REGIME_OF_BLOCK[block] for block in BLOCKS)
        return wanted if self.label_weight > 0 else frozenset()

    def fit(self, market: Market) -> Self:
        """Train the architecture's weights; see :class:`NeuralForecaster`."""
        if self.label_weight > 0:
            market = align_regimes(market)
        return super().fit(market)

    def objective(self) -> Objective:
        """Prediction error and the market penalties."""
        return Objective(
            volatility_weight=self.volatility_weight,
            smoothness_weight=self.smoothness_weight,
            label_weight=self.label_weight,
        )

    def build_network(self, sizes: Mapping[str, Any]) -> ForecastNetwork:
        """The architecture with untrained weights.

        Raises:
            ParameterError: There is no architecture or it does not fit together.
        """
        if self.blocks is None:
            raise ParameterError(
                "regime_nas has no architecture yet; run the nas_search pipeline or give 'blocks'."
            )
        n_nodes, make_edge = operation_edges(self.blocks, self.width, self.attention_heads)
        if self.head not in HEADS:
            raise ParameterError(f"regime_nas: head '{self.head}' is none of {', '.join(HEADS)}.")
        if self.width % self.attention_heads:
            raise ParameterError(
                f"regime_nas: width {self.width} must be divisible by attention_heads "
                f"{self.attention_heads}."
            )
        return RegimeNet(
            n_assets=sizes["n_assets"],
            n_asset_features=sizes["n_asset_features"],
            market_timeframes=tuple(sizes["market_timeframes"]),
            joint=self.mode == "joint",
            width=self.width,
            nodes=n_nodes,
            head=self.head,
            attention_heads=self.attention_heads,
            dropout=self.dropout,
            make_edge=make_edge,
        )


def align_regimes(market: Market) -> Market:
    """Put the causal labels into the order of the blocks that they supervise.

    Raises:
        ParameterError: There are no labels, or not one for each block.
    """
    wanted = [REGIME_OF_BLOCK[block] for block in BLOCKS]
    if market.regimes is None or set(market.regime_names) != set(wanted):
        raise ParameterError(
            f"regime_nas: label_weight > 0 needs labels named {', '.join(wanted)}; there are "
            f"{', '.join(market.regime_names) or 'none'}. Set label_weight to 0 or choose a "
            "labeller with those regimes."
        )
    order = [market.regime_names.index(name) for name in wanted]
    return replace(market, regimes=market.regimes[:, order], regime_names=tuple(wanted))
