"""Neural forecasters: one way to fit, average over seeds, predict and keep any network."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.forecasters.base import (
    FitReport,
    Forecast,
    Forecaster,
)
from regime_nas_pipeline.forecasters.inputs import (
    FeatureSet,
    InputSpec,
    Scaling,
    TargetScale,
    training_windows,
)
from regime_nas_pipeline.forecasters.options import arguments_of
from regime_nas_pipeline.forecasters.prediction import asked_batches, average_over_seeds
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.base import ForecastNetwork
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.together import start_warm, train_each
from regime_nas_pipeline.networks.training import (
    Split,
    Steps,
    TrainingPlan,
    TrainingResult,
    TrainingTask,
    WeightLimit,
    derived_seed,
    make_split,
    resolve_device,
    single_threaded,
)
from regime_nas_pipeline.networks.windows import Batch, WindowData

Mode = Literal["pooled", "joint"]


class NeuralForecaster(Forecaster):
    """Base of the forecasters that train a network.

    Subclasses say how their network is built; windows, scaling, training, averaging over seeds
    and checkpoints are the same for all of them. Forecasts are the average over ``n_seeds``
    networks; their spread and the mean forecast of each are kept.

    Args:
        horizon: Bars of the target return.
        execution_lag: Bars between decision and trade.
        mode: ``pooled`` (one set of weights sees each asset) or ``joint`` (all assets at once).
        lookback: Bars in a window.
        timeframes: Timeframes of the engineered features, in bars.
        features: ``engineered``, or ``returns`` for one-bar log returns over one constant, which
            have no other timeframe than the bar.
        target_scale: What errors are measured in; see :class:`~.inputs.InputSpec`.
        learning_rate: AdamW's.
        weight_decay: AdamW's.
        objective: Weights of the loss terms.
        training: Budget and schedule.
        n_seeds: Networks that are averaged.
        seed: Seed of all randomness.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    stochastic: ClassVar[bool] = True
    multivariate: ClassVar[bool] = True
    gives_volatility: ClassVar[bool] = True
    idle_weights: ClassVar[frozenset[str]] = frozenset({"smoothness_weight", "label_weight"})
    """Weights of the loss that have no effect on this network."""

    def __init__(
        self,
        *,
        horizon: int,
        execution_lag: int,
        mode: Mode,
        lookback: int,
        timeframes: tuple[int, ...],
        features: FeatureSet,
        target_scale: TargetScale,
        learning_rate: float,
        weight_decay: float,
        objective: Objective,
        training: TrainingPlan,
        n_seeds: int,
        seed: int,
        device: str,
    ) -> None:
        self.horizon = horizon
        self.execution_lag = execution_lag
        self.mode = mode
        self.lookback = lookback
        self.timeframes = timeframes
        self.features = features
        self.target_scale = target_scale
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.objective = objective
        self.training = training
        self.n_seeds = n_seeds
        self.seed = seed
        self.device = device

    @abstractmethod
    def build_network(self, sizes: Mapping[str, Any]) -> ForecastNetwork:
        """An untrained network for these input ``sizes``.

        Args:
            sizes: ``n_assets``, ``n_asset_features`` and ``market_timeframes`` (the timeframe of
                each market feature).
        """

    @classmethod
    def search_dimensions(cls) -> frozenset[str]:
        """Names that a search space may have beside constructor arguments."""
        return cls.weight_names()

    @classmethod
    def weight_names(cls) -> frozenset[str]:
        """Weights of the loss that have an effect on this network."""
        return frozenset(weight.name for weight in fields(Objective)) - cls.idle_weights

    @classmethod
    def from_choices(cls, choices: Mapping[str, Any]) -> dict[str, Any]:
        """Constructor arguments of a candidate of a search space; see :func:`arguments_of`."""
        return arguments_of(choices, cls.weight_names())

    def check_shape(self) -> None:
        """Raise a ParameterError for arguments that build no network together."""

    def weight_limit(self, n_assets: int) -> WeightLimit | None:
        """What the weights are put back into after every step; None for no limit.

        Args:
            n_assets: Largest number of assets that the network will see at once.
        """
        return None

    def example_batch(self, market: Market) -> Batch:
        """The windows of the last bar of ``market``, as the fitted networks see them."""
        columns = self._columns(market)
        device = resolve_device(self.device)
        asked = asked_batches(
            market, market.dates[-1:], self.input_spec(), self.scaling_, columns, device
        )
        return next(iter(asked)).batch

    def input_spec(self) -> InputSpec:
        """What the network sees and forecasts."""
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
        """Train ``n_seeds`` networks on everything in ``market``."""
        self.check_fit_input(market)
        started = time.perf_counter()
        device = resolve_device(self.device)
        windows = training_windows(market, self.input_spec(), device)
        data, self.scaling_ = windows.data, windows.scaling
        self.assets_, self.sizes_ = windows.assets, windows.sizes
        split = make_split(
            data, self.training, execution_lag=self.execution_lag, horizon=self.horizon
        )
        results = self._train(data, split, device)
        self.fit_report_ = self._report(results, time.perf_counter() - started)
        return self

    def _train(self, data: WindowData, split: Split, device: torch.device) -> list[TrainingResult]:
        """Build and train the network of every seed."""
        seeds = [derived_seed(self.seed, number) for number in range(self.n_seeds)]
        self.networks_: list[ForecastNetwork] = []
        for seed in seeds:
            with single_threaded(seed):
                self.networks_.append(self.build_network(self.sizes_).to(device))
        self.warm_starts_ = start_warm(self.networks_, getattr(self, "start_", []))
        steps = Steps(self.training.rate(self.learning_rate), self.weight_decay)
        task = TrainingTask(data, split, self.training, self.objective, steps)
        limit = self.weight_limit(self.sizes_["n_assets"])
        return train_each(self.networks_, task, seeds=seeds, limit=limit)

    @property
    def starts_warm(self) -> bool:
        """As ``training.warm_start`` says."""
        return self.training.warm_start

    def start_from(self, bundle: Bundle) -> Self:
        """Let the networks of the next fit start from those of an earlier one."""
        earlier = clone(self).from_bundle(bundle).networks_
        self.start_: list[dict[str, torch.Tensor]] = [each.state_dict() for each in earlier]
        return self

    def _report(self, results: list[TrainingResult], seconds: float) -> FitReport:
        return FitReport(
            epochs=float(np.mean([result.epochs for result in results])),
            gradient_samples=sum(result.samples for result in results),
            seconds=seconds,
            parameters=sum(p.numel() for p in self.networks_[0].parameters()),
            warm_starts=self.warm_starts_,
            curves=[result.curve for result in results],
        )

    def predict(self, market: Market, dates: pd.DatetimeIndex) -> Forecast:
        """Average over seeds of the networks' forecasts, each date from its own window.

        Fewer than :data:`~.prediction.PREDICTION_DATES` dates are forecast one by one, more in
        batches of that size, which changes a forecast by no more than the rounding of sums.
        """
        columns = self._columns(market)
        shape = (self.n_seeds, len(dates), len(market.assets))
        mean, volatility = np.full(shape, np.nan), np.full(shape, np.nan)
        device = resolve_device(self.device)
        asked_for = asked_batches(market, dates, self.input_spec(), self.scaling_, columns, device)
        with single_threaded(0), torch.no_grad():
            for asked in asked_for:
                for number, network in enumerate(self.networks_):
                    output = network(asked.batch)
                    asked.put(output.mean.double().cpu().numpy(), mean[number])
                    log_volatility = output.log_volatility.double().cpu().numpy()
                    asked.put(np.exp(log_volatility), volatility[number])
        return average_over_seeds(market, dates, mean, volatility)

    def _columns(self, market: Market) -> np.ndarray:
        """Assets that the networks can forecast: in joint mode those that they were trained on.

        Raises:
            DataError: In joint mode, the market lacks one of them or orders them otherwise.
        """
        if self.mode == "pooled":
            return np.ones(len(market.assets), dtype=bool)
        columns: np.ndarray = np.isin(np.asarray(market.assets), np.asarray(self.assets_))
        if tuple(np.asarray(market.assets)[columns]) != self.assets_:
            raise DataError(
                "a joint network forecasts the assets that it was trained on, in their order: "
                f"{', '.join(self.assets_)}; the market has {', '.join(market.assets)}",
                remedy="hand over a market with those assets, or use mode 'pooled'.",
            )
        return columns

    def to_bundle(self) -> Bundle:
        """Weights of every seed's network, and the scales."""
        arrays = {f"scaling/{k}": v for k, v in self.scaling_.to_arrays().items()}
        for number, network in enumerate(self.networks_):
            for name, value in network.state_dict().items():
                arrays[f"seed{number}/{name}"] = value.cpu().numpy()
        facts = {"assets": list(self.assets_), "sizes": self.sizes_}
        return Bundle(arrays, facts)

    def from_bundle(self, bundle: Bundle) -> Self:
        """Restore networks and scales."""
        device = resolve_device(self.device)
        self.scaling_ = Scaling.from_arrays(bundle.prefixed("scaling"))
        self.assets_ = tuple(bundle.facts["assets"])
        sizes = bundle.facts["sizes"]
        self.sizes_ = {**sizes, "market_timeframes": tuple(sizes["market_timeframes"])}
        self.networks_ = []
        for number in range(self.n_seeds):
            state = bundle.prefixed(f"seed{number}")
            if not state:
                raise ParameterError(
                    f"the checkpoint holds fewer than n_seeds = {self.n_seeds} networks."
                )
            network = self.build_network(self.sizes_).to(device)
            network.load_state_dict({k: torch.as_tensor(v.copy()) for k, v in state.items()})
            network.eval()
            self.networks_.append(network)
        return self
