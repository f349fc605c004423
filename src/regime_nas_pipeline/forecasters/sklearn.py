"""Forecasts from any regressor of scikit-learn, on the networks' own windows."""

from __future__ import annotations

import time
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from pydantic import AfterValidator
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.errors import ParameterError, in_one_line
from regime_nas_pipeline.core.splits import strided
from regime_nas_pipeline.forecasters.base import (
    FitReport,
    Forecast,
    Forecaster,
    blank_forecast_array,
)
from regime_nas_pipeline.forecasters.inputs import (
    FeatureSet,
    InputSpec,
    Scaling,
    TargetScale,
    training_windows,
)
from regime_nas_pipeline.forecasters.prediction import asked_batches
from regime_nas_pipeline.forecasters.sklearn_models import (
    check_path,
    is_drawn,
    make_regressor,
    n_numbers,
    regressor_from_array,
    regressor_to_array,
)
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import (
    TrainingPlan,
    derived_seed,
    make_split,
    single_threaded,
)
from regime_nas_pipeline.networks.windows import WindowData

_CPU = torch.device("cpu")
_CHUNK_DATES = 64
_TINY = 1e-8

RegressorPath = Annotated[str, AfterValidator(check_path)]
"""Class path of a regressor, checked before any work."""


class ScikitLearnForecaster(Forecaster):
    """A regressor of scikit-learn on flattened windows, pooled over assets.

    The scaled target is regressed on every number of the window that the networks see: the
    asset's features and the market's at each of the last ``lookback`` bars, standardised with the
    training market. As for networks, the fit sees the training part alone, and the purged tail is
    held back: it gives the volatility of the forecast. A window has no order for the regressor,
    which is what a network that reads it bar by bar can be better at.

    A regressor that takes a ``random_state`` is fitted ``n_seeds`` times with another one each,
    and forecasts are averaged. Where the arguments fix it, as they should where nothing is drawn
    at random, there is one fit. ``n_jobs`` is always 1: folds run in processes of their own.

    Args:
        regressor: Class path, such as ``sklearn.linear_model.Ridge``.
        arguments: Its own arguments.
        horizon: Bars of the target return.
        execution_lag: Bars between decision and trade.
        lookback: Bars in a window.
        timeframes: Timeframes of the engineered features, in bars.
        features: ``engineered``, ``returns`` or ``technical``; see :class:`~.inputs.InputSpec`.
        target_scale: What errors are measured in; see :class:`~.inputs.InputSpec`.
        market_features: Whether the market's features stand beside the asset's. In a market of
            one asset they repeat them.
        sample_every: Bars between training windows.
        validation_fraction: Part of the training bars held back at the end.
        embargo: Extra bars between training and validation.
        n_seeds: Fits that are averaged, where they depend on a seed.
        seed: Seed of all randomness.

    Attributes:
        regressors_: Fitted, one per seed.
        residual_size_: Root mean square error of their average on the tail, in scaled targets:
            the volatility.

    Source: Pedregosa, F. et al. (2011). Scikit-learn: Machine Learning in Python. Journal of
    Machine Learning Research 12.
    """

    multivariate: ClassVar[bool] = True
    gives_volatility: ClassVar[bool] = True

    def __init__(
        self,
        *,
        regressor: RegressorPath,
        arguments: dict[str, Any] | None = None,
        horizon: int = 21,
        execution_lag: int = 1,
        lookback: int = 63,
        timeframes: tuple[int, ...] = (1, 5, 21),
        features: FeatureSet = "engineered",
        target_scale: TargetScale = "trailing",
        market_features: bool = True,
        sample_every: int = 5,
        validation_fraction: float = 0.2,
        embargo: int = 0,
        n_seeds: int = 3,
        seed: int = 0,
    ) -> None:
        self.regressor = regressor
        self.arguments = arguments
        self.horizon = horizon
        self.execution_lag = execution_lag
        self.lookback = lookback
        self.timeframes = timeframes
        self.features = features
        self.target_scale = target_scale
        self.market_features = market_features
        self.sample_every = sample_every
        self.validation_fraction = validation_fraction
        self.embargo = embargo
        self.n_seeds = n_seeds
        self.seed = seed

    # The regressor decides; the class by itself cannot know.
    @property
    def stochastic(self) -> bool:  # type: ignore[override]
        """Whether the fit depends on a random seed."""
        return is_drawn(self.regressor, self.arguments or {})

    def input_spec(self) -> InputSpec:
        """What the regressor sees and forecasts."""
        return InputSpec(
            lookback=self.lookback,
            timeframes=tuple(self.timeframes),
            horizon=self.horizon,
            execution_lag=self.execution_lag,
            features=self.features,
            target_scale=self.target_scale,
        )

    def required_history(self) -> int:
        """A whole window of features."""
        return self.input_spec().required_history()

    def prediction_bars(self) -> int:
        """A window, its features and the bar before."""
        return self.input_spec().prediction_bars()

    def fit(self, market: Market) -> Self:
        """Fit one regressor per seed to the training part.

        Raises:
            ParameterError: The regressor does not exist, refuses its arguments or these data, or
                has no weights of samples where errors in plain returns need them.
            DataError: The market is too short.
        """
        if self.n_seeds < 1:
            raise ParameterError(f"n_seeds must be at least 1 and is {self.n_seeds}.")
        started = time.perf_counter()
        self.check_fit_input(market)
        prototypes = self._prototypes()
        windows = training_windows(market, self.input_spec(), _CPU)
        plan = TrainingPlan(
            sample_every=self.sample_every,
            validation_fraction=self.validation_fraction,
            embargo=self.embargo,
        )
        split = make_split(
            windows.data, plan, execution_lag=self.execution_lag, horizon=self.horizon
        )
        self.scaling_ = windows.scaling
        with single_threaded(0), threadpool_limits(limits=1):
            samples = self._samples(windows.data, strided(split.training, self.sample_every))
            self.regressors_ = [self._fitted(each, *samples) for each in prototypes]
            inputs, target, weight = self._samples(windows.data, split.validation)
            error = np.mean([each.predict(inputs) for each in self.regressors_], axis=0) - target
        self.residual_size_ = float(np.sqrt(np.average(error**2, weights=weight))) + _TINY
        self.fit_report_ = FitReport(
            parameters=n_numbers(self.regressors_[0]), seconds=time.perf_counter() - started
        )
        return self

    def _prototypes(self) -> list[Any]:
        number = self.n_seeds if self.stochastic else 1
        return [
            make_regressor(self.regressor, self.arguments or {}, derived_seed(self.seed, at))
            for at in range(number)
        ]

    def _samples(
        self, data: WindowData, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Windows (n, L * features), targets and weights (n,) of every asset with a target."""
        inputs, targets, weights = [], [], []
        for start in range(0, len(rows), _CHUNK_DATES):
            batch = data.batch(rows[start : start + _CHUNK_DATES], need_target=True)
            weight = torch.ones_like(batch.target) if batch.weight is None else batch.weight
            inputs.append(batch.flat(with_market=self.market_features)[batch.mask].numpy())
            targets.append(batch.target[batch.mask].double().numpy())
            weights.append(weight[batch.mask].double().numpy())
        return np.concatenate(inputs), np.concatenate(targets), np.concatenate(weights)

    def _fitted(
        self, regressor: Any, inputs: np.ndarray, target: np.ndarray, weight: np.ndarray
    ) -> Any:
        weighted = {} if np.ptp(weight) == 0.0 else {"sample_weight": weight}
        if weighted and not has_fit_parameter(regressor, "sample_weight"):
            raise ParameterError(
                f"{self.regressor} takes no weights of samples, which target_scale "
                f"'{self.target_scale}' needs; set target_scale to 'trailing'."
            )
        try:
            return regressor.fit(inputs, target, **weighted)
        except (ValueError, TypeError) as error:
            raise ParameterError(
                f"{self.regressor} cannot be fitted: {in_one_line(error)}"
            ) from error

    def predict(self, market: Market, dates: pd.DatetimeIndex) -> Forecast:
        """Forecast mean and standard deviation of the target at each date."""
        alone = np.full((len(self.regressors_), len(dates), len(market.assets)), np.nan)
        volatility = blank_forecast_array(market, dates)
        everyone = np.ones(len(market.assets), dtype=bool)
        # Walks limit the threads for all of their work; to do so here, per date, would be slow.
        with single_threaded(0):
            for asked in asked_batches(
                market, dates, self.input_spec(), self.scaling_, everyone, _CPU
            ):
                windows = asked.batch.flat(with_market=self.market_features).numpy()[asked.seen]
                for table, regressor in zip(alone, self.regressors_, strict=True):
                    scaled = np.zeros(asked.seen.shape)
                    scaled[asked.seen] = regressor.predict(windows)
                    asked.put(scaled, table)
                asked.put(np.full(asked.seen.shape, self.residual_size_), volatility)
        mean = alone.mean(axis=0)
        if not self.stochastic:
            return Forecast(dates, market.assets, mean, volatility)
        return Forecast(dates, market.assets, mean, volatility, alone.std(axis=0), alone)

    def to_bundle(self) -> Bundle:
        """The fitted regressors as skops files, and the scales.

        Raises:
            ParameterError: A regressor holds a type that is not trusted on reading; see
                :data:`~.sklearn_models.TRUSTED`.
        """
        arrays = {f"scaling/{k}": v for k, v in self.scaling_.to_arrays().items()}
        for number, regressor in enumerate(self.regressors_):
            arrays[f"regressor{number}/skops"] = regressor_to_array(regressor)
        return Bundle({**arrays, "residual_size": np.array(self.residual_size_)})

    def from_bundle(self, bundle: Bundle) -> Self:
        """Restore what :meth:`to_bundle` kept.

        Raises:
            ParameterError: The checkpoint holds fewer regressors than there are seeds.
            DataError: A regressor is another one than the parameters say, or cannot be trusted.
        """
        self.scaling_ = Scaling.from_arrays(bundle.prefixed("scaling"))
        self.residual_size_ = float(bundle.arrays["residual_size"])
        self.regressors_ = []
        for number in range(len(self._prototypes())):
            kept = bundle.prefixed(f"regressor{number}")
            if not kept:
                raise ParameterError(
                    f"the checkpoint holds fewer than n_seeds = {self.n_seeds} regressors."
                )
            self.regressors_.append(regressor_from_array(kept["skops"], self.regressor))
        return self
