"""Rules that say how much of an index to hold, from what is known at each close."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import DataError, ParameterError

BUY_AND_HOLD = "buy_and_hold"
"""Name of the rule that the others are compared with."""


@dataclass(frozen=True, eq=False)
class Known:
    """What rules may look at; the value of a date is known at its close.

    Attributes:
        returns: Simple return of the index per bar, (T,), by date; the first may be blank.
        regimes: Date x regime, probabilities that sum to 1; rows may be blank before the first
            label. None where there are no labels, which some rules do not need.
        bars_per_year: Bars in a year.
    """

    returns: pd.Series
    regimes: pd.DataFrame | None
    bars_per_year: int


@dataclass(frozen=True, eq=False)
class Wanted:
    """What a rule wants.

    Attributes:
        exposure: Fraction of wealth wanted in the index, by decision date; no blanks.
        capped: Whether the rule's own cap held the exposure down, on the same dates.
    """

    exposure: pd.Series
    capped: pd.Series


class ExposureRule(ABC):
    """A rule: the exposure wanted at the close of t is a function of what is known by then.

    Attributes:
        name: Name of the strategy.
        uses_labels: Whether it looks at the regimes at all.
    """

    name: ClassVar[str]
    uses_labels: ClassVar[bool] = True

    def labels(self, known: Known) -> pd.DataFrame:
        """The labels from the first known row on, checked.

        Raises:
            ParameterError: There are no labels.
            DataError: They are no probabilities, or blank after the first known row.
        """
        if known.regimes is None:
            raise ParameterError(f"{self.name} needs regimes, and there are none.")
        return _known_labels(known.regimes)

    @abstractmethod
    def exposures(self, known: Known) -> pd.Series:
        """Wanted exposure by decision date, without blanks, from the first that can be made."""

    def capped(self, exposure: pd.Series) -> pd.Series:
        """Where the rule's own cap was reached: nowhere, for a rule that has none."""
        return pd.Series(False, index=exposure.index)


@dataclass(frozen=True)
class BuyAndHold(ExposureRule):
    """Everything in the index, always."""

    name: ClassVar[str] = BUY_AND_HOLD
    uses_labels: ClassVar[bool] = False

    def exposures(self, known: Known) -> pd.Series:
        """1 at every close."""
        return pd.Series(1.0, index=known.returns.index)


@dataclass(frozen=True)
class CalmOnly(ExposureRule):
    """Everything in the index while a calm regime is the most probable one, else cash.

    Attributes:
        calm: Names of the regimes that count as calm.
    """

    calm: tuple[str, ...] = ("calm",)
    name: ClassVar[str] = "calm_only"

    def exposures(self, known: Known) -> pd.Series:
        """1 or 0 at every labelled close."""
        return _by_label(self.labels(known), self.calm, 1.0, 0.0)


@dataclass(frozen=True)
class Levered(ExposureRule):
    """More than everything while a calm regime is the most probable one, else a part.

    Attributes:
        in_calm: Exposure in a calm regime.
        otherwise: Exposure in any other.
        calm: Names of the regimes that count as calm.
    """

    in_calm: float = 1.5
    otherwise: float = 0.3
    calm: tuple[str, ...] = ("calm",)
    name: ClassVar[str] = "levered"

    def exposures(self, known: Known) -> pd.Series:
        """One of the two exposures at every labelled close."""
        return _by_label(self.labels(known), self.calm, self.in_calm, self.otherwise)


@dataclass(frozen=True)
class ProbabilityWeighted(ExposureRule):
    """Each regime has an exposure, and their mean weighted by the probabilities is held.

    Attributes:
        by_regime: Regime to exposure. Every regime of the labels needs one; regimes that the
            labels do not have may be named as well, for labellers that choose their number.
    """

    by_regime: Mapping[str, float] = field(
        default_factory=lambda: {"calm": 1.0, "middle": 0.5, "stressed": 0.0}
    )
    name: ClassVar[str] = "probability_weighted"

    def exposures(self, known: Known) -> pd.Series:
        """Σ_k p_k e_k at every labelled close.

        Raises:
            ParameterError: A regime of the labels has no exposure.
        """
        labels = self.labels(known)
        names = [str(name) for name in labels.columns]
        missing = [name for name in names if name not in self.by_regime]
        if missing:
            raise ParameterError(
                f"{self.name}: regime '{missing[0]}' has no exposure; by_regime names "
                f"{', '.join(self.by_regime)}."
            )
        total = np.zeros(len(labels))
        for place, name in enumerate(names):  # in order: the bits depend on nothing but the row
            total += labels.to_numpy(dtype=float)[:, place] * self.by_regime[name]
        return pd.Series(total, index=labels.index)


@dataclass(frozen=True)
class VolatilityTarget(ExposureRule):
    """Target volatility over trailing volatility, up to a cap: the control without any labels.

    Trailing volatility is the root mean square return, its mean taken as zero, times
    √bars_per_year: over ``window`` bars, or with weights that fall by ``decay`` from bar to bar.

    Attributes:
        target: Volatility wanted, a year.
        cap: Largest exposure; where it binds is counted.
        window: Bars of the trailing volatility. With ``decay``, bars before the first exposure.
        decay: Weight of a bar over that of the next one, such as 0.94; None for equal weights.

    Source: Moreira, A. and Muir, T. (2017). Volatility-Managed Portfolios. Journal of Finance
    72(4); the decay: J.P. Morgan/Reuters (1996). RiskMetrics Technical Document.
    """

    target: float = 0.10
    cap: float = 1.5
    window: int = 21
    decay: float | None = None
    name: ClassVar[str] = "volatility_target"
    uses_labels: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse what gives no exposure.

        Raises:
            ParameterError: The target or the cap is not positive, the window is shorter than two
                bars, or the decay is not between 0 and 1.
        """
        if not (self.target > 0.0 and self.cap > 0.0 and self.window >= 2):
            raise ParameterError(
                f"{self.name} needs target > 0, cap > 0 and window >= 2; they are {self.target}, "
                f"{self.cap} and {self.window}."
            )
        if self.decay is not None and not 0.0 < self.decay < 1.0:
            raise ParameterError(f"{self.name} needs a decay between 0 and 1, not {self.decay}.")

    def exposures(self, known: Known) -> pd.Series:
        """min(cap, target ÷ trailing volatility) from the first full window on.

        Raises:
            DataError: A return is blank after the first one.
        """
        returns = known.returns.iloc[1:] if known.returns.isna().iloc[:1].any() else known.returns
        if returns.isna().any():
            raise DataError(
                "a return is blank, so the trailing volatility is not known",
                source="index returns",
                date=pd.Timestamp(returns.index[int(np.argmax(returns.isna()))]),
            )
        dates = returns.index[self.window - 1 :]
        if not len(dates):
            return pd.Series(np.empty(0), index=dates)
        squares = returns.to_numpy(dtype=float) ** 2
        if self.decay is None:
            # Copied rows: their sums have the same bits whatever other rows there are.
            variance = np.ascontiguousarray(sliding_window_view(squares, self.window)).mean(axis=1)
        else:
            smoothed = pd.Series(squares).ewm(alpha=1.0 - self.decay).mean().to_numpy()
            variance = smoothed[self.window - 1 :]
        volatility = np.sqrt(variance * known.bars_per_year)
        # A market that stands still has no volatility, and the cap is all that holds.
        moving = volatility > self.target / self.cap
        exposure = np.full(len(dates), self.cap)
        exposure[moving] = self.target / volatility[moving]
        return pd.Series(exposure, index=dates)

    def capped(self, exposure: pd.Series) -> pd.Series:
        """Where the cap was reached."""
        return exposure >= self.cap


def decide(rule: ExposureRule, known: Known, *, max_exposure: float) -> Wanted:
    """What a rule wants at every close at which it can say so.

    Args:
        rule: The rule.
        known: Returns and regimes; the exposure of a date uses them up to that date.
        max_exposure: Largest exposure allowed. No rule is cut down to it; one that wants more is
            an error.

    Raises:
        ParameterError: An exposure is above the largest one allowed, or negative, or the rule
            names regimes that the labels do not have.
        DataError: The labels are no probabilities, or a row is blank after the first known one.
    """
    exposure = rule.exposures(known).astype(float).rename("exposure")
    values = exposure.to_numpy()
    faulty = ~((values >= 0.0) & (values <= max_exposure))
    if faulty.any():
        row = int(np.argmax(faulty))
        raise ParameterError(
            f"{rule.name} wants an exposure of {values[row]:g} on "
            f"{date_text(exposure.index[row])}, and exposures from 0 to {max_exposure:g} "
            "are allowed; change the rule, or max_exposure."
        )
    return Wanted(exposure, rule.capped(exposure).astype(bool).rename("capped"))


def _by_label(
    labels: pd.DataFrame, calm: tuple[str, ...], in_calm: float, otherwise: float
) -> pd.Series:
    names = np.array([str(name) for name in labels.columns], dtype=object)
    unknown = [name for name in calm if name not in names]
    if unknown or not calm:
        raise ParameterError(
            f"calm: '{', '.join(unknown)}' is none of the regimes; there are: {', '.join(names)}."
        )
    # Of equally probable regimes the first counts, which is the calmer one.
    most_probable = names[labels.to_numpy(dtype=float).argmax(axis=1)]
    return pd.Series(
        np.where(np.isin(most_probable, list(calm)), in_calm, otherwise), index=labels.index
    )


def _known_labels(regimes: pd.DataFrame) -> pd.DataFrame:
    """The labels from the first known row on."""
    values = regimes.to_numpy(dtype=float)
    known = np.isfinite(values).all(axis=1)
    first = int(np.argmax(known)) if known.any() else len(known)
    labels, values = regimes.iloc[first:], values[first:]
    wrong = ~(np.abs(values.sum(axis=1) - 1.0) < 1e-6) | (values < 0.0).any(axis=1)
    if wrong.any():
        raise DataError(
            "regime probabilities are blank, negative or do not sum to 1",
            source="regimes",
            date=pd.Timestamp(labels.index[int(np.argmax(wrong))]),
            remedy="label every bar from the first label on.",
        )
    return labels
