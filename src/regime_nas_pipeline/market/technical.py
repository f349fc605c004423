"""The usual indicators of technical analysis, as causal features of every asset's own bars.

Every feature of bar t is made of the last bars up to t, added in a fixed order, so that a value
does not depend on which slice of history it was computed from, to the bit.
"""

from __future__ import annotations

import numpy as np

from regime_nas_pipeline.market.features import (
    Features,
    mean_over_members,
    stack_complete,
    trailing_sum,
)
from regime_nas_pipeline.market.market import Market

WINDOW = 20
"""Bars of the volatility, the moving average and the mean volume."""

RSI_WINDOW = 14
"""Bars of the relative strength index."""

TECHNICAL_HISTORY = WINDOW + 1
"""Closes that an asset needs before its first bar with features: so many make 20 returns."""


def technical_features(market: Market) -> Features:
    """Open, high, low, close and volume of every bar, and five indicators.

    Prices enter as log distances from the close before, and volume as its log change: levels of
    one decade say nothing about another. Then the root mean square return of 20 bars, the close
    over its 20-bar mean less 1, the relative strength index of 14 bars from -0.5 to 0.5, and the
    log ratio of volume to its 20-bar mean. What the market has no field for is left out; where an
    asset lacks a value beside others that have it, the feature is 0, its neutral value.

    The index is Cutler's, with plain means of gains and losses. Wilder's own smooths over all of
    the past, so that its value would hang on where the data begin.

    Args:
        market: Prices.

    Returns:
        Features over bars from the first with :data:`TECHNICAL_HISTORY` closes on. Their
        volatility is 1 throughout: targets are forecast as plain returns.

    Source: Wilder, J. W. (1978). New Concepts in Technical Trading Systems.
    """
    returns = market.log_returns
    columns: list[tuple[str, int, np.ndarray]] = [("return", 1, returns)]
    columns += _price_fields(market)
    mean_square = trailing_sum(returns**2, WINDOW) / WINDOW
    mean_close = trailing_sum(market.close, WINDOW) / WINDOW
    columns += [
        ("volatility", WINDOW, np.sqrt(mean_square)),
        ("ma_ratio", WINDOW, market.close / mean_close - 1.0),
        ("rsi", RSI_WINDOW, _relative_strength(returns)),
    ]
    columns += _volume_fields(market)
    asset = stack_complete([column for _, _, column in columns])
    return Features(
        asset=asset,
        market=mean_over_members(market, asset),
        volatility=np.ones(market.close.shape),
        names=tuple(name for name, _, _ in columns),
        timeframes=tuple(bars for _, bars, _ in columns),
    )


def _price_fields(market: Market) -> list[tuple[str, int, np.ndarray]]:
    before = np.full(market.close.shape, np.nan)
    before[1:] = market.close[:-1]
    return [
        (name, 1, np.nan_to_num(np.log(market.fields[name] / before)))
        for name in ("open", "high", "low")
        if name in market.fields
    ]


def _volume_fields(market: Market) -> list[tuple[str, int, np.ndarray]]:
    if "volume" not in market.fields:
        return []
    volume = market.fields["volume"] + 1.0
    change = np.full(volume.shape, np.nan)
    change[1:] = np.diff(np.log(volume), axis=0)
    mean = trailing_sum(volume, WINDOW) / WINDOW
    return [
        ("volume", 1, np.nan_to_num(change)),
        ("volume_ratio", WINDOW, np.nan_to_num(np.log(volume / mean))),
    ]


def _relative_strength(returns: np.ndarray) -> np.ndarray:
    """Share of gains in all movement less a half, (T, N); 0 where nothing moved."""
    gains = trailing_sum(np.maximum(returns, 0.0), RSI_WINDOW)
    path = trailing_sum(np.abs(returns), RSI_WINDOW)
    still = path == 0.0
    strength: np.ndarray = np.where(still, 0.0, gains / np.where(still, 1.0, path) - 0.5)
    return strength
