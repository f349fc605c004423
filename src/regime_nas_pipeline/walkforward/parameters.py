"""Every block of parameters, typed: an unknown key or a wrong value stops before any work."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import pandas as pd
from pydantic import Field, PositiveInt, model_validator

from regime_nas_pipeline.core.params import (
    ClassChoice,
    Strict,
    check_arguments,
    load_class,
)
from regime_nas_pipeline.forecasters.base import Forecaster
from regime_nas_pipeline.market.calendars import Calendar
from regime_nas_pipeline.networks.schedules import Schedule
from regime_nas_pipeline.networks.training import TrainingPlan
from regime_nas_pipeline.networks.training_plan import Precision, Together
from regime_nas_pipeline.portfolio.allocate import Allocator
from regime_nas_pipeline.portfolio.solvers import SolverName
from regime_nas_pipeline.regimes.base import Labeller
from regime_nas_pipeline.walkforward.compute_parameters import ClusterChoice, Compute
from regime_nas_pipeline.walkforward.search_parameters import CellSearch, Search, SearchSpace

__all__ = [
    "AllocatorChoice",
    "CellSearch",
    "ClusterChoice",
    "Compute",
    "Evaluation",
    "ForecasterChoice",
    "LabellerChoice",
    "Portfolio",
    "Regimes",
    "Search",
    "SearchSpace",
    "SubPeriod",
    "Training",
    "Universe",
    "WalkForward",
]


class Universe(Strict):
    """Which assets, over which dates.

    Attributes:
        assets: Names, or None for all that the source has.
        benchmark: What buy-and-hold holds.
        benchmark_tradable: Whether the benchmark may also be chosen.
        observed: Series that are seen by labellers and never held, such as a volatility index;
            their blanks are not filled.
        start: First date used; earlier rows are counted and left out.
        end: Last date used; None for all.
        sealed_from: First day of the last part that no pipeline but ``open_holdout`` reads; None
            for no such part.
        max_gap: Longest gap (bars) inside a history that carries the last price forward.
        min_history: Closes that an asset needs before it joins.
        bars_per_year: 252 for exchanges, 365 for coins; ``auto`` counts, see
            :func:`~regime_nas_pipeline.market.bar_year.bar_year`.
        calendar: Which dates are bars; prices dated between them fold forward.
        late_closes: Assets whose bar of a date closes after those of the others, so that the
            next bar shows it.
        membership: CSV or Parquet file with columns asset, from, to that says which assets
            could be chosen when; None: all, always.
    """

    assets: list[str] | None = None
    benchmark: str
    benchmark_tradable: bool = False
    observed: list[str] = Field(default_factory=list)
    start: dt.date | None = None
    end: dt.date | None = None
    sealed_from: dt.date | None = None
    max_gap: int = Field(5, ge=0)
    min_history: int = Field(ge=1)
    bars_per_year: Literal["auto"] | PositiveInt
    calendar: Calendar = Calendar()
    late_closes: list[str] = Field(default_factory=list)
    membership: str | None = None

    @model_validator(mode="after")
    def _seal_lies_inside(self) -> Universe:
        if self.sealed_from is None:
            return self
        if self.start is not None and self.sealed_from <= self.start:
            raise ValueError(
                f"sealed_from {self.sealed_from} does not lie after start {self.start}"
            )
        if self.end is not None and self.sealed_from > self.end:
            raise ValueError(f"sealed_from {self.sealed_from} lies after end {self.end}")
        return self

    @model_validator(mode="after")
    def _observed_is_not_held(self) -> Universe:
        held = sorted({self.benchmark, *(self.assets or [])} & set(self.observed))
        if held:
            raise ValueError(f"{', '.join(held)} cannot be both observed and held")
        return self

    @model_validator(mode="after")
    def _late_closes_fit(self) -> Universe:
        repeated = sorted({name for name in self.late_closes if self.late_closes.count(name) > 1})
        if repeated:
            raise ValueError(f"late_closes names {', '.join(repeated)} more than once")
        if self.calendar.asset in self.late_closes:
            raise ValueError(
                f"'{self.calendar.asset}' gives the calendar and cannot close late on it"
            )
        return self


class WalkForward(Strict):
    """When is decided, refitted and traded.

    Attributes:
        first_oos: First date that may be decided on.
        horizon: Bars of the return that is forecast.
        execution_lag: Bars between decision and trade.
        refit_every: Bars from one fit to the next.
        rebalance_every: Bars from one decision to the next.
        window: ``expanding`` or ``rolling`` training window.
        window_bars: Bars of a rolling window.
    """

    first_oos: dt.date
    horizon: int = Field(ge=1)
    execution_lag: int = Field(ge=0)
    refit_every: int = Field(ge=1)
    rebalance_every: int = Field(ge=1)
    window: Literal["expanding", "rolling"] = "expanding"
    window_bars: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _window_has_bars(self) -> WalkForward:
        if (self.window == "rolling") != (self.window_bars is not None):
            raise ValueError("window_bars belongs to window: rolling, and to it alone")
        return self

    @property
    def first_oos_stamp(self) -> pd.Timestamp:
        """``first_oos`` as a time stamp."""
        return pd.Timestamp(self.first_oos)


class Training(Strict):
    """Budget and schedule of every network's training, the same for all neural forecasters.

    Attributes:
        n_seeds: Networks per forecaster and fold, averaged.
        max_samples: Budget of each in gradient samples: asset windows through the loss.
        batch_dates: Decision dates per batch.
        sample_every: Bars between training windows.
        validation_fraction: Purged tail of the training window for early stopping.
        embargo: Extra bars between training and validation.
        patience: Epochs without improvement before training stops.
        schedule: How the learning rate moves: ``plateau`` halves it where the validation error no
            longer falls, ``cosine`` raises it over the first tenth of the budget and lets it fall
            to zero by the end.
        plateau_patience: Epochs without improvement before ``plateau`` halves the learning rate;
            belongs to it alone.
        gradient_clip: Largest norm of a gradient.
        together: Whether the networks of the seeds are trained side by side, in one computation:
            ``auto`` where that is quicker, ``always`` or ``never``.
        rate_batch_dates: Batch that the learning rates are meant for; with another they are
            multiplied by the square root of the ratio. None for rates as they are.
        precision: ``float32``, or ``mixed`` for products in bfloat16 in training.
        warm_start: Whether each fold's networks start from those of the fold before.
    """

    n_seeds: int = Field(ge=1)
    max_samples: int = Field(ge=1)
    batch_dates: int = Field(ge=1)
    sample_every: int = Field(ge=1)
    validation_fraction: float = Field(gt=0, lt=1)
    embargo: int = Field(0, ge=0)
    patience: int = Field(ge=1)
    schedule: Schedule = "plateau"
    plateau_patience: int | None = Field(None, ge=0)
    gradient_clip: float = Field(gt=0)
    together: Together = "auto"
    rate_batch_dates: int | None = Field(None, ge=1)
    precision: Precision = "float32"
    warm_start: bool = False

    @model_validator(mode="after")
    def _patience_is_used(self) -> Training:
        if (self.schedule == "plateau") != (self.plateau_patience is not None):
            raise ValueError("plateau_patience belongs to schedule: plateau, and to it alone")
        return self

    def plan(self) -> TrainingPlan:
        """The plan of one network's training."""
        return TrainingPlan(**self.model_dump(exclude={"n_seeds"}, exclude_none=True))


class LabellerChoice(ClassChoice):
    """A labeller by class path."""

    @model_validator(mode="after")
    def _is_labeller(self) -> LabellerChoice:
        check_arguments(load_class(self.class_path, Labeller), self.params)
        return self


class Regimes(Strict):
    """Who labels regimes, and on what data at which date.

    Attributes:
        labeller: Class path and arguments.
        n_regimes: 2 or 3; ``auto`` for the better of both by the labeller's criterion on the
            burn-in; None for what the labeller's arguments say.
        burn_in: Bars before the first fit.
        refit_every: Bars from one fit to the next.
        freeze_after: No fit after this date; None to go on refitting.
    """

    labeller: LabellerChoice
    n_regimes: Literal["auto", 2, 3] | None = None
    burn_in: int = Field(ge=1)
    refit_every: int = Field(ge=1)
    freeze_after: dt.date | None = None


class ForecasterChoice(ClassChoice):
    """A forecaster by class path."""

    @model_validator(mode="after")
    def _is_forecaster(self) -> ForecasterChoice:
        check_arguments(load_class(self.class_path, Forecaster), self.params)
        return self


class AllocatorChoice(ClassChoice):
    """An allocator by class path."""

    @model_validator(mode="after")
    def _is_allocator(self) -> AllocatorChoice:
        check_arguments(load_class(self.class_path, Allocator), self.params)
        return self


class Portfolio(Strict):
    """From forecasts to trades.

    Attributes:
        allocator: Class path and arguments; turns forecasts into weights.
        max_weight: Largest weight of one asset; 1/n where n assets need more.
        solver: Solver of the allocators; results agree within its tolerance.
        cost_bps: Cost of trading one unit of notional, one way, in basis points.
        risk_free: Simple yearly rate.
        volatility_from: Forecaster whose volatility forecasts rescale the covariance of every
            strategy; None for Ledoit-Wolf alone.
    """

    allocator: AllocatorChoice
    max_weight: float = Field(gt=0, le=1)
    solver: SolverName = "daqp"
    cost_bps: float = Field(ge=0)
    risk_free: float = Field(gt=-1)
    volatility_from: str | None = None


class SubPeriod(Strict):
    """A named part of the sample, both dates included."""

    name: str
    first: dt.date
    last: dt.date

    @model_validator(mode="after")
    def _runs_forward(self) -> SubPeriod:
        if self.first > self.last:
            raise ValueError(f"{self.name}: {self.first} lies after {self.last}")
        return self

    @property
    def last_moment(self) -> pd.Timestamp:
        """The end of the last day, so that all of its bars belong to the part."""
        return pd.Timestamp(self.last) + pd.Timedelta(days=1) - pd.Timedelta(microseconds=1)


class Evaluation(Strict):
    """How results are cut up.

    Attributes:
        sub_periods: Named parts of the sample; calendar years where there is none.
        limits: Sentences about the data that stand beside every comparison.
    """

    sub_periods: list[SubPeriod] = Field(default_factory=list)
    limits: list[str] = Field(default_factory=list)
