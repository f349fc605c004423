"""The control: stressed is when trailing volatility is high."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.regimes.base import (
    Labeller,
    label_frame,
    positions,
    refuse_small_regimes,
)
from regime_nas_pipeline.regimes.features import feature_history, feature_matrix, parse_feature
from regime_nas_pipeline.regimes.scaling import scale_training


class VolatilityThresholdLabeller(Labeller):
    """Two regimes without a model, the control for all others.

    The market becomes stressed when the feature rises above its training quantile and calm again
    when it falls to the quantile that lies ``hysteresis`` lower. Before the first of the two
    happens it is calm. Probabilities are 0 or 1.

    Args:
        quantile: Quantile of the feature in training above which the market is stressed.
        hysteresis: How much lower the quantile is at which it is calm again; 0 for the same one.
        feature: Name of the catalogue (:data:`~regime_nas_pipeline.regimes.features.CATALOGUE`)
            that is high in stress: a volatility, downside deviation or volatility index.

    Attributes:
        enter_: Feature above which the market becomes stressed.
        leave_: Feature at or below which it becomes calm.
        levels_: (2, 1) mean of the feature in calm and in stress in training.
    """

    n_regimes = 2

    def __init__(
        self, quantile: float = 0.8, hysteresis: float = 0.0, feature: str = "volatility_21"
    ) -> None:
        self.quantile = quantile
        self.hysteresis = hysteresis
        self.feature = feature

    @property
    def regime_names(self) -> tuple[str, ...]:
        """``calm`` and ``stressed``."""
        return ("calm", "stressed")

    @property
    def signature_names(self) -> tuple[str, ...]:
        """The feature."""
        return (self.feature,)

    def required_history(self) -> int:
        """Bars for the window, one for the first return, and a row for each regime."""
        return feature_history((self.feature,)) + self.n_regimes

    def fit(self, market: Market) -> Self:
        """Take the quantiles of the feature over the training bars.

        Raises:
            ParameterError: A quantile lies outside (0, 1), or the feature is unknown or one that
                is not high in stress.
            DataError: The market is too short, or hardly any bar is on one side.
        """
        if not 0.0 < self.quantile - self.hysteresis <= self.quantile < 1.0:
            raise ParameterError(
                "VolatilityThresholdLabeller needs 0 < quantile - hysteresis <= quantile < 1 and "
                f"has {self.quantile} and {self.hysteresis}."
            )
        if parse_feature(self.feature).kind in {"return", "efficiency", "autocorrelation"}:
            raise ParameterError(
                f"VolatilityThresholdLabeller cannot read stress from '{self.feature}': choose a "
                "volatility, a downside deviation or a volatility index."
            )
        self.check_fit_input(market)
        values = feature_matrix(market, (self.feature,))
        known = values[np.isfinite(values[:, 0])]
        scaling, _ = scale_training(self, market, known, self.n_regimes)
        self.signature_scale_ = scaling.scale
        self.leave_, self.enter_ = np.quantile(
            known[:, 0], [self.quantile - self.hysteresis, self.quantile]
        )
        stressed = self._stressed(known[:, 0])
        refuse_small_regimes(self, market, np.column_stack([~stressed, stressed]))
        self.levels_ = np.array([[known[~stressed].mean()], [known[stressed].mean()]])
        return self

    def _stressed(self, values: np.ndarray) -> np.ndarray:
        """Whether each bar is stressed, (T,) bool; a blank value leaves the regime as it was."""
        turns = np.where(values > self.enter_, 1, np.where(values <= self.leave_, -1, 0))
        last_turn = np.maximum.accumulate(np.where(turns != 0, np.arange(len(turns)), 0))
        stressed: np.ndarray = turns[last_turn] == 1
        return stressed

    def predict_online(self, market: Market, dates: pd.DatetimeIndex) -> pd.DataFrame:
        """Whether each date is stressed, as 0 or 1; no row where the feature is blank."""
        values = feature_matrix(market, (self.feature,))[:, 0]
        stressed = self._stressed(values).astype(float)
        probabilities = np.column_stack([1.0 - stressed, stressed])
        probabilities[np.isnan(values)] = np.nan
        return label_frame(self, dates, probabilities[positions(market, dates)])

    def signature(self) -> np.ndarray:
        """Mean of the feature in calm and in stress, (2, 1)."""
        return self.levels_
