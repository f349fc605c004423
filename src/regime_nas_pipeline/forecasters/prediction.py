"""From the dates that are asked for to batches of windows, and from outputs back to forecasts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from regime_nas_pipeline.forecasters.base import Forecast, blank_forecast_array
from regime_nas_pipeline.forecasters.inputs import InputSpec, Scaling, scaled_windows
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.windows import Batch, WindowData

# So many dates or more are forecast in batches of this size: several times as fast as one by one,
# the same up to the rounding of sums, and to the bit whatever dates stand beside them in a batch.
PREDICTION_DATES = 64


def prediction_windows(
    market: Market, rows: np.ndarray, spec: InputSpec, scaling: Scaling, device: torch.device
) -> tuple[WindowData, np.ndarray, np.ndarray]:
    """Windows that end at ``rows`` and nothing later than the last of them.

    Features are made once for the stretch of bars that the windows need, so that a forecast
    costs the same at any date. Every feature is a function of the bars up to its own, the same
    to the bit in whichever stretch it is made.

    Args:
        market: May go on after the last row.
        rows: (R,) rows of ``market``, at least one.
        spec: What the network sees.
        scaling: Learned in training.
        device: Where the tensors go.

    Returns:
        The windows, the positions of ``rows`` in them, (R,), and the volatility that a forecast
        is scaled back with, (R, N).
    """
    first = max(0, int(rows.min()) + 1 - spec.prediction_bars())
    recent = market.slice(first, int(rows.max()) + 1)
    features = spec.make(recent)
    data = scaled_windows(recent.eligible, features, spec, scaling, device)
    return data, rows - first, features.volatility[rows - first]


@dataclass(frozen=True)
class AskedBatch:
    """Windows to forecast from, and where their forecasts belong.

    Attributes:
        batch: Windows of B decision dates and n assets, some of them only to fill it up.
        seen: Which outputs are forecasts, (B, n) bool.
        lines: Line of the forecast table of each of the k forecasts.
        columns: Its column there.
        scale: What a scaled target is multiplied with to be a log return, (k,).
    """

    batch: Batch
    seen: np.ndarray
    lines: np.ndarray
    columns: np.ndarray
    scale: np.ndarray

    def put(self, scaled: np.ndarray, table: np.ndarray) -> None:
        """Write outputs (B, n), in units of scaled targets, into a forecast table (D, N)."""
        table[self.lines, self.columns] = scaled[self.seen] * self.scale


def asked_batches(
    market: Market,
    dates: pd.DatetimeIndex,
    spec: InputSpec,
    scaling: Scaling,
    columns: np.ndarray,
    device: torch.device,
) -> Iterator[AskedBatch]:
    """Batches of the windows behind the forecasts at ``dates``; none where nothing can be said.

    Args:
        market: Holds the dates; may go on after the last of them.
        dates: Decision dates, (D,).
        spec: What the network sees.
        scaling: Learned in training.
        columns: Assets that can be forecast, (N,) bool.
        device: Where the tensors go.

    Raises:
        DataError: A date is not a bar of the market.
    """
    rows = np.array([market.position(date) for date in dates], dtype=int)
    # A window needs the market's features one bar before its own first bar.
    lines = np.flatnonzero(rows >= spec.lookback)
    if not len(lines):
        return
    data, ends, volatility = prediction_windows(market, rows[lines], spec, scaling, device)
    data = data.select(columns)
    size = volatility[:, columns] * np.sqrt(spec.horizon) * scaling.target_size
    known = data.usable[torch.as_tensor(ends, device=device)].cpu().numpy()
    for places, n_asked in _fixed_batches(np.flatnonzero(known.any(axis=1))):
        seen = known[places]
        seen[n_asked:] = False
        line, column = np.nonzero(seen)
        yield AskedBatch(
            batch=data.batch(ends[places], need_target=False),
            seen=seen,
            lines=lines[places][line],
            columns=np.flatnonzero(columns)[column],
            scale=size[places][seen],
        )


def _fixed_batches(places: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Batches of one size and how many of each were asked for; a few places come one by one."""
    size = PREDICTION_DATES if len(places) >= PREDICTION_DATES else 1
    for start in range(0, len(places), size):
        part = places[start : start + size]
        yield np.pad(part, (0, size - len(part)), mode="edge"), len(part)


def average_over_seeds(
    market: Market, dates: pd.DatetimeIndex, mean: np.ndarray, volatility: np.ndarray
) -> Forecast:
    """One forecast from those of S networks.

    Args:
        market: Whose assets were forecast.
        dates: Decision dates, length D.
        mean: (S, D, N), blank where an asset was not forecast.
        volatility: (S, D, N).
    """
    known = np.isfinite(mean[0])
    averages = [blank_forecast_array(market, dates) for _ in range(3)]
    averages[0][known] = mean.mean(axis=0)[known]
    # The variances are averaged: the mixture's own, less the disagreement about the mean.
    averages[1][known] = np.sqrt((volatility**2).mean(axis=0))[known]
    averages[2][known] = mean.std(axis=0)[known]
    alone = np.where(known, mean, np.nan)
    return Forecast(dates, market.assets, averages[0], averages[1], averages[2], alone)
