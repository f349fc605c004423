"""Forecasts from a multilayer perceptron: what the inputs give to a network without structure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regime_nas_pipeline.forecasters.inputs import FeatureSet, TargetScale
from regime_nas_pipeline.forecasters.neural import Mode, NeuralForecaster
from regime_nas_pipeline.networks.base import ForecastNetwork
from regime_nas_pipeline.networks.mlp import MLPNetwork
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.training import TrainingPlan


class MLPForecaster(NeuralForecaster):
    """Multilayer perceptron on the flattened window (Rumelhart, Hinton and Williams 1986).

    The other arguments are those of :class:`NeuralForecaster`.

    Args:
        width: Units per hidden layer.
        layers: Hidden layers.
        dropout: Dropout after each hidden layer.
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
        self.dropout = dropout

    def build_network(self, sizes: Mapping[str, Any]) -> ForecastNetwork:
        """An untrained perceptron.

        Raises:
            ParameterError: There is no hidden layer.
        """
        return MLPNetwork(
            n_assets=sizes["n_assets"],
            n_asset_features=sizes["n_asset_features"],
            n_market_features=len(sizes["market_timeframes"]),
            joint=self.mode == "joint",
            lookback=self.lookback,
            width=self.width,
            layers=self.layers,
            dropout=self.dropout,
        )
