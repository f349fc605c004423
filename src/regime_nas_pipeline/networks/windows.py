"""Windows of features as one tensor and row numbers: batches are gathered, never copied ahead."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Windows that end at B decision bars, for N assets.

    Attributes:
        asset: (B, N, L, F) scaled asset features, 0 where an asset is not in the universe.
        market: (B, L + 1, G) scaled market features; the first bar lies before the assets' windows,
            and networks leave it out.
        mask: (B, N) bool, True where the asset has a whole window (and, in training, a target).
        target: (B, N) scaled targets, 0 where masked.
        regimes: (B, K) causal regime probabilities, blank where unknown; or None.
        weight: (B, N) weight of each squared error; or None for 1.
    """

    asset: Tensor
    market: Tensor
    mask: Tensor
    target: Tensor
    regimes: Tensor | None = None
    weight: Tensor | None = None

    def flat(self, *, with_market: bool = True) -> Tensor:
        """Every window in one row, (B, N, L * (F + G)) float64, bar after bar.

        Args:
            with_market: Whether the market's features stand beside the asset's at every bar.
        """
        windows = self.asset
        if with_market:
            market = self.market[:, None, 1:].expand(-1, windows.shape[1], -1, -1)
            windows = torch.cat([windows, market], dim=-1)
        return windows.flatten(2).double()


@dataclass(frozen=True)
class WindowData:
    """Feature rows from which windows are cut.

    Attributes:
        asset: (T, N, F) float32, 0 where blank.
        market: (T, G) float32, 0 where blank.
        usable: (T, N) bool: in the universe with a complete window of ``lookback`` bars.
        target: (T, N) float32 scaled targets, NaN where unknown.
        lookback: Bars in a window, L.
        regimes: (T, K) float32 or None.
        weight: (T, N) float32 weight of each squared error, or None for 1.
    """

    asset: Tensor
    market: Tensor
    usable: Tensor
    target: Tensor
    lookback: int
    regimes: Tensor | None = None
    weight: Tensor | None = None

    def select(self, assets: np.ndarray) -> WindowData:
        """Windows of some assets; ``assets`` is a mask or positions over the N."""
        if assets.dtype == bool and assets.all():
            return self
        keep = torch.as_tensor(assets, device=self.asset.device)
        return replace(
            self,
            asset=self.asset[:, keep],
            usable=self.usable[:, keep],
            target=self.target[:, keep],
            weight=None if self.weight is None else self.weight[:, keep],
        )

    def known_samples(self, rows: np.ndarray) -> int:
        """Windows with a known target among those that end at ``rows``."""
        end = torch.as_tensor(rows, device=self.asset.device)
        return int((self.usable[end] & torch.isfinite(self.target[end])).sum())

    def batch(self, rows: np.ndarray, *, need_target: bool) -> Batch:
        """Windows that end at ``rows``.

        Args:
            rows: (B,) row numbers, each at least ``lookback``.
            need_target: Mask assets whose target is unknown.
        """
        end = torch.as_tensor(rows, device=self.asset.device)
        back = torch.arange(-self.lookback, 1, device=self.asset.device)
        window = end[:, None] + back[None, :]
        asset = self.asset[window[:, 1:]].transpose(1, 2)
        mask = self.usable[end]
        target = self.target[end]
        if need_target:
            mask = mask & torch.isfinite(target)
        return Batch(
            asset=asset,
            market=self.market[window],
            mask=mask,
            target=torch.where(mask, target, torch.zeros_like(target)),
            regimes=None if self.regimes is None else self.regimes[end],
            weight=None if self.weight is None else self.weight[end],
        )


def complete_windows(finite: np.ndarray, lookback: int) -> np.ndarray:
    """Whether the last ``lookback`` rows are all True, (T, N) bool."""
    counts = np.cumsum(finite, axis=0)
    counts[lookback:] = counts[lookback:] - counts[:-lookback]
    result: np.ndarray = counts == lookback
    return result
