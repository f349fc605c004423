"""The contract that every regime labeller keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import pandas as pd
from sklearn.base import BaseEstimator

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market


class Labeller(BaseEstimator, ABC):
    """Base of all labellers, in scikit-learn's conventions.

    Constructor arguments are explicit and stored under their own names; everything that ``fit``
    learns ends in an underscore. Only filtered probabilities may leave a labeller: what it says
    of a date is a function of the data up to that date and of what it was fitted on, never
    smoothed with later bars.
    """

    @property
    @abstractmethod
    def regime_names(self) -> tuple[str, ...]:
        """Names of the K regimes, in column order; known before the fit and the same after it."""

    @abstractmethod
    def fit(self, market: Market) -> Self:
        """Learn from everything in ``market`` and from nothing else."""

    @abstractmethod
    def predict_online(self, market: Market, dates: pd.DatetimeIndex) -> pd.DataFrame:
        """Probability of each regime at each date, from ``market.until(date)`` alone.

        Returns:
            Date x regime name, each row summing to 1. A date whose inputs cannot be computed yet
            has no row.
        """

    def required_history(self) -> int:
        """Bars that a market needs before :meth:`fit` can work at all."""
        return 1

    def check_fit_input(self, market: Market) -> None:
        """Refuse a market that is too short to learn from.

        Raises:
            DataError: Fewer bars than :meth:`required_history`.
        """
        needed = self.required_history()
        if len(market.dates) < needed:
            raise DataError(
                f"{type(self).__name__} needs at least {needed} bars to be fitted and there are "
                f"{len(market.dates)}",
                source="prices",
                date=market.dates[-1] if len(market.dates) else None,
                remedy="start the data earlier, lengthen the burn-in, or shorten the windows.",
            )
