"""What every contender of ``training.py`` trains on, and how their forecasts are judged.

One refit of the default run: 20 stocks that ship with skfolio, from 2000 to the end of 2014,
windows of 60 bars, the return over 21 bars as target. Windows, targets and split are those of the
package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from allocation import bundled_market
from torch import Tensor, nn

from regime_nas_pipeline.forecasters.inputs import InputSpec, training_windows
from regime_nas_pipeline.networks.training import (
    Split,
    Steps,
    TrainingPlan,
    make_split,
)
from regime_nas_pipeline.networks.windows import WindowData

SPEC = InputSpec(lookback=60, timeframes=(1, 5, 21), horizon=21, execution_lag=1)
FIRST_OOS = pd.Timestamp("2015-01-01")

Network = Literal["gru", "transformer"]
NETWORKS: tuple[Network, ...] = ("gru", "transformer")
WIDTH, LAYERS, HEADS, FEED_FORWARD, DROPOUT = 64, {"gru": 1, "transformer": 2}, 4, 2, 0.1
STEPS = Steps(learning_rate=1e-3, weight_decay=1e-4)
CLIP = 1.0


@dataclass(frozen=True)
class Setting:
    """One way to train.

    Attributes:
        contender: ``project``, ``torch`` or ``neuralforecast``.
        network: Which.
        batch: Windows in a step.
        alone: One process on all cores; else one process with one thread on each core.
        series: Assets that neuralforecast draws the windows of a step from.
        seeds: Networks that each process trains; the package may train them side by side.
        mixed: Products of matrices in bfloat16, everything else in float32.
    """

    contender: str
    network: Network
    batch: int
    alone: bool = False
    series: int | None = None
    seeds: int = 1
    mixed: bool = False


@dataclass(frozen=True)
class Prepared:
    """Networks before their training.

    Attributes:
        run: Trains it; returns the windows that passed through losses.
        forecasts: Afterwards: each network's forecasts of the validation rows, (rows, N).
        parameters: Weights of one network.
    """

    run: Callable[[], int]
    forecasts: Callable[[], list[np.ndarray]]
    parameters: int


@dataclass(frozen=True)
class Work:
    """One training set and its validation rows.

    Attributes:
        data: T bars of N assets.
        split: Rows whose windows are trained on, every bar, and those that forecasts are judged on.
        sizes: What the package's networks are built from.
    """

    data: WindowData
    split: Split
    sizes: dict[str, Any]

    @property
    def n_assets(self) -> int:
        """N."""
        return self.data.asset.shape[1]

    def channels(self) -> Tensor:
        """Every asset's features with the market's beside them, (N, T, C)."""
        market = self.data.market[:, None].expand(-1, self.n_assets, -1)
        return torch.cat([self.data.asset, market], dim=-1).transpose(0, 1).contiguous()

    def error(self, forecasts: np.ndarray) -> float:
        """Mean squared error on the validation rows, in units of scaled targets squared.

        Args:
            forecasts: (validation rows, N).

        Raises:
            ValueError: A forecast is missing.
        """
        targets = self.data.target[self.split.validation].numpy().astype(float)
        if forecasts.shape != targets.shape or not np.isfinite(forecasts).all():
            raise ValueError(
                f"{targets.shape} finite forecasts are needed; got {forecasts.shape}, "
                f"{int(np.isfinite(forecasts).sum())} of them finite."
            )
        return float(np.mean((forecasts - targets) ** 2))


def make_work() -> Work:
    """Windows, targets and split of the last refit before the default run's first decision.

    Raises:
        ValueError: A window lacks an asset: contenders that know no masks would see other data.
    """
    market = bundled_market()
    known = market.until(market.dates[market.dates < FIRST_OOS][-1])
    windows = training_windows(known, SPEC, torch.device("cpu"))
    data = windows.data
    split = make_split(data, TrainingPlan(), execution_lag=SPEC.execution_lag, horizon=SPEC.horizon)
    rows = np.concatenate([split.training, split.validation])
    if not bool((data.usable & torch.isfinite(data.target))[rows].all()):
        raise ValueError("every asset must have a window and a target at every row.")
    return Work(data, split, windows.sizes)


def lookback_windows(channels: Tensor) -> Tensor:
    """Every window as a view, (N, T - L + 1, L, C); the one that ends at row r is at r - L + 1."""
    n_assets, n_bars, n_channels = channels.shape
    return channels.as_strided(
        (n_assets, n_bars - SPEC.lookback + 1, SPEC.lookback, n_channels),
        (n_bars * n_channels, n_channels, n_channels, 1),
    )


def count(network: nn.Module) -> int:
    """Number of weights."""
    return sum(weights.numel() for weights in network.parameters())
