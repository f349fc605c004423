"""The contract that every forecaster keeps."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market

_SEED_COLUMN = re.compile(r"seed_[1-9][0-9]*")


@dataclass(frozen=True)
class Forecast:
    """What a forecaster expects of each asset at each decision date.

    Attributes:
        dates: Decision dates, length D.
        assets: Asset names, length N.
        mean: Expected log return from the close of t + lag to the close of t + lag + horizon,
            (D, N), in decimals; blank where the asset was not in the universe.
        volatility: Its standard deviation, same shape and unit; or None.
        seed_spread: Standard deviation of ``mean`` over random seeds; or None.
        seed_means: What each random seed alone expects, (S, D, N), blank where ``mean`` is; their
            average over seeds is ``mean``. None where no seeds are averaged.
    """

    dates: pd.DatetimeIndex
    assets: tuple[str, ...]
    mean: np.ndarray
    volatility: np.ndarray | None = None
    seed_spread: np.ndarray | None = None
    seed_means: np.ndarray | None = None

    def on(self, assets: Sequence[str]) -> Forecast:
        """The same for ``assets`` in their order, blank for those that were not forecast.

        Raises:
            ParameterError: ``assets`` lack one that was forecast.
        """
        if tuple(assets) == self.assets:
            return self
        places = pd.Index(assets).get_indexer(pd.Index(self.assets))
        if (places < 0).any():
            lacking = self.assets[int(np.argmin(places))]
            raise ParameterError(f"there is a forecast for {lacking}, which is not asked for.")

        def placed(values: np.ndarray) -> np.ndarray:
            wide: np.ndarray = np.full((*values.shape[:-1], len(assets)), np.nan)
            wide[..., places] = values
            return wide

        volatility, spread, seeds = self.volatility, self.seed_spread, self.seed_means
        return Forecast(
            self.dates,
            tuple(assets),
            placed(self.mean),
            None if volatility is None else placed(volatility),
            None if spread is None else placed(spread),
            None if seeds is None else placed(seeds),
        )

    def to_frame(self) -> pd.DataFrame:
        """Tidy table: date, asset, mean, volatility, seed_spread; rows without a mean left out.

        Where seeds were averaged, the mean of each follows in ``seed_1``, ``seed_2``, ….
        """
        index = pd.MultiIndex.from_product([self.dates, self.assets], names=["date", "asset"])
        blank = np.full(self.mean.shape, np.nan)
        columns = {
            "mean": self.mean,
            "volatility": blank if self.volatility is None else self.volatility,
            "seed_spread": blank if self.seed_spread is None else self.seed_spread,
        }
        alone = () if self.seed_means is None else self.seed_means
        columns |= {f"seed_{number}": mean for number, mean in enumerate(alone, start=1)}
        table = pd.DataFrame({k: v.ravel() for k, v in columns.items()}, index=index)
        return table[table["mean"].notna()].reset_index()


def seed_columns(table: pd.DataFrame) -> list[str]:
    """Columns of a table of forecasts that hold the mean of one seed each, in their order."""
    return [name for name in table.columns if _SEED_COLUMN.fullmatch(str(name))]


@dataclass
class FitReport:
    """What a fit cost: shown in the report, never used to choose anything.

    Attributes:
        epochs: Passes over the training windows, averaged over seeds; 0 without training.
        gradient_samples: Asset windows that passed through the loss, summed over seeds.
        seconds: Wall time of the fit.
        parameters: Numbers that the fit estimated.
        curves: Per seed, a list of {"samples", "train_loss", "validation_loss"}.
        warm_starts: Networks that started from the weights of the fit before.
    """

    epochs: float = 0.0
    gradient_samples: int = 0
    seconds: float = 0.0
    parameters: int = 0
    curves: list[list[dict[str, float]]] = field(default_factory=list)
    warm_starts: int = 0


class Forecaster(BaseEstimator, ABC):
    """Base of all forecasters, in scikit-learn's conventions.

    Constructor arguments are explicit and stored under their own names; everything that ``fit``
    learns ends in an underscore. ``fit`` is handed a market that ends at the last close before
    the fold's first decision and must use nothing else.

    Class attributes:
        needs_regimes: Reads ``market.regimes``.
        stochastic: The fit depends on a random seed.
        multivariate: One asset's forecast depends on the others.
        gives_volatility: Forecasts carry a volatility.
    """

    needs_regimes: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False
    multivariate: ClassVar[bool] = False
    gives_volatility: ClassVar[bool] = False

    horizon: int
    execution_lag: int
    fit_report_: FitReport

    @property
    def starts_warm(self) -> bool:
        """Whether each fit of a walk forward is to start from the one before."""
        return False

    def start_from(self, bundle: Bundle) -> Self:
        """Let the next fit start from an earlier one, which has seen nothing later.

        Raises:
            ParameterError: Fits of this kind start from nothing.
        """
        raise ParameterError(f"{type(self).__name__} cannot start from an earlier fit.")

    @abstractmethod
    def fit(self, market: Market) -> Self:
        """Learn from everything in ``market``; set ``fit_report_``."""

    @abstractmethod
    def predict(self, market: Market, dates: pd.DatetimeIndex) -> Forecast:
        """Forecast at each date from ``market.until(date)`` alone."""

    @abstractmethod
    def to_bundle(self) -> Bundle:
        """Fitted state as arrays and facts, enough for :meth:`from_bundle`."""

    @abstractmethod
    def from_bundle(self, bundle: Bundle) -> Self:
        """Restore the fitted state into this instance (made with the same arguments)."""

    def required_history(self) -> int:
        """Closes that one asset needs before the first forecast can be made."""
        return 1

    def prediction_bars(self) -> int | None:
        """Bars up to a date, its own included, that :meth:`predict` reads; None for all.

        A forecast of a date is the same to the bit from these bars alone, so that whoever asks
        for one need not copy all of history.
        """
        return None

    def prediction_start(self) -> pd.Timestamp | None:
        """First bar that :meth:`predict` reads for dates after the fit; None for any before it.

        What lies before has been summed up by the fit. A forecast is the same to the bit from the
        bars from there on.
        """
        return None

    def required_regimes(self) -> frozenset[str]:
        """Names that the labelled regimes must have for :meth:`fit`; empty for any."""
        return frozenset()

    def classes(self) -> tuple[type, ...]:
        """Classes whose code decides what is forecast: its own, and those that it wraps."""
        return (type(self),)

    def check_fit_input(self, market: Market) -> None:
        """Refuse a market that is too short to learn from.

        Raises:
            DataError: Fewer bars than history + lag + horizon.
        """
        needed = self.required_history() + self.execution_lag + self.horizon
        if len(market.dates) < needed:
            last = market.dates[-1] if len(market.dates) else None
            raise DataError(
                f"{type(self).__name__} needs at least {needed} bars of training data "
                f"(history + execution lag + horizon) and there are {len(market.dates)}",
                source="prices",
                date=last,
                remedy="start the data earlier, move first_oos later, or shorten the lookback.",
            )


def blank_forecast_array(market: Market, dates: pd.DatetimeIndex) -> np.ndarray:
    """NaN array of decision dates x assets, to be filled in by a forecaster."""
    return np.full((len(dates), len(market.assets)), np.nan)


def as_plain(value: Any) -> Any:
    """Turn numpy scalars and tuples into what JSON can hold."""
    if isinstance(value, dict):
        return {str(k): as_plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    return value
