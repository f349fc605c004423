"""Regimes as components of a Gaussian mixture over market-wide features."""

from __future__ import annotations

import warnings
from typing import Self

import numpy as np
import pandas as pd
from scipy.linalg import solve_triangular
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.regimes.base import (
    Labeller,
    calm_first_names,
    calm_first_order,
    label_frame,
    only_one_regime,
    positions,
    refuse_small_regimes,
)
from regime_nas_pipeline.regimes.criterion import bayes_information
from regime_nas_pipeline.regimes.features import feature_history, feature_matrix
from regime_nas_pipeline.regimes.scaling import scale_training

_MOST_ITERATIONS = 1000


class GaussianMixtureLabeller(Labeller):
    """A mixture of K Gaussians with full covariances over standardised market-wide features.

    The probability of a regime is its responsibility for the features of the bar. It has no
    memory, so it is filtered by construction. Regimes are named by the volatility of the market
    return on their training bars, calmest first.

    Args:
        n_regimes: Number of components K, at least 2.
        features: Names of the catalogue (:data:`~regime_nas_pipeline.regimes.features.CATALOGUE`).
        n_starts: Starts of the estimation, each from another K-means; the likeliest fit counts.
        covariance_floor: Added to the diagonal of every covariance, in units of the features'
            training variance; keeps a component from collapsing onto a few bars.
        seed: Seed of the starts.

    Attributes:
        feature_mean_: (D,) means of the features in training.
        feature_scale_: (D,) their standard deviations.
        weights_: (K,) shares of the components, in the order of ``regime_names``.
        means_: (K, D) standardised means.
        whitenings_: (K, D, D) lower triangular W with W (x - mean) of unit covariance.
        log_scales_: (K,) logarithms of their determinants.
    """

    def __init__(
        self,
        n_regimes: int = 2,
        features: tuple[str, ...] = ("log_volatility_10", "return_5"),
        n_starts: int = 5,
        covariance_floor: float = 1e-3,
        seed: int = 0,
    ) -> None:
        self.n_regimes = n_regimes
        self.features = features
        self.n_starts = n_starts
        self.covariance_floor = covariance_floor
        self.seed = seed

    @property
    def regime_names(self) -> tuple[str, ...]:
        """``calm`` and ``stressed``, with ``middle`` between them; else ``volatility_1`` …."""
        return calm_first_names(self.n_regimes)

    @property
    def named_by_rule(self) -> bool:
        """Components are matched from refit to refit."""
        return False

    @property
    def signature_names(self) -> tuple[str, ...]:
        """The features."""
        return tuple(self.features)

    def required_history(self) -> int:
        """Bars for the longest window, one for the first return, and enough for covariances."""
        return feature_history(self.features) + self.n_regimes * (len(self.features) + 1)

    def fit(self, market: Market) -> Self:
        """Estimate the mixture by expectation-maximisation on every bar with features.

        Raises:
            ParameterError: Fewer than two regimes or no start, a floor that is not positive, or
                an unknown feature.
            DataError: The market is too short, no start converges, or the features are those of
                one regime.
        """
        if self.n_regimes < 2 or self.n_starts < 1 or not self.covariance_floor > 0.0:
            raise ParameterError(
                "GaussianMixtureLabeller needs n_regimes >= 2, n_starts >= 1 and a positive "
                "covariance_floor."
            )
        self.check_fit_input(market)
        features = feature_matrix(market, self.features)
        known = np.isfinite(features[:, 0])
        scaling, scaled = scale_training(self, market, features[known], self.n_regimes)
        mixture = self._estimate(scaled, self.n_regimes, market)
        single = self._estimate(scaled, 1, market)
        if not mixture.bic(scaled) < single.bic(scaled):
            raise only_one_regime(
                self, market, f"one Gaussian describes the features as well as {self.n_regimes}"
            )
        members = mixture.predict_proba(scaled)
        refuse_small_regimes(self, market, members)
        order = calm_first_order(market.market_return[known], members)
        self.feature_mean_, self.feature_scale_ = scaling.mean, scaling.scale
        self.signature_scale_ = scaling.scale
        whitenings = []
        for covariance in mixture.covariances_:
            factor = np.linalg.cholesky(covariance)
            whitenings.append(solve_triangular(factor, np.eye(len(factor)), lower=True))
        self.weights_, self.means_ = mixture.weights_, mixture.means_
        self.whitenings_ = np.array(whitenings)
        diagonals = np.diagonal(self.whitenings_, axis1=1, axis2=2)
        self.log_scales_ = np.log(diagonals).sum(axis=1)
        self._take(order)
        return self

    def _estimate(self, scaled: np.ndarray, n_components: int, market: Market) -> GaussianMixture:
        mixture = GaussianMixture(
            n_components,
            covariance_type="full",
            reg_covar=self.covariance_floor,
            n_init=self.n_starts,
            max_iter=_MOST_ITERATIONS,
            random_state=self.seed,
        )
        # One thread: the order of the sums would change the bits.
        with warnings.catch_warnings(), threadpool_limits(limits=1):
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(scaled)
        if not mixture.converged_:
            raise DataError(
                f"GaussianMixtureLabeller: the best of {self.n_starts} starts did not converge "
                f"within {_MOST_ITERATIONS} iterations",
                source="prices",
                date=market.dates[-1],
                remedy="lower n_regimes, raise covariance_floor, or lengthen the burn-in.",
            )
        return mixture

    def _log_densities(self, market: Market, rows: np.ndarray) -> np.ndarray:
        """log(weight x density of the standardised features), (n, K), blank without features."""
        features = feature_matrix(market, self.features)[rows]
        scaled = (features - self.feature_mean_) / self.feature_scale_
        n_features = scaled.shape[1]
        joint = np.empty((len(rows), self.n_regimes))
        for regime in range(self.n_regimes):
            offsets = scaled - self.means_[regime]
            distance = np.zeros(len(rows))
            # Term by term: a matrix product's bits may depend on how many rows there are.
            for i in range(n_features):
                white = np.zeros(len(rows))
                for j in range(i + 1):
                    white += self.whitenings_[regime, i, j] * offsets[:, j]
                distance += white**2
            constant = np.log(self.weights_[regime]) + self.log_scales_[regime]
            joint[:, regime] = constant - 0.5 * (distance + n_features * np.log(2.0 * np.pi))
        return joint

    def predict_online(self, market: Market, dates: pd.DatetimeIndex) -> pd.DataFrame:
        """Responsibility of each component at each date; no row where a feature is blank."""
        joint = self._log_densities(market, positions(market, dates))
        # The likeliest component gets weight 1 before normalising, so that no row can underflow.
        weights = np.exp(joint - joint.max(axis=1, keepdims=True))
        return label_frame(self, dates, weights / weights.sum(axis=1, keepdims=True))

    def signature(self) -> np.ndarray:
        """Means of the components in the units of the features, (K, D)."""
        means: np.ndarray = self.feature_mean_ + self.feature_scale_ * self.means_
        return means

    def _take(self, order: np.ndarray) -> None:
        self.weights_, self.means_ = self.weights_[order], self.means_[order]
        self.whitenings_ = self.whitenings_[order]
        self.log_scales_ = self.log_scales_[order]

    def criterion(self, market: Market) -> float:
        """Schwarz's criterion of the mixture on the bars of ``market`` that have features.

        Overlapping windows make neighbouring bars alike, so that it favours more regimes than
        independent bars would.
        """
        joint = self._log_densities(market, np.arange(len(market.dates)))
        joint = joint[np.isfinite(joint[:, 0])]
        n_features = len(self.features)
        each = n_features + n_features * (n_features + 1) // 2
        likelihood = float(np.logaddexp.reduce(joint, axis=1).sum())
        n_parameters = self.n_regimes * (each + 1) - 1
        return bayes_information(likelihood, n_parameters, len(joint))
