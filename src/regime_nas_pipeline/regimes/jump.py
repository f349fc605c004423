"""Regimes of a statistical jump model: clusters that it costs something to move between."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from threadpoolctl import threadpool_limits

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.regimes.base import (
    Labeller,
    calm_first_names,
    calm_first_order,
    label_frame,
    positions,
    refuse_small_regimes,
)
from regime_nas_pipeline.regimes.criterion import negative_silhouette
from regime_nas_pipeline.regimes.features import feature_history, feature_matrix
from regime_nas_pipeline.regimes.scaling import scale_training

# jumpmodels switches NumPy's warnings off and widens pandas' display for the whole process.
with np.errstate(), pd.option_context("display.width", pd.get_option("display.width")):
    from jumpmodels.jump import JumpModel, dp


class JumpModelLabeller(Labeller):
    """A statistical jump model on standardised market-wide features.

    K centres and a sequence of regimes minimise half the squared distance of each bar to the
    centre of its regime plus ``jump_penalty`` for each change of regime. Online, the regime of a
    bar is where the best sequence up to this bar ends: earlier bars count, later ones do not.
    In the discrete model a bar is in one regime and probabilities are 0 or 1; in the continuous
    one it has shares of all regimes, and the penalty is on the squared change of the shares.
    Regimes are named by the volatility of the market return on their training bars, calmest
    first.

    Args:
        n_regimes: Number of regimes K, at least 2.
        features: Names of the catalogue (:data:`~regime_nas_pipeline.regimes.features.CATALOGUE`).
        jump_penalty: Cost of a change of regime, in units of half a squared standard deviation.
        share_steps: Steps in which the share of a regime goes from 0 to 1: 1 for the discrete
            model, about 20 for the continuous one. With S states the time grows with S², and S
            with ``share_steps`` to the power K - 1.
        n_starts: Starts of the estimation, each from another k-means++ draw.
        seed: Seed of the starts.

    Attributes:
        feature_mean_: (D,) means of the features in training.
        feature_scale_: (D,) their standard deviations.
        centres_: (K, D) standardised centres, in the order of ``regime_names``.
        states_: (S, K) shares of the regimes in each state that a bar may have.
        penalties_: (S, S) cost of moving from state to state.

    Source: Bemporad, A., Breschi, V., Piga, D., Boyd, S. (2018). Fitting Jump Models. Automatica
    96; Aydınhan, A. O., Kolm, P. N., Mulvey, J. M., Shu, Y. (2024). Identifying Patterns in
    Financial Markets: Extending the Statistical Jump Model for Regime Identification. Annals of
    Operations Research.
    """

    def __init__(
        self,
        n_regimes: int = 2,
        features: tuple[str, ...] = ("downside_deviation_5", "log_volatility_5"),
        jump_penalty: float = 5.0,
        share_steps: int = 1,
        n_starts: int = 5,
        seed: int = 0,
    ) -> None:
        self.n_regimes = n_regimes
        self.features = features
        self.jump_penalty = jump_penalty
        self.share_steps = share_steps
        self.n_starts = n_starts
        self.seed = seed

    @property
    def regime_names(self) -> tuple[str, ...]:
        """``calm`` and ``stressed``, with ``middle`` between them; else ``volatility_1`` …."""
        return calm_first_names(self.n_regimes)

    @property
    def named_by_rule(self) -> bool:
        """Centres are matched from refit to refit."""
        return False

    @property
    def signature_names(self) -> tuple[str, ...]:
        """The features."""
        return tuple(self.features)

    def required_history(self) -> int:
        """Bars for the longest window, one for the first return, and a row for each regime."""
        return feature_history(self.features) + self.n_regimes

    def _check_parameters(self) -> None:
        if self.n_regimes < 2 or min(self.n_starts, self.share_steps) < 1:
            raise ParameterError(
                "JumpModelLabeller needs n_regimes >= 2, n_starts >= 1 and share_steps >= 1."
            )
        if not 0.0 <= self.jump_penalty < np.inf:
            raise ParameterError(
                f"jump_penalty must be a number from 0 up and is {self.jump_penalty}."
            )

    def fit(self, market: Market) -> Self:
        """Estimate centres and sequence in turn on every bar that has features.

        Raises:
            ParameterError: Fewer than two regimes, no start or step, a negative penalty, or an
                unknown feature.
            DataError: The market is too short, or hardly any bar is in one of the regimes.
        """
        self._check_parameters()
        self.check_fit_input(market)
        features = feature_matrix(market, self.features)
        known = np.isfinite(features[:, 0])
        scaling, scaled = scale_training(self, market, features[known], self.n_regimes)
        model = JumpModel(
            n_components=self.n_regimes,
            jump_penalty=self.jump_penalty,
            cont=self.share_steps > 1,
            # The library rounds the inverse down, and 1 / (1 / 49) lies below 49.
            grid_size=1.0 / (self.share_steps + 1e-9),
            random_state=self.seed,
            n_init=self.n_starts,
        )
        # A regime without bars has a blank centre on the way. One thread for the bits' sake.
        with np.errstate(divide="ignore", invalid="ignore"), threadpool_limits(limits=1):
            model.fit(scaled)
        members = np.asarray(model.proba_, dtype=float)
        refuse_small_regimes(self, market, members)
        self.feature_mean_, self.feature_scale_ = scaling.mean, scaling.scale
        self.signature_scale_ = scaling.scale
        self.centres_ = model.centers_
        self.states_ = np.eye(self.n_regimes) if model.prob_vecs is None else model.prob_vecs
        self.penalties_ = model.jump_penalty_mx
        self._take(calm_first_order(market.market_return[known], members))
        return self

    def _losses(self, rows: np.ndarray) -> np.ndarray:
        """Loss of every state at rows of features, (n, S)."""
        scaled = (rows - self.feature_mean_) / self.feature_scale_
        distances = 0.5 * cdist(scaled, self.centres_, "sqeuclidean")
        losses = np.zeros((len(rows), len(self.states_)))
        # Term by term: a matrix product's bits may depend on how many rows there are.
        for regime in range(self.n_regimes):
            losses += distances[:, regime, None] * self.states_[None, :, regime]
        return losses

    def predict_online(self, market: Market, dates: pd.DatetimeIndex) -> pd.DataFrame:
        """Regime in which the best sequence up to each date ends; no row where inputs are blank."""
        rows = positions(market, dates)
        features = feature_matrix(market, self.features)[: max(rows, default=-1) + 1]
        known = np.isfinite(features[:, 0])
        probabilities: np.ndarray = np.full((len(features), self.n_regimes), np.nan)
        if known.any():
            values = dp(self._losses(features[known]), self.penalties_, return_value_mx=True)
            probabilities[known] = self.states_[values.argmin(axis=1)]
        return label_frame(self, dates, probabilities[rows])

    def _whole_sample(self, market: Market) -> pd.DataFrame:
        features = feature_matrix(market, self.features)
        known = np.isfinite(features[:, 0])
        path, _ = dp(self._losses(features[known]), self.penalties_)
        return label_frame(self, market.dates[known], self.states_[path])

    def signature(self) -> np.ndarray:
        """Centres in the units of the features, (K, D)."""
        centres: np.ndarray = self.feature_mean_ + self.feature_scale_ * self.centres_
        return centres

    def _take(self, order: np.ndarray) -> None:
        # States keep their rows and penalties: only what their columns stand for moves.
        self.centres_, self.states_ = self.centres_[order], self.states_[:, order]

    def criterion(self, market: Market) -> float:
        """Mean silhouette of the online labels of ``market``, its sign turned; lower is better.

        Raises:
            DataError: The bars do not show two regimes.
        """
        labels = self.predict_online(market, market.dates)
        features = feature_matrix(market, self.features)
        rows = features[positions(market, pd.DatetimeIndex(labels.index))]
        scaled = (rows - self.feature_mean_) / self.feature_scale_
        return negative_silhouette(scaled, labels.to_numpy().argmax(axis=1))
