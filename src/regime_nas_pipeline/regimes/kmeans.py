"""Regimes as clusters of market-wide trend, range and volatility features."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.regimes.base import Labeller

FEATURES = ("volatility", "efficiency", "autocorrelation")

_ROUNDING = 1e-9
"""Relative differences below this are rounding errors of the prices, not movement."""


def market_return(market: Market) -> np.ndarray:
    """Mean one-bar log return over the assets in the universe, (T,); blank where there is none.

    An asset counts at a bar if it is eligible and has a return there. The sum runs asset by
    asset, so that its bits do not depend on how many bars the market has.
    """
    counted = market.eligible & np.isfinite(market.log_returns)
    total = np.zeros(len(market.dates))
    for column in range(len(market.assets)):
        total += np.where(counted[:, column], market.log_returns[:, column], 0.0)
    number = counted.sum(axis=1)
    mean: np.ndarray = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return mean


def _windows(values: np.ndarray, length: int) -> np.ndarray:
    """Trailing windows, (T, length), blank rows before the first full one.

    They are copied: a reduction over a contiguous row has the same bits whatever other rows there
    are, which a reduction over an overlapping view does not promise.
    """
    windows: np.ndarray = np.full((len(values), length), np.nan)
    if len(values) >= length:
        windows[length - 1 :] = sliding_window_view(values, length)
    return windows


def regime_features(
    market: Market, *, volatility_window: int, efficiency_window: int, autocorrelation_window: int
) -> np.ndarray:
    """Causal features of the equal-weight market return, (T, 3), in the order of FEATURES.

    Realised volatility (root mean square return, annualised), Kaufman's efficiency ratio
    |Σr| / Σ|r| (1 for a straight line, near 0 for a sideways market) and the lag-one
    autocorrelation, each over its own trailing window. A row is blank until all three windows
    are full.

    Raises:
        DataError: The market return did not vary over a whole window, so that a ratio is
            undefined.
    """
    returns = market_return(market)
    squares = (_windows(returns, volatility_window) ** 2).mean(axis=1)
    volatility = np.sqrt(squares * market.bars_per_year)

    steps = _windows(returns, efficiency_window)
    path = np.abs(steps).sum(axis=1)
    raw = _windows(returns, autocorrelation_window)
    deviations = raw - raw.mean(axis=1, keepdims=True)
    variation = (deviations**2).sum(axis=1)
    even = (path == 0) | (variation <= _ROUNDING**2 * (raw**2).sum(axis=1))
    if even.any():
        raise DataError(
            "the market return did not vary over a whole feature window, so that regimes are "
            "undefined",
            source="prices",
            date=market.dates[int(np.argmax(even))],
            remedy="look for repeated prices before this date, or lengthen the windows.",
        )
    efficiency = np.abs(steps.sum(axis=1)) / path
    products = np.ascontiguousarray(deviations[:, 1:] * deviations[:, :-1])
    features = np.column_stack([volatility, efficiency, products.sum(axis=1) / variation])
    features[~np.isfinite(features).all(axis=1)] = np.nan
    return features


class KMeansLabeller(Labeller):
    """K-means on market-wide volatility, efficiency ratio and autocorrelation.

    The three features (:func:`regime_features`) are standardised and clustered with what the
    market handed to :meth:`fit` holds. With three regimes the clusters get names that do not
    depend on the order in which K-means found them: ``volatile`` has the highest volatility, of
    the other two ``trend`` has the larger sum of standardised efficiency and autocorrelation and
    ``range`` the smaller. With any other number they are ``volatility_1`` (calmest) to
    ``volatility_K``.

    Probabilities are the responsibilities of K equally likely spherical Gaussians around the
    centroids that share one variance, the pooled within-cluster variance per dimension: the
    mixture of which K-means is the limit for a vanishing variance. They have no memory, so they
    are filtered by construction.

    Args:
        n_regimes: Number of clusters K, at least 2.
        volatility_window: Bars of the realised volatility.
        efficiency_window: Bars of the efficiency ratio.
        autocorrelation_window: Bars of the autocorrelation, at least 3.
        seed: Seed of the K-means starts.

    Attributes:
        feature_mean_: (3,) means of the features in training.
        feature_scale_: (3,) their standard deviations.
        centroids_: (K, 3) standardised centroids, in the order of ``regime_names``.
        variance_: Pooled within-cluster variance per dimension.
    """

    def __init__(
        self,
        n_regimes: int = 3,
        volatility_window: int = 21,
        efficiency_window: int = 21,
        autocorrelation_window: int = 63,
        seed: int = 0,
    ) -> None:
        self.n_regimes = n_regimes
        self.volatility_window = volatility_window
        self.efficiency_window = efficiency_window
        self.autocorrelation_window = autocorrelation_window
        self.seed = seed

    @property
    def regime_names(self) -> tuple[str, ...]:
        """``trend``, ``range``, ``volatile``; or ``volatility_1`` … if there are not three."""
        if self.n_regimes == 3:
            return ("trend", "range", "volatile")
        return tuple(f"volatility_{rank}" for rank in range(1, self.n_regimes + 1))

    def required_history(self) -> int:
        """Bars for the longest window, one for the first return, and a row for each cluster."""
        return self._longest_window() + 1 + self.n_regimes

    def _longest_window(self) -> int:
        return max(self.volatility_window, self.efficiency_window, self.autocorrelation_window)

    def _features(self, market: Market) -> np.ndarray:
        return regime_features(
            market,
            volatility_window=self.volatility_window,
            efficiency_window=self.efficiency_window,
            autocorrelation_window=self.autocorrelation_window,
        )

    def fit(self, market: Market) -> Self:
        """Standardise and cluster the features of every bar that has them.

        Raises:
            ParameterError: Fewer than two regimes or a window that is too short.
            DataError: The market is too short, or its features do not fall into K clusters.
        """
        if self.n_regimes < 2 or self.autocorrelation_window < 3:
            raise ParameterError(
                "KMeansLabeller needs n_regimes >= 2, autocorrelation_window >= 3."
            )
        if min(self.volatility_window, self.efficiency_window) < 1:
            raise ParameterError("KMeansLabeller needs windows of at least 1 bar.")
        self.check_fit_input(market)
        features = self._features(market)
        rows = features[np.isfinite(features[:, 0])]
        if not len(rows):
            raise self._indistinct(market, 0)
        self.feature_mean_ = rows.mean(axis=0)
        spread = rows.std(axis=0)
        # A feature that never changes has no unit in which it could tell regimes apart.
        varies = spread > _ROUNDING * np.abs(self.feature_mean_)
        self.feature_scale_ = np.where(varies, spread, 1.0)
        scaled = (rows - self.feature_mean_) / self.feature_scale_
        distinct = len(np.unique(np.round(scaled / _ROUNDING), axis=0))
        if distinct <= self.n_regimes:
            raise self._indistinct(market, distinct)
        # One thread: K-means sums per thread, and the order of the sums would change the bits.
        with threadpool_limits(limits=1):
            clusters = KMeans(self.n_regimes, n_init=10, random_state=self.seed).fit(scaled)
        self.centroids_ = clusters.cluster_centers_[self._name_order(clusters.cluster_centers_)]
        self.variance_ = float(clusters.inertia_ / scaled.size)
        return self

    def _indistinct(self, market: Market, distinct: int) -> DataError:
        return DataError(
            f"{distinct} distinct feature rows cannot be split into {self.n_regimes} regimes",
            source="prices",
            date=market.dates[-1],
            remedy="lengthen the burn-in, start the data earlier, or lower min_history.",
        )

    def _name_order(self, centroids: np.ndarray) -> np.ndarray:
        """Cluster numbers in the order of ``regime_names``."""
        by_volatility = np.argsort(centroids[:, 0], kind="stable")
        if self.n_regimes != 3:
            return by_volatility
        calm = by_volatility[:2]
        persistence = centroids[calm, 1] + centroids[calm, 2]
        return np.append(calm[np.argsort(-persistence, kind="stable")], by_volatility[2])

    def predict_online(self, market: Market, dates: pd.DatetimeIndex) -> pd.DataFrame:
        """Probability of each regime at each date; no row where a window is not full yet."""
        rows = [market.position(date) for date in dates]
        features = self._features(market)[rows]
        known = np.isfinite(features[:, 0])
        scaled = (features[known] - self.feature_mean_) / self.feature_scale_
        offsets = scaled[:, None, :] - self.centroids_[None, :, :]
        distances = (offsets**2).sum(axis=2)
        # The nearest centroid gets weight 1 before normalising, so that no row can underflow.
        nearest = distances.min(axis=1, keepdims=True)
        weights = np.exp((nearest - distances) / (2.0 * self.variance_))
        probabilities = weights / weights.sum(axis=1, keepdims=True)
        return pd.DataFrame(
            probabilities,
            index=pd.DatetimeIndex(dates[known], name="date"),
            columns=list(self.regime_names),
        )
