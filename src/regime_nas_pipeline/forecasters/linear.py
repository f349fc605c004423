"""Forecasts from a ridge regression: what a linear function of the networks' own inputs sees."""

from __future__ import annotations

import time
from typing import ClassVar, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.errors import ParameterError
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
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import TrainingPlan, make_split, single_threaded
from regime_nas_pipeline.networks.windows import WindowData

_CPU = torch.device("cpu")
_CHUNK_DATES = 64
_TINY = 1e-8


class LinearForecaster(Forecaster):
    """Ridge regression (Hoerl and Kennard, 1970), pooled over assets.

    The scaled target is regressed on every number of the window that the networks see: the
    asset's features and the market's at each of the last ``lookback`` bars. Each strength is
    solved for exactly on the training part; the one with the lowest squared error on the purged
    tail is kept, and with it, as for networks, the coefficients from the training part alone.
    Nothing is drawn at random.

    Args:
        horizon: Bars of the target return.
        execution_lag: Bars between decision and trade.
        lookback: Bars in a window.
        timeframes: Timeframes of the engineered features, in bars.
        features: ``engineered`` or ``returns``; see :class:`~.inputs.InputSpec`.
        target_scale: What errors are measured in; see :class:`~.inputs.InputSpec`.
        strengths: Ridge penalties to choose from, per training sample (features have unit
            size, so 1 shrinks the coefficient of a lone feature by half).
        sample_every: Bars between training windows.
        validation_fraction: Part of the training bars held back at the end for the choice.
        embargo: Extra bars between training and validation.

    Attributes:
        coefficients_: Per bar of the window and feature, assets' features first,
            (lookback, F + G).
        intercept_: Forecast of the scaled target where all features are zero.
        strength_: The chosen penalty.
        residual_size_: Root mean square error on the tail, in scaled targets: the volatility.
    """

    multivariate: ClassVar[bool] = True
    gives_volatility: ClassVar[bool] = True

    def __init__(
        self,
        *,
        horizon: int = 21,
        execution_lag: int = 1,
        lookback: int = 63,
        timeframes: tuple[int, ...] = (1, 5, 21),
        features: FeatureSet = "engineered",
        target_scale: TargetScale = "trailing",
        strengths: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0),
        sample_every: int = 1,
        validation_fraction: float = 0.2,
        embargo: int = 0,
    ) -> None:
        self.horizon = horizon
        self.execution_lag = execution_lag
        self.lookback = lookback
        self.timeframes = timeframes
        self.features = features
        self.target_scale = target_scale
        self.strengths = strengths
        self.sample_every = sample_every
        self.validation_fraction = validation_fraction
        self.embargo = embargo

    def input_spec(self) -> InputSpec:
        """What the regression sees and forecasts."""
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
        """Solve for every strength and keep the best one on the tail.

        Raises:
            ParameterError: There are no strengths, or one is not positive.
            DataError: The market is too short.
        """
        if not self.strengths or min(self.strengths) <= 0.0:
            raise ParameterError(f"strengths must be positive and are {list(self.strengths)}.")
        started = time.perf_counter()
        self.check_fit_input(market)
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
        with single_threaded(0):
            training = _gather(windows.data, strided(split.training, self.sample_every))
            solutions = training.solve(self.strengths)
            tail = _gather(windows.data, split.validation)
            errors = [tail.mean_square_error(*solution) for solution in solutions]
        best = int(np.argmin(errors))
        self.strength_ = float(self.strengths[best])
        coefficients, self.intercept_ = solutions[best]
        self.coefficients_ = coefficients.numpy().reshape(self.lookback, -1)
        self.residual_size_ = float(np.sqrt(errors[best])) + _TINY
        self.fit_report_ = FitReport(
            parameters=coefficients.numel() + 1, seconds=time.perf_counter() - started
        )
        return self

    def predict(self, market: Market, dates: pd.DatetimeIndex) -> Forecast:
        """Forecast mean and standard deviation of the target at each date."""
        mean = blank_forecast_array(market, dates)
        volatility = blank_forecast_array(market, dates)
        coefficients = torch.as_tensor(self.coefficients_.copy()).flatten()
        everyone = np.ones(len(market.assets), dtype=bool)
        with single_threaded(0):
            for asked in asked_batches(
                market, dates, self.input_spec(), self.scaling_, everyone, _CPU
            ):
                # Not a matrix product, whose rounding depends on the number of rows.
                products = asked.batch.flat() * coefficients
                asked.put((products.sum(dim=-1) + self.intercept_).numpy(), mean)
                asked.put(np.full(asked.seen.shape, self.residual_size_), volatility)
        return Forecast(dates=dates, assets=market.assets, mean=mean, volatility=volatility)

    def to_bundle(self) -> Bundle:
        """Coefficients and scales."""
        arrays = {f"scaling/{k}": v for k, v in self.scaling_.to_arrays().items()}
        arrays["coefficients"] = self.coefficients_
        numbers = (self.intercept_, self.strength_, self.residual_size_)
        return Bundle({**arrays, "numbers": np.array(numbers)})

    def from_bundle(self, bundle: Bundle) -> Self:
        """Restore what :meth:`to_bundle` kept."""
        self.scaling_ = Scaling.from_arrays(bundle.prefixed("scaling"))
        self.coefficients_ = bundle.arrays["coefficients"]
        self.intercept_, self.strength_, self.residual_size_ = bundle.arrays["numbers"].tolist()
        return self


class _Moments:
    """Sums of squares and products of samples: all that ridge regressions need of them."""

    def __init__(self, size: int) -> None:
        # The last two columns are a constant and the target.
        self.products = torch.zeros(size + 2, size + 2, dtype=torch.float64)

    def add(self, windows: Tensor, target: Tensor, weight: Tensor) -> None:
        """Count in samples (n, size) with their targets and weights (n,)."""
        columns = torch.cat([windows, torch.ones(len(target), 1), target[:, None]], dim=1)
        self.products += columns.T @ (weight[:, None] * columns)

    def solve(self, strengths: tuple[float, ...]) -> list[tuple[Tensor, float]]:
        """Coefficients and unpenalised intercept for every strength."""
        n = self.products[-2, -2]
        mean = self.products[-2] / n
        centred = self.products / n - torch.outer(mean, mean)
        values, vectors = torch.linalg.eigh(centred[:-2, :-2])
        projected = vectors.T @ centred[:-2, -1]
        solutions = []
        for strength in strengths:
            coefficients = vectors @ (projected / (values.clamp_min(0.0) + strength))
            intercept = float(mean[-1] - mean[:-2] @ coefficients)
            solutions.append((coefficients, intercept))
        return solutions

    def mean_square_error(self, coefficients: Tensor, intercept: float) -> float:
        """Of the forecasts that the coefficients give on these samples."""
        others = torch.tensor([intercept, -1.0], dtype=torch.float64)
        error = torch.cat([coefficients, others])
        return float(error @ self.products @ error / self.products[-2, -2])


def _gather(data: WindowData, rows: np.ndarray) -> _Moments:
    size = data.lookback * (data.asset.shape[-1] + data.market.shape[-1])
    moments = _Moments(size)
    for start in range(0, len(rows), _CHUNK_DATES):
        batch = data.batch(rows[start : start + _CHUNK_DATES], need_target=True)
        weight = torch.ones_like(batch.target) if batch.weight is None else batch.weight
        moments.add(
            batch.flat()[batch.mask],
            batch.target[batch.mask].double(),
            weight[batch.mask].double(),
        )
    return moments
