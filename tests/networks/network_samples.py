"""Random batches and window data that the network tests share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from regime_nas_pipeline.networks.windows import Batch, WindowData

MARKET_TIMEFRAMES = (1, 1, 5, 5, 21)
N_FEATURES = 4


def random_batch(
    *, size: int = 3, n_assets: int = 4, length: int = 24, regimes: bool = False, seed: int = 0
) -> Batch:
    """A batch in which about a quarter of the assets is masked, never the first one."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    mask = torch.rand(size, n_assets, generator=generator) < 0.75
    mask[:, 0] = True
    labels = torch.softmax(normal(size, 3), dim=-1) if regimes else None
    return Batch(
        asset=normal(size, n_assets, length, N_FEATURES),
        market=normal(size, length + 1, len(MARKET_TIMEFRAMES)),
        mask=mask,
        target=torch.where(mask, normal(size, n_assets), torch.zeros(())),
        regimes=labels,
    )


def random_windows(
    *, n_bars: int = 200, n_assets: int = 3, lookback: int = 6, seed: int = 0
) -> WindowData:
    """Features of pure noise; the target of a bar is unknown until overwritten."""
    generator = torch.Generator().manual_seed(seed)
    usable = torch.ones(n_bars, n_assets, dtype=torch.bool)
    usable[: lookback - 1] = False
    return WindowData(
        asset=torch.randn(n_bars, n_assets, N_FEATURES, generator=generator),
        market=torch.randn(n_bars, len(MARKET_TIMEFRAMES), generator=generator),
        usable=usable,
        target=torch.full((n_bars, n_assets), torch.nan),
        lookback=lookback,
    )


def with_signal(data: WindowData, signal: torch.Tensor, noise: float, seed: int = 1) -> WindowData:
    """Targets of variance one: the ``signal`` (T, N) of variance one, and noise.

    The last bar's target stays unknown, as for a horizon of one bar without lag.
    """
    generator = torch.Generator().manual_seed(seed)
    shocks = torch.randn(signal.shape, generator=generator)
    target = np.sqrt(1 - noise**2) * signal + noise * shocks
    target[-1] = torch.nan
    return replace(data, target=target.float())
