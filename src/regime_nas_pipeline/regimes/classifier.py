"""A Transformer that forecasts what a labeller will say, from what was known and said so far."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.splits import strided
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.regime_classifier import (
    CrossEntropy,
    RegimeClassifierNetwork,
    class_windows,
    cross_entropy,
    mean_probabilities,
)
from regime_nas_pipeline.networks.training import (
    Split,
    Steps,
    TrainingPlan,
    TrainingResult,
    TrainingTask,
    derived_seed,
    make_split,
    resolve_device,
    single_threaded,
    train,
)
from regime_nas_pipeline.networks.windows import WindowData
from regime_nas_pipeline.regimes.base import positions
from regime_nas_pipeline.regimes.classifier_targets import (
    Target,
    check_classes,
    check_target,
    class_names,
    labelled_regimes,
    outcomes,
)
from regime_nas_pipeline.regimes.classifier_temperature import fit_temperature, log_loss, tempered
from regime_nas_pipeline.regimes.features import feature_history, feature_matrix

FEATURES = ("return_1", "return_5", "return_20", "volatility_5", "volatility_20", "vix")
"""DeepRegime's inputs, by their names in :data:`~.features.CATALOGUE`."""

TRAINING = TrainingPlan(max_samples=5000, batch_dates=16, sample_every=5, patience=4)
"""Twenty yearly refits of three networks take about four minutes on two cores."""

_EVALUATION_BATCH = 64


class RegimeClassifier(BaseEstimator):
    """DeepRegime's classifier, trained on labels as they were known at the time.

    The target ``label`` asks which regime the labeller will say ``lead`` bars after the window's
    last bar. DeepRegime assigns "each window to a regime", which reads as ``lead`` 0: there the
    features of the window have already decided the answer, and a labeller fitted by then knows
    it. The next bar's label, ``lead`` 1, is the first that is of any use. The target ``switch``
    asks whether another regime than that of the window's last bar will be said on any of the
    ``lead`` bars after it.

    Each network is a
    :class:`~regime_nas_pipeline.networks.regime_classifier.RegimeClassifierNetwork` on windows of
    features, standardised with the training bars before the validation tail. A window counts only
    if its answer was known at the market's last bar, and before the tail only if it was known
    when the tail began. Early stopping and the temperature of the averaged probabilities use the
    tail.

    Args:
        target: What is asked.
        lead: How many bars ahead.
        features: Names of the F features of a bar; see :data:`~.features.CATALOGUE`.
        lookback: Bars in a window.
        width: Model width.
        layers: Encoder layers.
        attention_heads: Heads per layer.
        feed_forward: Units of the feed-forward part.
        dropout: Dropout.
        learning_rate: AdamW's.
        weight_decay: AdamW's.
        training: Budget and schedule.
        n_seeds: Networks whose probabilities are averaged.
        seed: Seed of all randomness.
        device: ``auto``, ``cpu`` or ``cuda``.

    Attributes:
        classes_: Names of the K classes: the regimes, or ``stay`` and ``switch``.
        feature_mean_: (F,) means of the features in training.
        feature_scale_: (F,) their standard deviations.
        networks_: One per seed.
        temperature_: What the averaged probabilities are scaled with.
        fit_log_: Windows trained and calibrated on, epochs, samples, loss before and after
            calibration, share of each class in training.

    Source: DeepRegime: Transformer-Based Market Regime Modeling and Risk-Managed Allocation, a
    repository.
    """

    def __init__(
        self,
        *,
        target: Target = "label",
        lead: int = 1,
        features: tuple[str, ...] = FEATURES,
        lookback: int = 60,
        width: int = 64,
        layers: int = 2,
        attention_heads: int = 4,
        feed_forward: int = 128,
        dropout: float = 0.1,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        training: TrainingPlan = TRAINING,
        n_seeds: int = 3,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.target = target
        self.lead = lead
        self.features = features
        self.lookback = lookback
        self.width = width
        self.layers = layers
        self.attention_heads = attention_heads
        self.feed_forward = feed_forward
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.training = training
        self.n_seeds = n_seeds
        self.seed = seed
        self.device = device

    def required_history(self) -> int:
        """Bars before the first complete window, it and its answer included."""
        return feature_history(self.features) - 1 + self.lookback + max(self.lead, 1)

    def fit(self, market: Market) -> Self:
        """Train on every window of a labelled market whose answer its labels know.

        Args:
            market: With the probabilities that a labeller gave online attached, see
                :meth:`~regime_nas_pipeline.market.market.Market.with_regimes`.

        Raises:
            ParameterError: An argument is out of range, or the budget buys no batch.
            DataError: There are no labels, no volatility index or too few bars, or only one class
                came true in training.
        """
        check_target(self.target, self.lead)
        if self.n_seeds < 1:
            raise ParameterError(f"n_seeds must be at least 1 and is {self.n_seeds}.")
        _check_length(market, self.required_history())
        answers = outcomes(labelled_regimes(market), self.target, self.lead)
        self.classes_ = class_names(self.target, market.regime_names)
        features = feature_matrix(market, self.features)
        windows = self._windows(features, answers)
        # Even the answer of the window's own bar is kept clear of the bar that validates first.
        purge = {"execution_lag": 0, "horizon": max(self.lead, 1)}
        split = make_split(windows, replace(self.training, sample_every=1), **purge)
        check_classes(answers[split.training], self.classes_, market.dates[-1])
        seen = features[: split.training[-1] + 1]
        seen = seen[np.isfinite(seen[:, 0])]
        self.feature_mean_, spread = seen.mean(axis=0), seen.std(axis=0)
        self.feature_scale_ = np.where(spread > 0.0, spread, 1.0)
        data = self._windows(self._scaled(features), answers)
        results = self._train(data, split)
        tail = answers[split.validation].astype(int)
        raw = mean_probabilities(self.networks_, data, split.validation, _EVALUATION_BATCH)
        self.temperature_ = fit_temperature(raw, tail)
        self.fit_log_ = {
            "n_training": len(split.training),
            "n_validation": len(split.validation),
            "epochs": float(np.mean([result.epochs for result in results])),
            "samples": sum(result.samples for result in results),
            "temperature": self.temperature_,
            "validation_loss": log_loss(raw, tail),
            "validation_loss_calibrated": log_loss(tempered(raw, self.temperature_), tail),
        }
        for number, name in enumerate(self.classes_):
            self.fit_log_[f"share_{name}"] = float((answers[split.training] == number).mean())
        return self

    def _scaled(self, features: np.ndarray) -> np.ndarray:
        scaled: np.ndarray = (features - self.feature_mean_) / self.feature_scale_
        return scaled

    def _windows(self, features: np.ndarray, answers: np.ndarray) -> WindowData:
        return class_windows(features, answers, self.lookback, resolve_device(self.device))

    def _network(self) -> RegimeClassifierNetwork:
        return RegimeClassifierNetwork(
            n_features=len(self.features),
            n_classes=len(self.classes_),
            lookback=self.lookback,
            width=self.width,
            layers=self.layers,
            attention_heads=self.attention_heads,
            feed_forward=self.feed_forward,
            dropout=self.dropout,
        ).to(resolve_device(self.device))

    def _train(self, data: WindowData, split: Split) -> list[TrainingResult]:
        watched = Split(split.training, strided(split.validation, self.training.sample_every))
        steps = Steps(self.training.rate(self.learning_rate), self.weight_decay)
        task = TrainingTask(data, watched, self.training, CrossEntropy(), steps, cross_entropy)
        self.networks_: list[RegimeClassifierNetwork] = []
        results = []
        for number in range(self.n_seeds):
            seed = derived_seed(self.seed, number)
            with single_threaded(seed):
                network = self._network()
                results.append(train(network, task, seed=seed))
            self.networks_.append(network)
        return results

    def predict_online(self, market: Market, dates: pd.DatetimeIndex) -> pd.DataFrame:
        """Probability of each class at each date, from ``market.until(date)`` alone.

        Dates are forecast one by one, so that what stands beside a date changes not a bit of it.

        Returns:
            Date x class, rows summing to 1. A date without a complete window has no row.

        Raises:
            DataError: A date is no bar, or there is no volatility index.
        """
        rows = positions(market, dates)
        features = self._scaled(feature_matrix(market, self.features))
        data = self._windows(features, np.full(len(features), np.nan))
        complete = data.usable.cpu().numpy()[rows, 0]
        raw = mean_probabilities(self.networks_, data, rows[complete], 1)
        return pd.DataFrame(
            tempered(raw, self.temperature_),
            index=pd.DatetimeIndex(dates[complete], name="date"),
            columns=list(self.classes_),
        )

    def to_bundle(self) -> Bundle:
        """Weights of every network, scales and temperature."""
        arrays = {"scaling/mean": self.feature_mean_, "scaling/scale": self.feature_scale_}
        for number, network in enumerate(self.networks_):
            for name, value in network.state_dict().items():
                arrays[f"seed{number}/{name}"] = value.cpu().numpy()
        facts = {"classes": list(self.classes_), "temperature": self.temperature_}
        return Bundle(arrays, facts)

    def from_bundle(self, bundle: Bundle) -> Self:
        """Restore what :meth:`to_bundle` kept.

        Raises:
            ParameterError: The checkpoint holds fewer networks than ``n_seeds``.
        """
        self.classes_ = tuple(bundle.facts["classes"])
        self.temperature_ = float(bundle.facts["temperature"])
        scaling = bundle.prefixed("scaling")
        self.feature_mean_, self.feature_scale_ = scaling["mean"], scaling["scale"]
        self.networks_ = []
        for number in range(self.n_seeds):
            state = bundle.prefixed(f"seed{number}")
            if not state:
                raise ParameterError(
                    f"the checkpoint holds fewer than n_seeds = {self.n_seeds} networks."
                )
            network = self._network()
            network.load_state_dict({k: torch.as_tensor(v.copy()) for k, v in state.items()})
            network.eval()
            self.networks_.append(network)
        return self


def _check_length(market: Market, needed: int) -> None:
    if len(market.dates) < needed:
        raise DataError(
            f"the regime classifier needs at least {needed} bars to be fitted and there are "
            f"{len(market.dates)}",
            source="prices",
            date=market.dates[-1] if len(market.dates) else None,
            remedy="start the data earlier or lengthen the burn-in.",
        )
