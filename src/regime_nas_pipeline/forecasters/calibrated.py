"""Any forecaster with its spread across assets scaled by what the training side taught."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from sklearn.base import clone

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.params import check_arguments, load_class, with_common
from regime_nas_pipeline.core.splits import purged_tail, sample_rows, strided
from regime_nas_pipeline.forecasters.base import FitReport, Forecast, Forecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import TrainingPlan
from regime_nas_pipeline.verdict.calibration import cross_sectional_slope

Bound = Literal["none", "floor", "cap"]
"""Which limit a factor was put back to."""

MIN_TAIL_DATES = 2
"""Dates that a slope and its error need at the least."""


@dataclass(frozen=True)
class SpreadFactor:
    """By how much deviations from the date's mean forecast are scaled, and why.

    Attributes:
        factor: What is applied, from 0 to the cap; 1 leaves forecasts as they are.
        slope: Of realised on predicted deviations in the tail; None where no forecast differed.
        slope_error: Its standard error, clustered by date; None without a slope.
        weight: What the slope counts for beside 1, from 0 to 1.
        bound: The limit that the shrunk slope was put back to, if any.
        n_dates: Dates of the tail that the slope was learned from.
    """

    factor: float
    slope: float | None
    slope_error: float | None
    weight: float
    bound: Bound
    n_dates: int


def spread_factor(
    mean: np.ndarray, target: np.ndarray, *, prior_deviation: float, cap: float
) -> SpreadFactor:
    """The shrunk slope of realised on predicted deviations, kept between 0 and a cap.

    With slope b and its error s, the factor is 1 + w (b - 1), w = d² / (d² + s²): the posterior
    mean of the true slope where it is normal around 1 with standard deviation d beforehand. A
    slope that is not known well, as that of forecasts which hardly differ, counts for little. A
    negative one would turn the ranking round on the strength of one validation tail; it becomes 0.

    Args:
        mean: Forecasts of the tail, (D, N), blank where there is none.
        target: What happened, (D, N), blank where not known.
        prior_deviation: d.
        cap: Largest factor.

    Source: the slope after Mincer and Zarnowitz (1969), see
    :func:`~.verdict.calibration.cross_sectional_slope`; the weight after Vasicek, O. A. (1973). A
    Note on Using Cross-Sectional Information in Bayesian Estimation of Security Betas. Journal of
    Finance 28(5).
    """
    found = cross_sectional_slope(mean, target)
    if found is None or found.error is None:
        return SpreadFactor(1.0, None, None, 0.0, "none", 0 if found is None else found.n_dates)
    weight = prior_deviation**2 / (prior_deviation**2 + found.error**2)
    shrunk = 1.0 + weight * (found.value - 1.0)
    bound: Bound = "floor" if shrunk < 0.0 else "cap" if shrunk > cap else "none"
    factor = min(max(shrunk, 0.0), cap)
    return SpreadFactor(factor, found.value, found.error, weight, bound, found.n_dates)


def scaled_spread(mean: np.ndarray, factor: float) -> np.ndarray:
    """Forecasts with the deviations from each date's mean over assets scaled, (D, N)."""
    known = np.isfinite(mean)
    counts = np.maximum(known.sum(axis=1), 1)
    centre = (np.where(known, mean, 0.0).sum(axis=1) / counts)[:, None]
    scaled: np.ndarray = centre + factor * (mean - centre)
    return scaled


class CalibratedForecaster(Forecaster):
    """Another forecaster whose differences between assets are scaled by a learned factor.

    A twin of it is fitted to the training data before the purged validation tail and forecasts
    the tail, at dates whose targets do not overlap. Neither weights nor scales nor early stopping
    of the twin have seen the tail, so the slope is one out of sample. The factor that comes of it
    (:func:`spread_factor`) scales the forecasts of the forecaster itself, which is fitted to all
    of the training data. The date's mean forecast and the volatility stay as they are, and so
    does the order of the assets unless the factor is 0. Where the inner forecaster averages seeds,
    each one's forecast is scaled in the same way, and their spread is that of the scaled ones.

    The fit costs about twice what that of the inner forecaster does, and says so in its report.

    Args:
        forecaster: Class path of the inner forecaster.
        params: Its own arguments; those below are handed on where its constructor knows them.
        prior_deviation: How far from 1 the true slope is expected beforehand, as a standard
            deviation.
        cap: Largest factor.
        horizon: Bars of the target return.
        execution_lag: Bars between decision and trade.
        training: Budget and schedule; its validation_fraction and embargo make the tail.
        n_seeds: Networks that are averaged.
        seed: Seed of all randomness.
        device: ``auto``, ``cpu`` or ``cuda``.

    Attributes:
        spread_: The factor and what it was made from.
    """

    multivariate: ClassVar[bool] = True

    def __init__(
        self,
        *,
        forecaster: str,
        params: dict[str, Any] | None = None,
        prior_deviation: float = 1.0,
        cap: float = 5.0,
        horizon: int = 21,
        execution_lag: int = 1,
        training: TrainingPlan = TrainingPlan(),  # noqa: B008 - frozen
        n_seeds: int = 3,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.forecaster = forecaster
        self.params = params
        self.prior_deviation = prior_deviation
        self.cap = cap
        self.horizon = horizon
        self.execution_lag = execution_lag
        self.training = training
        self.n_seeds = n_seeds
        self.seed = seed
        self.device = device

    # The inner forecaster decides; the class by itself cannot know.
    @property
    def needs_regimes(self) -> bool:  # type: ignore[override]
        """Whether the inner forecaster reads regimes."""
        return self._inner_class().needs_regimes

    @property
    def stochastic(self) -> bool:  # type: ignore[override]
        """Whether the inner fit depends on a random seed."""
        return self._inner_class().stochastic

    @property
    def gives_volatility(self) -> bool:  # type: ignore[override]
        """Whether the inner forecasts carry a volatility."""
        return self._inner_class().gives_volatility

    def _inner_class(self) -> type[Forecaster]:
        return load_class(self.forecaster, Forecaster)

    def classes(self) -> tuple[type, ...]:
        """Its own class and that of the inner forecaster."""
        return (type(self), self._inner_class())

    def inner(self) -> Forecaster:
        """The inner forecaster, unfitted.

        Raises:
            ParameterError: Class path or arguments do not fit, or a limit is not positive.
        """
        if not self.prior_deviation > 0.0 or not self.cap > 0.0:
            raise ParameterError(
                f"prior_deviation {self.prior_deviation} and cap {self.cap} must be above 0."
            )
        cls = self._inner_class()
        names = ("horizon", "execution_lag", "training", "n_seeds", "seed", "device")
        common = {name: getattr(self, name) for name in names}
        return cls(**check_arguments(cls, with_common(cls, self.params or {}, common)))

    def required_history(self) -> int:
        """What the inner forecaster needs."""
        return self.inner().required_history()

    def prediction_bars(self) -> int | None:
        """As the inner forecaster."""
        return self.inner().prediction_bars()

    def required_regimes(self) -> frozenset[str]:
        """What the inner forecaster needs."""
        return self.inner().required_regimes()

    @property
    def starts_warm(self) -> bool:
        """What the inner forecaster does."""
        return self.inner().starts_warm

    def start_from(self, bundle: Bundle) -> Self:
        """Let the inner forecaster start from its earlier fit; the twin starts from nothing."""
        self.start_ = Bundle(bundle.prefixed("inner"), bundle.facts["inner"])
        return self

    def fit(self, market: Market) -> Self:
        """Learn the factor from a twin's forecasts of the tail, then fit on everything.

        Raises:
            DataError: The training data is too short for a twin and a tail.
        """
        started = time.perf_counter()
        self.check_fit_input(market)
        inner = self.inner()
        twin = clone(inner)
        self.spread_ = self._learn_factor(twin, market)
        if hasattr(self, "start_"):
            inner.start_from(self.start_)
        self.fitted_ = inner.fit(market)
        own, others = self.fitted_.fit_report_, twin.fit_report_
        self.fit_report_ = FitReport(
            epochs=own.epochs,
            gradient_samples=own.gradient_samples + others.gradient_samples,
            seconds=time.perf_counter() - started,
            parameters=own.parameters + 1,
            curves=own.curves,
            warm_starts=own.warm_starts,
        )
        return self

    def _learn_factor(self, twin: Forecaster, market: Market) -> SpreadFactor:
        rows = sample_rows(
            len(market.dates),
            history=twin.required_history(),
            execution_lag=self.execution_lag,
            horizon=self.horizon,
        )
        _, tail = purged_tail(
            rows,
            fraction=self.training.validation_fraction,
            execution_lag=self.execution_lag,
            horizon=self.horizon,
            embargo=self.training.embargo,
        )
        asked = strided(tail, self.horizon)
        if len(asked) < MIN_TAIL_DATES:
            raise DataError(
                f"the validation tail has {len(tail)} bars, and a spread factor needs "
                f"{MIN_TAIL_DATES} dates that lie {self.horizon} bars apart",
                source="prices",
                date=market.dates[-1],
                remedy="start the data earlier, or raise training.validation_fraction.",
            )
        twin.fit(market.until(market.dates[tail[0] - 1 - self.training.embargo]))
        forecast = twin.predict(market, market.dates[asked])
        target = market.target(self.horizon, self.execution_lag)[asked]
        return spread_factor(
            forecast.mean, target, prior_deviation=self.prior_deviation, cap=self.cap
        )

    def predict(self, market: Market, dates: pd.DatetimeIndex) -> Forecast:
        """The inner forecasts, their deviations from the date's mean scaled."""
        inner = self.fitted_.predict(market, dates)
        mean = scaled_spread(inner.mean, self.spread_.factor)
        if inner.seed_means is None:
            return Forecast(dates, inner.assets, mean, inner.volatility)
        alone = np.stack([scaled_spread(each, self.spread_.factor) for each in inner.seed_means])
        return Forecast(dates, inner.assets, mean, inner.volatility, alone.std(axis=0), alone)

    def to_bundle(self) -> Bundle:
        """The inner state and the factor."""
        state = self.fitted_.to_bundle()
        arrays = {f"inner/{name}": array for name, array in state.arrays.items()}
        return Bundle(arrays, {"inner": state.facts, "spread": asdict(self.spread_)})

    def from_bundle(self, bundle: Bundle) -> Self:
        """Restore the inner state and the factor."""
        inner = Bundle(bundle.prefixed("inner"), bundle.facts["inner"])
        self.fitted_ = self.inner().from_bundle(inner)
        self.spread_ = SpreadFactor(**bundle.facts["spread"])
        return self
