"""Gated recurrent unit network (Cho et al. 2014) over feature windows."""

from __future__ import annotations

from torch import nn

from regime_nas_pipeline.networks.base import ForecastNetwork, GaussianHead, NetworkOutput
from regime_nas_pipeline.networks.fast_gru import FastGRU
from regime_nas_pipeline.networks.windows import Batch


class GRUNetwork(ForecastNetwork):
    """GRU layers; the last state gives mean and log-volatility.

    Args:
        n_assets: N.
        n_asset_features: F.
        n_market_features: G.
        joint: All assets at once.
        width: Hidden units per layer.
        layers: Stacked layers.
        dropout: Dropout between layers and before the head.
    """

    busy_from = 250  # of fewer, a bar is a few small operations, each called for itself

    def __init__(
        self,
        *,
        n_assets: int,
        n_asset_features: int,
        n_market_features: int,
        joint: bool,
        width: int,
        layers: int,
        dropout: float,
    ) -> None:
        super().__init__(n_assets=n_assets, n_asset_features=n_asset_features, joint=joint)
        self.gru = FastGRU(
            self.n_inputs + n_market_features,
            width,
            num_layers=layers,
            dropout=dropout if layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(dropout)
        self.head = GaussianHead(width, self.n_outputs)

    def forward(self, batch: Batch) -> NetworkOutput:
        """Forecast from the state after the last bar."""
        windows = self.with_market(batch)
        size, rows = windows.shape[:2]
        last = self.gru.last_state(windows.flatten(0, 1))
        state = self.dropout(last).reshape(size, rows, -1)
        mean, log_volatility = self.head(state)
        return NetworkOutput(mean, log_volatility)
