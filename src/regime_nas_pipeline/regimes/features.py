"""One catalogue of causal features of a whole market, by name, for every labeller.

A feature of a bar uses the market up to this bar, and has the same bits whatever follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.features import trailing_sum
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.observed import volatility_index

ROUNDING = 1e-9
"""Relative differences below this are rounding errors of the prices, not movement."""

SETTLED = 3
"""Halflives of returns before an exponentially weighted feature is known."""

_WINDOWS_AT_ONCE = 2048


@dataclass(frozen=True, eq=False)
class _Bars:
    """What the features of one market are made of."""

    market: Market
    returns: np.ndarray


class _Computed(NamedTuple):
    """A feature, (T,), and the bars at which it has no meaning because nothing moves, (T,)."""

    column: np.ndarray
    still: np.ndarray | None = None


def _over_windows(
    values: np.ndarray, length: int, reduce: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """``reduce`` of every trailing window, (T,), blank before the first full one.

    Windows are copied: a reduction over a contiguous row has the same bits whatever other rows
    there are, which a reduction over an overlapping view does not promise. They are copied some
    at a time, because all windows of years of hourly bars at once would fill the memory.

    Args:
        values: One value a bar, (T,).
        length: Bars of a window.
        reduce: From windows (n, length) to one number each, (n,).
    """
    result: np.ndarray = np.full(len(values), np.nan)
    if len(values) < length:
        return result
    windows = sliding_window_view(values, length)
    for start in range(0, len(windows), _WINDOWS_AT_ONCE):
        some = windows[start : start + _WINDOWS_AT_ONCE].copy()
        first = start + length - 1
        result[first : first + len(some)] = reduce(some)
    return result


def _return(bars: _Bars, window: int) -> _Computed:
    return _Computed(trailing_sum(bars.returns, window))


def _volatility(bars: _Bars, window: int) -> _Computed:
    squares = _over_windows(bars.returns, window, lambda windows: (windows**2).mean(axis=1))
    return _Computed(np.sqrt(squares * bars.market.bars_per_year))


def _log_volatility(bars: _Bars, window: int) -> _Computed:
    volatility = _volatility(bars, window).column
    still = volatility == 0.0
    return _Computed(np.log(np.where(still, np.nan, volatility)), still)


def _efficiency(bars: _Bars, window: int) -> _Computed:
    path = _over_windows(bars.returns, window, lambda windows: np.abs(windows).sum(axis=1))
    total = _over_windows(bars.returns, window, lambda windows: windows.sum(axis=1))
    still = path == 0.0
    return _Computed(np.abs(total) / np.where(still, np.nan, path), still)


def _autocorrelation(bars: _Bars, window: int) -> _Computed:
    ratio = _over_windows(bars.returns, window, _lag_one)
    # Infinite where nothing moves; what is blank is not known.
    still = np.isinf(ratio)
    return _Computed(np.where(still, np.nan, ratio), still)


def _lag_one(windows: np.ndarray) -> np.ndarray:
    """Lag-one autocorrelation of each row; infinite where a row does not vary."""
    deviations = windows - windows.mean(axis=1, keepdims=True)
    variation = (deviations**2).sum(axis=1)
    still = variation <= ROUNDING**2 * (windows**2).sum(axis=1)
    products = np.ascontiguousarray(deviations[:, 1:] * deviations[:, :-1])
    ratio: np.ndarray = products.sum(axis=1) / np.where(still, np.nan, variation)
    ratio[still] = np.inf
    return ratio


def _downside_deviation(bars: _Bars, halflife: int) -> _Computed:
    falls = pd.Series(np.minimum(bars.returns, 0.0) ** 2)
    mean = falls.ewm(halflife=halflife, min_periods=SETTLED * halflife).mean().to_numpy()
    deviation = np.sqrt(mean * bars.market.bars_per_year)
    return _Computed(np.where(np.isnan(bars.returns), np.nan, deviation))


_WINDOWED: dict[str, tuple[Callable[[_Bars, int], _Computed], int]] = {
    "return": (_return, 1),
    "volatility": (_volatility, 1),
    "log_volatility": (_log_volatility, 1),
    "efficiency": (_efficiency, 1),
    "autocorrelation": (_autocorrelation, 3),
    "downside_deviation": (_downside_deviation, 1),
}

CATALOGUE = {
    "return_N": "log return over the last N bars",
    "volatility_N": "root mean square log return of the last N bars, a year",
    "log_volatility_N": "its logarithm",
    "efficiency_N": "|sum| over sum of | | of the last N log returns: 1 on a straight line",
    "autocorrelation_N": "lag-one autocorrelation of the last N log returns, N at least 3",
    "downside_deviation_N": "root of the exponentially weighted mean square of the falls, a year; "
    "N is the halflife, and 3 N returns come first",
    "vix": "the market's volatility index, the one observed series; vix:NAME where there are more",
    "log_vix": "its logarithm; log_vix:NAME where there are more",
}
"""Names of features, with a number of bars for N, and what they are."""


@dataclass(frozen=True)
class Feature:
    """A feature of the catalogue.

    Attributes:
        kind: Name without window and series.
        window: Bars, or the halflife; 0 for the volatility index.
        series: Observed series, for the volatility index where it is named.
    """

    kind: str
    window: int = 0
    series: str | None = None

    @property
    def needed_returns(self) -> int:
        """Returns that come before the first value."""
        return self.window * (SETTLED if self.kind == "downside_deviation" else 1)


def parse_feature(name: str) -> Feature:
    """Read the name of a feature.

    Raises:
        ParameterError: The catalogue has no such feature, or its window is too short.
    """
    kind, colon, series = name.partition(":")
    if kind in {"vix", "log_vix"} and bool(colon) == bool(series):
        return Feature(kind, series=series or None)
    kind, _, number = name.rpartition("_")
    if kind not in _WINDOWED or not (number.isascii() and number.isdigit()):
        raise ParameterError(
            f"there is no feature '{name}'. Choose among: {', '.join(CATALOGUE)}, with a number "
            "of bars for N."
        )
    least = _WINDOWED[kind][1]
    if int(number) < least:
        raise ParameterError(f"the feature '{name}' needs a window of at least {least} bars.")
    return Feature(kind, window=int(number))


def parse_features(names: Sequence[str]) -> list[Feature]:
    """Read the names of features.

    Raises:
        ParameterError: See :func:`parse_feature`; or there is no name, or one twice.
    """
    if not names or len(set(names)) < len(names):
        raise ParameterError(
            f"features must name at least one feature, each once, and is {list(names)}."
        )
    return [parse_feature(name) for name in names]


def feature_history(names: Sequence[str]) -> int:
    """Bars that a market needs before all these features are known at its last one.

    Raises:
        ParameterError: See :func:`parse_features`.
    """
    return max(feature.needed_returns for feature in parse_features(names)) + 1


def feature_matrix(market: Market, names: Sequence[str]) -> np.ndarray:
    """Features of every bar, (T, D); a row is blank unless all of them are known.

    Args:
        market: Gives the market return (``market_return``) and the volatility index.
        names: Names of the :data:`CATALOGUE`.

    Raises:
        ParameterError: See :func:`parse_features`.
        DataError: A ratio or logarithm is undefined because the market return did not vary over
            a whole window, or the volatility index cannot be had.
    """
    bars = _Bars(market, market.market_return)
    computed = [_compute(bars, feature) for feature in parse_features(names)]
    still = np.any([part.still for part in computed if part.still is not None], axis=0)
    if np.any(still):
        raise DataError(
            "the market return did not vary over a whole feature window, so that regimes are "
            "undefined",
            source="prices",
            date=market.dates[int(np.argmax(still))],
            remedy="look for repeated prices before this date, or lengthen the windows.",
        )
    features = np.column_stack([part.column for part in computed])
    features[~np.isfinite(features).all(axis=1)] = np.nan
    return features


def _compute(bars: _Bars, feature: Feature) -> _Computed:
    if feature.window:
        return _WINDOWED[feature.kind][0](bars, feature.window)
    index = volatility_index(bars.market, _series_name(bars.market, feature))
    level = index.values  # noqa: PD011 - no pandas object
    return _Computed(np.log(level) if feature.kind == "log_vix" else level)


def _series_name(market: Market, feature: Feature) -> str:
    if feature.series is not None:
        return feature.series
    if len(market.observed) == 1:
        return next(iter(market.observed))
    raise DataError(
        f"the feature '{feature.kind}' reads the one observed series, and there are "
        f"{len(market.observed)} ({', '.join(market.observed) or 'none'})",
        source="prices",
        remedy=f"set universe.observed, or name the series: '{feature.kind}:NAME'.",
    )
