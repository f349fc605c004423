"""A market as aligned arrays, and the only view of it that a model ever gets: up to a date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.membership import MEMBER

OPTIONAL_FIELDS = ("open", "high", "low", "volume")


@dataclass(frozen=True, eq=False)
class Market:
    """Prices of a universe on common dates, and what has been labelled so far.

    Attributes:
        dates: Bar dates, increasing, length T.
        assets: Names of the N assets that may be held.
        close: Adjusted closes, (T, N) float64, blank (NaN) before listing and after the end.
        fields: Optional open, high, low and volume, each (T, N).
        observed: Closes of series that are seen and cannot be held, such as a volatility index,
            each (T,), blank on bars where they have none.
        benchmark: Closes of the benchmark, (T,), blank where it has none.
        benchmark_name: Its name.
        regimes: Causal regime probabilities, (T, K), blank before the burn-in ends; or None.
        regime_names: The K names.
        bars_per_year: Bars in a year: 252 for exchanges, 365 for coins.
        min_history: Closes that an asset needs before it joins the universe.
        closes_before: Closes of each asset before the first date, (N,), where earlier bars were
            left out; or None. They count as history.
        members: Whether an asset belongs to the universe at a date, (T, N) bool; None where all
            assets always do. Prices before an asset joins and after it leaves stay: they are
            history to learn features from, and what a position is sold at.
    """

    dates: pd.DatetimeIndex
    assets: tuple[str, ...]
    close: np.ndarray
    benchmark: np.ndarray
    benchmark_name: str = "benchmark"
    fields: Mapping[str, np.ndarray] = field(default_factory=dict)
    observed: Mapping[str, np.ndarray] = field(default_factory=dict)
    regimes: np.ndarray | None = None
    regime_names: tuple[str, ...] = ()
    bars_per_year: int = 252
    min_history: int = 1
    closes_before: np.ndarray | None = None
    members: np.ndarray | None = None

    @cached_property
    def log_returns(self) -> np.ndarray:
        """One-bar log returns, (T, N); the first row is blank."""
        returns: np.ndarray = np.full(self.close.shape, np.nan)
        returns[1:] = np.diff(np.log(self.close), axis=0)
        return returns

    @cached_property
    def simple_returns(self) -> np.ndarray:
        """One-bar simple returns, (T, N); the first row is blank."""
        returns: np.ndarray = np.full(self.close.shape, np.nan)
        returns[1:] = self.close[1:] / self.close[:-1] - 1.0
        return returns

    @cached_property
    def eligible(self) -> np.ndarray:
        """Whether an asset may be chosen at a date, (T, N) bool: priced, with history, a member."""
        priced: np.ndarray = np.isfinite(self.close)
        before = 0 if self.closes_before is None else self.closes_before
        seasoned: np.ndarray = np.cumsum(priced, axis=0) + before >= self.min_history
        in_universe: np.ndarray = np.logical_and(priced, seasoned)
        return in_universe if self.members is None else in_universe & self.members

    @cached_property
    def market_return(self) -> np.ndarray:
        """Mean one-bar log return over the assets in the universe, (T,); blank where there is none.

        An asset counts at a bar if it is eligible and has a return there. The sum runs asset by
        asset, so that its bits do not depend on how many bars the market has.
        """
        counted = self.eligible & np.isfinite(self.log_returns)
        moves = np.zeros((len(self.dates), len(self.assets) + 1))
        np.copyto(moves[:, 1:], self.log_returns, where=counted)
        # A running sum adds in the order of the assets, which a plain sum does not promise.
        total = np.add.accumulate(moves, axis=1, out=moves)[:, -1]
        number = counted.sum(axis=1)
        mean: np.ndarray = np.where(number > 0, total / np.maximum(number, 1), np.nan)
        return mean

    def position(self, date: pd.Timestamp) -> int:
        """Row of a bar date.

        Raises:
            DataError: The date is not a bar of this market.
        """
        row = self.dates.get_indexer(pd.DatetimeIndex([date]))[0]
        if row < 0:
            raise DataError(
                "there is no bar on this date", date=date, remedy="ask for a date with prices."
            )
        return int(row)

    def until(self, date: pd.Timestamp) -> Market:
        """Everything that was known at the close of ``date``, and nothing else."""
        rows = int(self.dates.searchsorted(pd.Timestamp(date), side="right"))
        return self.slice(0, rows)

    def slice(self, first: int, stop: int) -> Market:
        """Rows ``first`` to ``stop`` (not included) as copies; earlier closes count as history.

        Slices of one market on many dates get :attr:`eligible`, and those from its first bar on
        :attr:`market_return`, as copies of what this market has once computed: both have the same
        bits whatever bars follow.
        """
        rows = slice(first, stop)
        before = self._closes_up_to(first)
        cut = replace(
            self,
            dates=self.dates[rows],
            close=self.close[rows].copy(),
            benchmark=self.benchmark[rows].copy(),
            fields={name: values[rows].copy() for name, values in self.fields.items()},
            observed={name: values[rows].copy() for name, values in self.observed.items()},
            regimes=None if self.regimes is None else self.regimes[rows].copy(),
            closes_before=before if self.closes_before is None else before + self.closes_before,
            members=None if self.members is None else self.members[rows].copy(),
        )
        known = {"eligible": self.eligible[rows].copy()}
        if first == 0 and "market_return" in vars(self):
            known["market_return"] = self.market_return[rows].copy()
        vars(cut).update(known)
        return cut

    @cached_property
    def _counted(self) -> dict[int, np.ndarray]:
        """Closes of each asset before the rows for which they were counted so far."""
        return {0: np.zeros(len(self.assets), dtype=np.int64)}

    def _closes_up_to(self, row: int) -> np.ndarray:
        """Closes of each asset before ``row``, (N,): bars that were counted once are not again."""
        start = max(counted for counted in self._counted if counted <= row)
        more = np.isfinite(self.close[start:row]).sum(axis=0)
        self._counted[row] = self._counted[start] + more
        return self._counted[row].copy()

    def listed(self) -> Market:
        """The same without assets that have had no close so far.

        Their names are known from later listings only. Nothing is known of them, but that columns
        of blanks are there changes in what order numbers are added up, and with it the last bits.
        """
        before = 0 if self.closes_before is None else self.closes_before
        known = np.isfinite(self.close).sum(axis=0) + before > 0
        if known.all():
            return self
        return replace(
            self,
            assets=tuple(name for name, kept in zip(self.assets, known, strict=True) if kept),
            close=self.close[:, known],
            fields={name: values[:, known] for name, values in self.fields.items()},
            closes_before=None if self.closes_before is None else self.closes_before[known],
            members=None if self.members is None else self.members[:, known],
        )

    def with_regimes(self, regimes: pd.DataFrame) -> Market:
        """The same market with causal regime probabilities (date x regime) attached."""
        aligned = regimes.reindex(self.dates)
        return replace(
            self,
            regimes=aligned.to_numpy(dtype=float),
            regime_names=tuple(map(str, regimes.columns)),
        )

    def target(self, horizon: int, execution_lag: int) -> np.ndarray:
        """Log return that a decision at each close can earn, (T, N).

        Row t is the log return from the close of t + lag to the close of t + lag + horizon;
        blank where either close is not known.
        """
        log_close = np.log(self.close)
        result: np.ndarray = np.full(log_close.shape, np.nan)
        last = len(self.dates) - execution_lag - horizon
        if last > 0:
            start = execution_lag
            result[:last] = (
                log_close[start + horizon : start + horizon + last]
                - log_close[start : start + last]
            )
        return result


def market_from_prices(
    prices: pd.DataFrame,
    *,
    benchmark: str,
    benchmark_tradable: bool = False,
    bars_per_year: int = 252,
    min_history: int = 1,
    observed: Sequence[str] = (),
) -> Market:
    """Build a market from the tidy, validated price table.

    Args:
        prices: Columns ``date``, ``asset``, ``close`` and optional open/high/low/volume and
            ``member``.
        benchmark: Asset that buy-and-hold holds.
        benchmark_tradable: Whether the benchmark is also one of the assets to choose from.
        bars_per_year: Bars in a year.
        min_history: Closes that an asset needs before it joins the universe.
        observed: Names among the assets that are seen and cannot be held.

    Raises:
        DataError: The benchmark or an observed series is not among the assets.
    """
    known = sorted(prices["asset"].unique())
    if benchmark not in known:
        raise DataError(
            "the benchmark is not among the assets",
            source="prices",
            asset=benchmark,
            remedy=f"set universe.benchmark to one of: {', '.join(known)}.",
        )
    for name in observed:
        if name not in known:
            raise DataError(
                "the observed series is not among the assets",
                source="prices",
                asset=name,
                remedy=f"set universe.observed to names among: {', '.join(known)}.",
            )
    wide = prices.pivot(index="date", columns="asset", values="close").sort_index()
    held = [name for name in known if name not in observed]
    assets = tuple(name for name in held if benchmark_tradable or name != benchmark)
    fields = {}
    for name in OPTIONAL_FIELDS:
        if name in prices.columns:
            values = prices.pivot(index="date", columns="asset", values=name)
            aligned = values.reindex(index=wide.index, columns=list(assets)).to_numpy(float)
            if np.isfinite(aligned).any():  # the benchmark alone may have it
                fields[name] = aligned
    members = None
    if MEMBER in prices.columns:
        flags = prices.astype({MEMBER: float}).pivot(index="date", columns="asset", values=MEMBER)
        members = flags.reindex(index=wide.index, columns=list(assets)).to_numpy() == 1.0
    return Market(
        dates=pd.DatetimeIndex(wide.index),
        assets=assets,
        close=wide[list(assets)].to_numpy(dtype=float),
        benchmark=wide[benchmark].to_numpy(dtype=float),
        benchmark_name=benchmark,
        fields=fields,
        observed={name: wide[name].to_numpy(dtype=float) for name in observed},
        bars_per_year=bars_per_year,
        min_history=min_history,
        members=members,
    )
