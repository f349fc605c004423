"""What a changing exposure to one index earns: trading lag, costs, interest and financing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.statistics import per_bar_rate


@dataclass(frozen=True, eq=False)
class Terms:
    """What an investor has to live with.

    Attributes:
        execution_lag: Bars between the close of the decision and the close of the trade.
        cost_bps: Cost of trading one unit of notional, one way, in basis points.
        cash_rate: Simple yearly rate that cash earns: one for all bars, or by date the rate in
            force over the bar that ends there, known at the close before.
        financing_spread: Yearly rate above that of cash at which exposure above 1 is borrowed.
        bars_per_year: Bars in a year.

    Raises:
        ParameterError: A lag, cost or spread is negative, or a cost is 100 % or more.
    """

    execution_lag: int = 1
    cost_bps: float = 5.0
    cash_rate: float | pd.Series = 0.0
    financing_spread: float = 0.0
    bars_per_year: int = 252

    def __post_init__(self) -> None:
        if self.execution_lag < 0:
            raise ParameterError(f"execution_lag must not be negative and is {self.execution_lag}.")
        if not 0.0 <= self.cost_bps < 1e4:
            raise ParameterError(
                f"cost_bps must be at least 0 and below 10000 and is {self.cost_bps}."
            )
        if not 0.0 <= self.financing_spread < np.inf:
            raise ParameterError(
                f"financing_spread must not be negative and is {self.financing_spread}."
            )

    def offset(self, *, same_bar: bool = False) -> int:
        """Bars from the close of a decision to the bar that it earns.

        Raises:
            ParameterError: The decision's own bar is asked for together with a lag.
        """
        if not same_bar:
            return self.execution_lag + 1
        if self.execution_lag:
            raise ParameterError(
                "same_bar lets a decision earn the bar before it, so execution_lag must be 0 and "
                f"is {self.execution_lag}."
            )
        return 0


@dataclass(frozen=True, eq=False)
class ExposurePath:
    """One strategy, bar by bar.

    Attributes:
        bars: By the date of the bar earned: ``decided_on``; ``exposure``, the fraction of wealth
            in the index at the start of the bar, after trading; ``traded``,
            |exposure - drifted exposure|, and ``cost``, both fractions of wealth before the
            trade; ``market``, ``interest`` and ``financing``, what the index, the cash and the
            loan added or (financing, a positive number) took, fractions of wealth after the
            trade; ``gross`` = market + interest - financing; ``net`` =
            (1 - cost)(1 + gross) - 1.
    """

    bars: pd.DataFrame

    @property
    def net(self) -> pd.Series:
        """Simple return per bar after everything."""
        return self.bars["net"]

    def accounts(self) -> pd.DataFrame:
        """The same in money, starting with 1: what each part added to wealth.

        Returns:
            By date: ``market``, ``interest``, ``financing``, ``cost`` and ``wealth`` after the
            bar, which is 1 + all market and interest so far - all financing and cost so far.
        """
        wealth = (1.0 + self.net).cumprod()
        before = wealth.shift(1, fill_value=1.0)
        after_cost = before * (1.0 - self.bars["cost"])
        parts = self.bars[["market", "interest", "financing"]].mul(after_cost, axis=0)
        return parts.assign(cost=before * self.bars["cost"], wealth=wealth)


def cash_returns(
    cash_rate: float | pd.Series, dates: pd.DatetimeIndex, bars_per_year: int
) -> np.ndarray:
    """What cash earns in each bar, (T,): the yearly rate compounded down to one bar.

    Args:
        cash_rate: Simple yearly rate, one for all bars or by date.
        dates: The bars.
        bars_per_year: Bars in a year.

    Raises:
        DataError: A bar has no rate.
        ParameterError: A rate is -100 % or less.
    """
    if not isinstance(cash_rate, pd.Series):
        return np.full(len(dates), per_bar_rate(float(cash_rate), bars_per_year))
    rates = cash_rate.reindex(dates)
    if rates.isna().any():
        raise DataError(
            "there is no cash rate for this bar",
            source="cash rate",
            date=dates[int(np.argmax(rates.isna()))],
            remedy="carry the last known rate forward to every bar.",
        )
    found, place = np.unique(rates.to_numpy(dtype=float), return_inverse=True)
    each: np.ndarray = np.array([per_bar_rate(rate, bars_per_year) for rate in found.tolist()])
    return each[place]


def run_exposure(
    returns: pd.Series,
    wanted: pd.Series,
    terms: Terms,
    *,
    first: pd.Timestamp | None = None,
    same_bar: bool = False,
) -> ExposurePath:
    """Hold a changing fraction of wealth in an index and account for every bar.

    An exposure decided on the close of t is traded at the close of t + ``execution_lag`` and earns
    the bar after that. Every bar begins at the exposure wanted for it: what the index's move has
    made of the one before is traded back, and |wanted - drifted| pays the cost. The first
    purchase pays on all of it. What is missing from 1 earns the cash rate; what is above 1 is
    borrowed at the cash rate plus the spread. Wealth is 1 before the first bar.

    Args:
        returns: Simple return of the index per bar, (T,), by date, from the close before it.
        wanted: Exposure by decision date; needed for every decision that earns one of the bars.
        terms: Lag, costs and rates.
        first: First bar to earn; None for the earliest that has an exposure and a return.
        same_bar: Let the exposure decided on the close of t earn the bar that ends there, which
            nobody can do. Only for reproducing published results that did.

    Raises:
        DataError: A return or an exposure is blank where it is needed, an exposure is negative,
            there is no bar to earn, or a bar loses everything.
        ParameterError: ``same_bar`` is combined with a lag, or a trade costs all there is.
    """
    dates = pd.DatetimeIndex(returns.index)
    if not (dates.is_monotonic_increasing and dates.is_unique):
        raise DataError("dates must increase without repeats", source="index returns")
    offset = terms.offset(same_bar=same_bar)
    decided = np.arange(len(dates)) - offset
    in_time = decided >= 0
    exposure = np.full(len(dates), np.nan)
    exposure[in_time] = wanted.reindex(dates).to_numpy(dtype=float)[decided[in_time]]
    moves = returns.to_numpy(dtype=float)
    start = _first_row(dates, np.isfinite(exposure) & np.isfinite(moves), first)
    bars, decided_on = dates[start:], dates[np.maximum(decided[start:], 0)]
    x, r = exposure[start:], moves[start:]
    _refuse_blanks(bars, decided_on, x, r)
    cash = cash_returns(terms.cash_rate, bars, terms.bars_per_year)
    loan = cash_returns(terms.cash_rate + terms.financing_spread, bars, terms.bars_per_year)
    interest = np.maximum(1.0 - x, 0.0) * cash
    financing = np.maximum(x - 1.0, 0.0) * loan
    gross = x * r + interest - financing
    if (gross <= -1.0).any():
        raise DataError(
            "the strategy loses everything in one bar",
            date=bars[int(np.argmax(gross <= -1.0))],
            remedy="lower the exposure.",
        )
    drifted = np.concatenate([[0.0], (x * (1.0 + r) / (1.0 + gross))[:-1]])
    traded = np.abs(x - drifted)
    cost = terms.cost_bps / 1e4 * traded
    ruinous = cost >= 1.0
    if ruinous.any():
        where = date_text(bars[int(np.argmax(ruinous))])
        raise ParameterError(f"the trade before the bar of {where} costs all there is.")
    return ExposurePath(
        pd.DataFrame(
            {
                "decided_on": decided_on,
                "exposure": x,
                "traded": traded,
                "cost": cost,
                "market": x * r,
                "interest": interest,
                "financing": financing,
                "gross": gross,
                "net": (1.0 - cost) * (1.0 + gross) - 1.0,
            },
            index=bars.rename("date"),
        )
    )


def _first_row(dates: pd.DatetimeIndex, ready: np.ndarray, first: pd.Timestamp | None) -> int:
    if first is None:
        if ready.any():
            return int(np.argmax(ready))
        raise DataError(
            "no bar can be earned: none has both a return and an exposure decided in time",
            date=dates[-1] if len(dates) else None,
            remedy="give exposures on dates of the returns, and more bars after the first of them.",
        )
    row = int(dates.get_indexer(pd.DatetimeIndex([first]))[0])
    if row < 0:
        raise DataError("the first bar to earn is not among the returns", date=pd.Timestamp(first))
    return row


def _refuse_blanks(
    bars: pd.DatetimeIndex, decided_on: pd.DatetimeIndex, x: np.ndarray, r: np.ndarray
) -> None:
    faulty = ~(np.isfinite(r) & (r > -1.0))
    if faulty.any():
        row = int(np.argmax(faulty))
        raise DataError(
            f"a simple return must be finite and above -1 and is {r[row]}",
            source="index returns",
            date=bars[row],
        )
    unusable = ~(np.isfinite(x) & (x >= 0.0))
    if unusable.any():
        row = int(np.argmax(unusable))
        raise DataError(
            f"the exposure decided here must be known and not negative and is {x[row]}; the bar "
            f"that ends on {date_text(bars[row])} needs it",
            source="exposures",
            date=decided_on[row],
        )
