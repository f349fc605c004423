"""Forecasts from a Transformer encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.inputs import FeatureSet, TargetScale
from regime_nas_pipeline.forecasters.neural import Mode, NeuralForecaster
from regime_nas_pipeline.networks.base import ForecastNetwork
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.training import TrainingPlan
from regime_nas_pipeline.networks.transformer import TransformerNetwork


class TransformerForecaster(NeuralForecaster):
    """Transformer encoder with a CLS token (Vaswani et al. 2017, arXiv 1706.03762).

    The other arguments are those of :class:`NeuralForecaster`.

    Args:
        width: Model width, even and divisible by ``attention_heads``.
        layers: Encoder layers.
        attention_heads: Heads per layer.
        feed_forward: Width of the feed-forward part as a multiple of ``width``.
        dropout: Dropout in the encoder and before the head.
    """

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
        width: int = 32,
        layers: int = 2,
        attention_heads: int = 4,
        feed_forward: int = 2,
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
        self.width = width
        self.layers = layers
        self.attention_heads = attention_heads
        self.feed_forward = feed_forward
        self.dropout = dropout

    def check_shape(self) -> None:
        """Refuse a width that is odd or not divisible by the heads.

        Raises:
            ParameterError: Names both.
        """
        even = self.width > 0 and self.width % 2 == 0
        if not even or self.attention_heads < 1 or self.width % self.attention_heads:
            raise ParameterError(
                f"transformer: width {self.width} must be even and divisible by attention_heads "
                f"{self.attention_heads}."
            )

    def build_network(self, sizes: Mapping[str, Any]) -> ForecastNetwork:
        """An untrained encoder.

        Raises:
            ParameterError: The width is odd or not divisible by the heads.
        """
        self.check_shape()
        return TransformerNetwork(
            n_assets=sizes["n_assets"],
            n_asset_features=sizes["n_asset_features"],
            n_market_features=len(sizes["market_timeframes"]),
            joint=self.mode == "joint",
            lookback=self.lookback,
            width=self.width,
            layers=self.layers,
            attention_heads=self.attention_heads,
            feed_forward=self.feed_forward,
            dropout=self.dropout,
        )
