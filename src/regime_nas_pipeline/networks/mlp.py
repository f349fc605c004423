"""Multilayer perceptron over flattened feature windows: no notion of time, order or regime."""

from __future__ import annotations

from torch import nn

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.networks.base import ForecastNetwork, GaussianHead, NetworkOutput
from regime_nas_pipeline.networks.windows import Batch


class MLPNetwork(ForecastNetwork):
    """Fully connected ReLU layers on every number of the window at once.

    Args:
        n_assets: N.
        n_asset_features: F.
        n_market_features: G.
        joint: All assets at once.
        lookback: Bars in a window.
        width: Units per hidden layer.
        layers: Hidden layers, at least one.
        dropout: Dropout after each hidden layer.

    Raises:
        ParameterError: There is no hidden layer.
    """

    def __init__(
        self,
        *,
        n_assets: int,
        n_asset_features: int,
        n_market_features: int,
        joint: bool,
        lookback: int,
        width: int,
        layers: int,
        dropout: float,
    ) -> None:
        super().__init__(n_assets=n_assets, n_asset_features=n_asset_features, joint=joint)
        if layers < 1:
            raise ParameterError(f"mlp: layers must be at least 1 and is {layers}.")
        size = lookback * (self.n_inputs + n_market_features)
        hidden: list[nn.Module] = []
        for _ in range(layers):
            hidden += [nn.Linear(size, width), nn.ReLU(), nn.Dropout(dropout)]
            size = width
        self.hidden = nn.Sequential(*hidden)
        self.head = GaussianHead(width, self.n_outputs)

    def forward(self, batch: Batch) -> NetworkOutput:
        """Forecast from all bars of the window, asset and market features alike."""
        mean, log_volatility = self.head(self.hidden(self.with_market(batch).flatten(2)))
        return NetworkOutput(mean, log_volatility)
