"""Regimes as clusters of market-wide features."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.regimes.base import (
    Labeller,
    calm_first_names,
    calm_first_order,
    label_frame,
    positions,
    ranked_names,
    refuse_small_regimes,
)
from regime_nas_pipeline.regimes.criterion import negative_silhouette
from regime_nas_pipeline.regimes.features import feature_history, feature_matrix
from regime_nas_pipeline.regimes.scaling import scale_training

FEATURES = ("volatility", "efficiency", "autocorrelation")
"""Default features; their windows are arguments of the labeller."""

_WINDOW = 21
_AUTOCORRELATION_WINDOW = 63


class KMeansLabeller(Labeller):
    """K-means on standardised market-wide features.

    By default the features are volatility, efficiency ratio and autocorrelation, each over its
    own window, and with three regimes the clusters get names that do not depend on the order in
    which K-means found them: ``volatile`` has the highest volatility, of the other two ``trend``
    has the larger sum of standardised efficiency and autocorrelation and ``range`` the smaller.
    With any other number they are ``volatility_1`` (calmest) to ``volatility_K``. With other
    ``features`` the clusters are named by the volatility of the market return on their own bars:
    ``calm`` and ``stressed``, with ``middle`` between them if there are three.

    Probabilities are the responsibilities of K equally likely spherical Gaussians around the
    centroids that share one variance, the pooled within-cluster variance per dimension: the
    mixture of which K-means is the limit for a vanishing variance. They have no memory, so they
    are filtered by construction.

    Args:
        n_regimes: Number of clusters K, at least 2.
        volatility_window: Bars of the default volatility.
        efficiency_window: Bars of the default efficiency ratio.
        autocorrelation_window: Bars of the default autocorrelation, at least 3.
        seed: Seed of the K-means starts.
        features: Names of the catalogue (:data:`~regime_nas_pipeline.regimes.features.CATALOGUE`)
            in place of the default ones. They carry their own windows.

    Attributes:
        feature_mean_: (D,) means of the features in training.
        feature_scale_: (D,) their standard deviations.
        centroids_: (K, D) standardised centroids, in the order of ``regime_names``.
        variance_: Pooled within-cluster variance per dimension.
    """

    def __init__(
        self,
        n_regimes: int = 3,
        volatility_window: int = _WINDOW,
        efficiency_window: int = _WINDOW,
        autocorrelation_window: int = _AUTOCORRELATION_WINDOW,
        seed: int = 0,
        features: tuple[str, ...] = FEATURES,
    ) -> None:
        self.n_regimes = n_regimes
        self.volatility_window = volatility_window
        self.efficiency_window = efficiency_window
        self.autocorrelation_window = autocorrelation_window
        self.seed = seed
        self.features = features

    @property
    def named_by_rule(self) -> bool:
        """The default features have a rule of their own for names; others are matched."""
        return tuple(self.features) == FEATURES

    @property
    def regime_names(self) -> tuple[str, ...]:
        """See the class; known from ``n_regimes`` and ``features`` alone."""
        if not self.named_by_rule:
            return calm_first_names(self.n_regimes)
        return (
            ("trend", "range", "volatile") if self.n_regimes == 3 else ranked_names(self.n_regimes)
        )

    def _windows(self) -> tuple[int, int, int]:
        return self.volatility_window, self.efficiency_window, self.autocorrelation_window

    @property
    def signature_names(self) -> tuple[str, ...]:
        """The features, each with its window."""
        if not self.named_by_rule:
            return tuple(self.features)
        pairs = zip(FEATURES, self._windows(), strict=True)
        return tuple(f"{kind}_{window}" for kind, window in pairs)

    def required_history(self) -> int:
        """Bars for the longest window, one for the first return, and a row for each cluster."""
        return feature_history(self.signature_names) + self.n_regimes

    def _check_parameters(self) -> None:
        if self.n_regimes < 2 or self.autocorrelation_window < 3:
            raise ParameterError(
                "KMeansLabeller needs n_regimes >= 2, autocorrelation_window >= 3."
            )
        if min(self._windows()) < 1:
            raise ParameterError("KMeansLabeller needs windows of at least 1 bar.")
        default = (_WINDOW, _WINDOW, _AUTOCORRELATION_WINDOW)
        if not self.named_by_rule and self._windows() != default:
            raise ParameterError(
                "KMeansLabeller: chosen features carry their own windows; leave "
                "volatility_window, efficiency_window and autocorrelation_window alone."
            )

    def fit(self, market: Market) -> Self:
        """Standardise and cluster the features of every bar that has them.

        Raises:
            ParameterError: Fewer than two regimes, a window that is too short, or an unknown
                feature.
            DataError: The market is too short, or its features do not fall into K clusters.
        """
        self._check_parameters()
        self.check_fit_input(market)
        features = feature_matrix(market, self.signature_names)
        known = np.isfinite(features[:, 0])
        scaling, scaled = scale_training(self, market, features[known], self.n_regimes)
        # One thread: K-means sums per thread, and the order of the sums would change the bits.
        with threadpool_limits(limits=1):
            clusters = KMeans(self.n_regimes, n_init=10, random_state=self.seed).fit(scaled)
        if self.named_by_rule:
            order = self._name_order(clusters.cluster_centers_)
        else:
            members = np.eye(self.n_regimes)[clusters.labels_]
            refuse_small_regimes(self, market, members)
            order = calm_first_order(market.market_return[known], members)
        self.feature_mean_, self.feature_scale_ = scaling.mean, scaling.scale
        self.signature_scale_ = scaling.scale
        self.centroids_ = clusters.cluster_centers_[order]
        self.variance_ = float(clusters.inertia_ / scaled.size)
        return self

    def _name_order(self, centroids: np.ndarray) -> np.ndarray:
        """Cluster numbers in the order of ``regime_names``."""
        by_volatility = np.argsort(centroids[:, 0], kind="stable")
        if self.n_regimes != 3:
            return by_volatility
        calm = by_volatility[:2]
        persistence = centroids[calm, 1] + centroids[calm, 2]
        return np.append(calm[np.argsort(-persistence, kind="stable")], by_volatility[2])

    def _scaled(self, market: Market) -> np.ndarray:
        features = feature_matrix(market, self.signature_names)
        scaled: np.ndarray = (features - self.feature_mean_) / self.feature_scale_
        return scaled

    def predict_online(self, market: Market, dates: pd.DatetimeIndex) -> pd.DataFrame:
        """Probability of each regime at each date; no row where a window is not full yet."""
        scaled = self._scaled(market)[positions(market, dates)]
        offsets = scaled[:, None, :] - self.centroids_[None, :, :]
        distances = (offsets**2).sum(axis=2)
        # The nearest centroid gets weight 1 before normalising, so that no row can underflow.
        nearest = distances.min(axis=1, keepdims=True)
        weights = np.exp((nearest - distances) / (2.0 * self.variance_))
        return label_frame(self, dates, weights / weights.sum(axis=1, keepdims=True))

    def signature(self) -> np.ndarray:
        """Centroids in the units of the features, (K, D)."""
        centres: np.ndarray = self.feature_mean_ + self.feature_scale_ * self.centroids_
        return centres

    def _take(self, order: np.ndarray) -> None:
        self.centroids_ = self.centroids_[order]

    def criterion(self, market: Market) -> float:
        """Mean silhouette of the labelled bars, its sign turned; lower is better.

        Raises:
            DataError: The bars do not show two regimes.
        """
        labels = self.predict_online(market, market.dates)
        scaled = self._scaled(market)[positions(market, pd.DatetimeIndex(labels.index))]
        return negative_silhouette(scaled, labels.to_numpy().argmax(axis=1))
