"""Causal features of every asset and of the market, over several timeframes.

Every feature of bar t is a sum over the last bars up to t, added in a fixed order, so that a
value does not depend on which slice of history it was computed from, to the bit.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from regime_nas_pipeline.market.market import Market

VOLATILITY_WINDOW = 63
VOLUME_WINDOW = 63
# A stale price has no volatility; the floor keeps every ratio finite (0.001 % a bar).
VOLATILITY_FLOOR = 1e-5

# Rows are worked on some at a time, so that a large market fits the processor's cache as a small
# one does, and costs as much a number. Features take as many rows at once, whatever the length:
# of a few assets in many rows the results would lie far apart.
_NUMBERS_AT_ONCE = 16_384
_BLOCK_NUMBERS = 65_536
_BLOCK_ROWS = 1_024


@dataclass(frozen=True)
class Features:
    """Features of one stretch of bars.

    Attributes:
        asset: (T, N, F) float64, blank where an asset has too little history.
        market: (T, F) mean over the members of the universe that have features at that bar.
        volatility: (T, N) trailing root-mean-square one-bar log return.
        names: The F feature names.
        timeframes: For each feature the timeframe (in bars) that it belongs to, length F.
    """

    asset: np.ndarray
    market: np.ndarray
    volatility: np.ndarray
    names: tuple[str, ...]
    timeframes: tuple[int, ...]

    @cached_property
    def complete(self) -> np.ndarray:
        """Whether an asset has every feature at a bar, (T, N) bool."""
        found = np.empty(self.asset.shape[:2], dtype=bool)
        for rows in _row_blocks(self.asset, len(found)):
            found[rows] = np.isfinite(self.asset[rows]).all(axis=-1)
        return found


def warm_up(timeframes: tuple[int, ...]) -> int:
    """Closes that an asset needs before its first bar with features."""
    # The lag product divides by trailing volatility before it is averaged over its timeframe.
    return max(VOLATILITY_WINDOW, VOLUME_WINDOW) + max(timeframes)


def trailing_sum(values: np.ndarray, window: int) -> np.ndarray:
    """Sum over the last ``window`` rows at every row; blank before there are that many.

    The terms are added oldest first at every row, so the result at a row is the same to the bit
    wherever the array starts.
    """
    result = np.full(values.shape, np.nan)
    n_rows = len(values) - window + 1
    for rows in _row_blocks(values, n_rows, least=window):
        total = result[rows.start + window - 1 : rows.stop + window - 1]
        total[...] = values[rows]
        for offset in range(1, window):
            total += values[rows.start + offset : rows.stop + offset]
    return result


def _row_blocks(values: np.ndarray, n_rows: int, least: int = 1) -> Iterator[slice]:
    """The first ``n_rows`` rows, in blocks of at least ``least``."""
    width = math.prod(values.shape[1:])
    size = max(least, _NUMBERS_AT_ONCE // max(1, width))
    for first in range(0, n_rows, size):
        yield slice(first, min(first + size, n_rows))


def trailing_volatility(log_returns: np.ndarray) -> np.ndarray:
    """Root mean square of the last 63 one-bar log returns, floored, (T, N)."""
    mean_square = trailing_sum(log_returns**2, VOLATILITY_WINDOW) / VOLATILITY_WINDOW
    return np.maximum(np.sqrt(mean_square), VOLATILITY_FLOOR)


def make_features(market: Market, timeframes: tuple[int, ...]) -> Features:
    """Features of every bar of ``market``.

    For each timeframe of k bars: the aggregated return over trailing volatility; for k = 1 the
    absolute return, else the log ratio of realised to trailing volatility and the efficiency
    ratio |sum r| / sum |r|; and the mean product of neighbouring returns r_t r_(t-1), whose sign
    tells a trend from a range. Once, the logarithm of trailing volatility itself, since the
    others say nothing about its level. Where the market has them: log range over volatility and
    the log ratio of volume to its trailing mean, as features of the first timeframe; an asset
    that lacks them beside others that have them gets 0, the neutral value.
    """
    volatility = np.empty(market.close.shape)
    asset = np.empty((*market.close.shape, 0))
    names: list[tuple[str, int]] = []
    n_rows, n_assets = market.close.shape
    for rows, before, some in _blocks(n_rows, n_assets, warm_up(timeframes)):
        seen = slice(rows.start - before, rows.stop)
        columns, found = _columns(market, seen, some, timeframes)
        volatility[rows, some] = found[before:]
        if not names:
            names = [(name, k) for name, k, _ in columns]
            asset = np.empty((*market.close.shape, len(names)))
        asset[rows, some] = stack_complete([column[before:] for _, _, column in columns])
    return Features(
        asset=asset,
        market=mean_over_members(market, asset),
        volatility=volatility,
        names=tuple(name for name, _ in names),
        timeframes=tuple(k for _, k in names),
    )


def _blocks(n_rows: int, n_assets: int, before: int) -> Iterator[tuple[slice, int, slice]]:
    """Rows, how many of those before them (at most ``before``) are looked at, and assets.

    Nothing in a feature comes from another asset or from a bar further back.
    """
    for first in range(0, max(1, n_rows), _BLOCK_ROWS):
        rows, seen = slice(first, min(first + _BLOCK_ROWS, n_rows)), min(first, before)
        step = max(1, _BLOCK_NUMBERS // max(1, rows.stop - first + seen))
        for asset in range(0, max(1, n_assets), step):
            yield rows, seen, slice(asset, asset + step)


def mean_and_deviation(asset: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (ddof 0) of each feature, both (F,), to the bit NumPy's own.

    Args:
        asset: Values per asset, (T, N, F), F at least 2.
        chosen: Which of them count, (T, N) bool, at least one.
    """
    count = int(chosen.sum())
    mean = _sum_over(asset, chosen, lambda some: some) / count
    squares = _sum_over(asset, chosen, lambda some: np.square(some - mean))
    return mean, np.sqrt(squares / count)


def _sum_over(
    asset: np.ndarray, chosen: np.ndarray, change: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Sum of what ``change`` makes of the chosen values, row after row, without a copy of all."""
    total = np.empty((0, asset.shape[-1]))
    for rows in _row_blocks(asset, len(asset)):
        some = change(asset[rows][chosen[rows]])
        total = np.concatenate([total, some]).sum(axis=0, keepdims=True)[: len(total) + len(some)]
    added: np.ndarray = total[0]
    return added


def _columns(
    market: Market, rows: slice, assets: slice, timeframes: tuple[int, ...]
) -> tuple[list[tuple[str, int, np.ndarray]], np.ndarray]:
    """Name, timeframe and values (R, n) of every feature of some assets, and their volatility."""
    returns = np.ascontiguousarray(market.log_returns[rows, assets])
    volatility = trailing_volatility(returns)
    scaled = returns / volatility
    product = np.full(returns.shape, np.nan)
    product[1:] = returns[1:] * returns[:-1]
    product /= volatility**2
    columns: list[tuple[str, int, np.ndarray]] = []
    for k in timeframes:
        columns += _timeframe_features(returns, scaled, product, volatility, k)
    columns.append(("trailing_volatility", max(timeframes), np.log(volatility)))
    fields = {name: values[rows, assets] for name, values in market.fields.items()}
    return columns + _bar_features(fields, volatility, timeframes[0]), volatility


def stack_complete(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Features side by side, (T, N, F), blank where any of them is.

    Args:
        columns: F features, each (T, N).
    """
    stacked = np.empty((*columns[0].shape, len(columns)))
    for rows in _row_blocks(stacked, len(stacked)):
        some = np.stack([column[rows] for column in columns], axis=-1)
        some[~np.isfinite(some).all(axis=-1)] = np.nan
        stacked[rows] = some
    return stacked


def mean_over_members(market: Market, asset: np.ndarray) -> np.ndarray:
    """Mean over the assets that belong to the universe, (T, F); blank where none has a value.

    An asset that joins later must not count before: it may have joined because it rose.

    Args:
        market: Says who is a member.
        asset: Values per asset, (T, N, F), blank where an asset has none.
    """
    mean = np.empty((len(asset), asset.shape[-1]))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        for rows in _row_blocks(asset, len(asset)):
            some = asset[rows]
            if market.members is not None:
                some = np.where(market.members[rows, :, None], some, np.nan)
            mean[rows] = np.nanmean(some, axis=1)
    return mean


def _timeframe_features(
    returns: np.ndarray,
    scaled: np.ndarray,
    product: np.ndarray,
    volatility: np.ndarray,
    k: int,
) -> list[tuple[str, int, np.ndarray]]:
    if k == 1:
        return [
            ("return_1", 1, scaled),
            ("absolute_return_1", 1, np.abs(scaled)),
            ("lag_product_1", 1, product),
        ]
    total = trailing_sum(returns, k)
    path = np.maximum(trailing_sum(np.abs(returns), k), VOLATILITY_FLOOR)
    realised = np.maximum(np.sqrt(trailing_sum(returns**2, k) / k), VOLATILITY_FLOOR)
    return [
        (f"return_{k}", k, total / (volatility * np.sqrt(k))),
        (f"realised_volatility_{k}", k, np.log(realised / volatility)),
        (f"efficiency_ratio_{k}", k, np.abs(total) / path),
        (f"lag_product_{k}", k, trailing_sum(product, k) / k),
    ]


def _bar_features(
    fields: Mapping[str, np.ndarray], volatility: np.ndarray, timeframe: int
) -> list[tuple[str, int, np.ndarray]]:
    found: list[tuple[str, int, np.ndarray]] = []
    if {"high", "low"} <= set(fields):
        log_range = np.log(fields["high"] / fields["low"])
        found.append(("log_range", timeframe, np.nan_to_num(log_range / volatility)))
    if "volume" in fields:
        volume = fields["volume"] + 1.0
        mean = trailing_sum(volume, VOLUME_WINDOW) / VOLUME_WINDOW
        found.append(("log_volume_ratio", timeframe, np.nan_to_num(np.log(volume / mean))))
    return found
