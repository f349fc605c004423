"""Causal features of every asset and of the market, over several timeframes.

Every feature of bar t is a sum over the last bars up to t, added in a fixed order, so that a
value does not depend on which slice of history it was computed from, to the bit.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from regime_nas_pipeline.market.market import Market

VOLATILITY_WINDOW = 63
VOLUME_WINDOW = 63
# A stale price has no volatility; the floor keeps every ratio finite (0.001 % a bar).
VOLATILITY_FLOOR = 1e-5


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
    if n_rows <= 0:
        return result
    total = values[:n_rows].copy()
    for offset in range(1, window):
        total += values[offset : offset + n_rows]
    result[window - 1 :] = total
    return result


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
    returns = market.log_returns
    volatility = trailing_volatility(returns)
    scaled = returns / volatility
    product = np.full(returns.shape, np.nan)
    product[1:] = returns[1:] * returns[:-1]
    product /= volatility**2
    columns: list[tuple[str, int, np.ndarray]] = []
    for k in timeframes:
        columns += _timeframe_features(returns, scaled, product, volatility, k)
    columns.append(("trailing_volatility", max(timeframes), np.log(volatility)))
    columns += _bar_features(market, volatility, timeframes[0])
    stacked = np.stack([column for _, _, column in columns], axis=-1)
    complete = np.isfinite(stacked).all(axis=-1, keepdims=True)
    asset = np.where(complete, stacked, np.nan)
    return Features(
        asset=asset,
        market=mean_over_members(market, asset),
        volatility=volatility,
        names=tuple(name for name, _, _ in columns),
        timeframes=tuple(k for _, k, _ in columns),
    )


def mean_over_members(market: Market, asset: np.ndarray) -> np.ndarray:
    """Mean over the assets that belong to the universe, (T, F); blank where none has a value.

    An asset that joins later must not count before: it may have joined because it rose.

    Args:
        market: Says who is a member.
        asset: Values per asset, (T, N, F), blank where an asset has none.
    """
    if market.members is not None:
        asset = np.where(market.members[:, :, None], asset, np.nan)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        mean: np.ndarray = np.nanmean(asset, axis=1)
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
    market: Market, volatility: np.ndarray, timeframe: int
) -> list[tuple[str, int, np.ndarray]]:
    found: list[tuple[str, int, np.ndarray]] = []
    if {"high", "low"} <= set(market.fields):
        log_range = np.log(market.fields["high"] / market.fields["low"])
        found.append(("log_range", timeframe, np.nan_to_num(log_range / volatility)))
    if "volume" in market.fields:
        volume = market.fields["volume"] + 1.0
        mean = trailing_sum(volume, VOLUME_WINDOW) / VOLUME_WINDOW
        found.append(("log_volume_ratio", timeframe, np.nan_to_num(np.log(volume / mean))))
    return found
