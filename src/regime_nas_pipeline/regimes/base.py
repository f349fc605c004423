"""The contract that every regime labeller keeps."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.regimes.identity import match_regimes

LEAST_MEMBERS = 5
"""Training bars that a regime must hold; fewer are outliers."""


class Labeller(BaseEstimator, ABC):
    """Base of all labellers, in scikit-learn's conventions.

    Constructor arguments are explicit and stored under their own names; everything that ``fit``
    learns ends in an underscore. Only filtered probabilities may leave a labeller: what it says
    of a date is a function of the data up to that date and of what it was fitted on, never
    smoothed with later bars. The one exception is :meth:`predict_hindsight`, to measure against.

    A labeller must have the three abstract methods. One whose columns are to be matched from
    refit to refit by fitted parameters also says ``named_by_rule = False`` and has
    :meth:`signature`, ``signature_names``, ``signature_scale_`` and :meth:`reordered`.

    Attributes:
        signature_scale_: How much each of the D parameters of :meth:`signature` varies over the
            training bars, (D,): the unit in which two fits are compared.
    """

    signature_scale_: np.ndarray

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
            Date x regime name, each row summing to 1. A date whose inputs cannot be computed has
            no row.
        """

    @property
    def named_by_rule(self) -> bool:
        """Whether a rule alone says which regime a column is, at every fit anew."""
        return True

    @property
    def signature_names(self) -> tuple[str, ...]:
        """Names of the D parameters of :meth:`signature`."""
        return ()

    def signature(self) -> np.ndarray:
        """Fitted parameters that identify each regime, (K, D), in units that refits share."""
        return np.empty((len(self.regime_names), 0))

    def reordered(self, order: Sequence[int]) -> Self:
        """A fitted copy whose column k is the old column ``order[k]``; names stay in place.

        Raises:
            ParameterError: ``order`` does not name every column once.
        """
        n_regimes = len(self.regime_names)
        if sorted(order) != list(range(n_regimes)):
            raise ParameterError(
                f"order must name each of the {n_regimes} columns once and is {list(order)}."
            )
        moved = copy.copy(self)
        moved._take(np.asarray(order, dtype=int))
        return moved

    def _take(self, order: np.ndarray) -> None:
        """Replace every fitted array of regimes by its entries in ``order``."""
        raise ParameterError(f"{type(self).__name__} cannot reorder its regimes.")

    def criterion(self, market: Market) -> float:
        """How badly the fitted regimes describe ``market``, to choose K by; lower is better.

        Raises:
            ParameterError: This labeller has no such criterion.
        """
        raise ParameterError(
            f"{type(self).__name__} has no criterion by which to choose the number of regimes: "
            "set n_regimes to a number."
        )

    def predict_hindsight(self, market: Market) -> pd.DataFrame:
        """Regimes as they look when all of ``market`` is known: fitted on it, and smoothed.

        Uses the future on purpose. It serves to measure how late the online labels are and what
        cheating would earn; nothing that trades may read it.

        Args:
            market: On all of which an unfitted copy is fitted; its columns are matched with those
                of this fitted labeller.

        Returns:
            Date x regime name, each row summing to 1; bars with blank inputs have no row.

        Raises:
            DataError: As :meth:`fit`.
        """
        whole: Self = clone(self).fit(market)
        if not self.named_by_rule:
            whole = whole.reordered(matching_order(self, whole))
        return whole._whole_sample(market)

    def _whole_sample(self, market: Market) -> pd.DataFrame:
        """Labels of all bars of the training market; without memory they are the online ones."""
        return self.predict_online(market, market.dates)

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


def matching_order(reference: Labeller, candidate: Labeller) -> tuple[int, ...]:
    """Which column of ``candidate`` is which regime of ``reference``, both fitted, (K,)."""
    return match_regimes(
        reference.signature(), candidate.signature(), scale=candidate.signature_scale_
    )


def ranked_names(n_regimes: int) -> tuple[str, ...]:
    """``volatility_1``, the calmest, to ``volatility_K``."""
    return tuple(f"volatility_{rank}" for rank in range(1, n_regimes + 1))


def calm_first_names(n_regimes: int) -> tuple[str, ...]:
    """Names of K regimes in the order of their volatility, calmest first."""
    known = {2: ("calm", "stressed"), 3: ("calm", "middle", "stressed")}
    return known.get(n_regimes) or ranked_names(n_regimes)


def calm_first_order(returns: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Regimes by the volatility of the market return on their own bars, calmest first, (K,).

    Args:
        returns: Market return of the training bars, (T,); blank ones do not count.
        weights: How much each bar belongs to each regime, (T, K).
    """
    known = np.isfinite(returns)
    squares = (weights[known] * returns[known, None] ** 2).sum(axis=0)
    return np.argsort(squares / weights[known].sum(axis=0), kind="stable")


def refuse_small_regimes(labeller: Labeller, market: Market, weights: np.ndarray) -> None:
    """Refuse a fit in which a regime holds hardly any training bar.

    Args:
        labeller: Named in the message.
        market: What it was fitted on.
        weights: How much each training bar belongs to each regime, (T, K).

    Raises:
        DataError: A regime holds fewer than :data:`LEAST_MEMBERS` bars.
    """
    smallest = float(np.nan_to_num(weights).sum(axis=0).min())
    if smallest < LEAST_MEMBERS:
        raise only_one_regime(
            labeller,
            market,
            f"one of {weights.shape[1]} regimes holds {smallest:.1f} of {len(weights)} training "
            f"bars, and {LEAST_MEMBERS} are the least",
        )


def only_one_regime(labeller: Labeller, market: Market, problem: str) -> DataError:
    """The error of a training window in which there are too few regimes."""
    return DataError(
        f"{type(labeller).__name__}: {problem}",
        source="prices",
        date=market.dates[-1],
        remedy="lengthen the burn-in, start the data earlier, lower n_regimes, or lower "
        "min_history.",
    )


def positions(market: Market, dates: pd.DatetimeIndex) -> np.ndarray:
    """Rows of bar dates, (n,) int.

    Raises:
        DataError: A date is not a bar of this market.
    """
    rows = market.dates.get_indexer(dates)
    if (rows < 0).any():
        market.position(dates[int(np.argmax(rows < 0))])
    return np.asarray(rows)


def label_frame(
    labeller: Labeller, dates: pd.DatetimeIndex, probabilities: np.ndarray
) -> pd.DataFrame:
    """Labels as a table, date x regime name; rows that are blank, (n, K), are left out."""
    known = np.isfinite(probabilities[:, 0])
    return pd.DataFrame(
        probabilities[known],
        index=pd.DatetimeIndex(dates[known], name="date"),
        columns=list(labeller.regime_names),
    )
