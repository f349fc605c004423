"""Several rules on the same bars, and their figures side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.statistics import annual_sharpe
from regime_nas_pipeline.portfolio.exposure.engine import (
    ExposurePath,
    Terms,
    cash_returns,
    run_exposure,
)
from regime_nas_pipeline.portfolio.exposure.rules import ExposureRule, Known, Wanted, decide
from regime_nas_pipeline.portfolio.metrics import performance

_ROUNDING = 1e-14
"""Differences of returns per bar below this are rounding."""

FIGURES = (
    "cagr",
    "volatility",
    "sharpe",
    "sharpe_zero",
    "max_drawdown",
    "calmar",
    "total_return",
    "mean_per_bar",
    "volatility_per_bar",
    "mean_exposure",
    "turnover_per_year",
    "cost_per_year",
    "interest_per_year",
    "financing_per_year",
    "n_capped",
    "n_bars",
)
"""Columns of :func:`figures_table` after the strategy."""


@dataclass(frozen=True, eq=False)
class ExposureResults:
    """Strategies on the same bars.

    Attributes:
        paths: Strategy to its path.
        n_capped: Strategy to the number of bars at its own cap.
    """

    paths: Mapping[str, ExposurePath]
    n_capped: Mapping[str, int]

    def column(self, name: str) -> pd.DataFrame:
        """One column of every path, date x strategy, such as ``net`` or ``exposure``."""
        return pd.DataFrame({rule: path.bars[name] for rule, path in self.paths.items()})


def decide_all(
    rules: Sequence[ExposureRule], known: Known, *, max_exposure: float
) -> dict[str, Wanted]:
    """What every rule wants, by its name.

    Raises:
        ParameterError: Two rules have one name; see :func:`~.rules.decide` for the rest.
        DataError: The labels cannot be used.
    """
    names = [rule.name for rule in rules]
    if len(set(names)) < len(names):
        raise ParameterError(f"two exposure rules have one name: {', '.join(names)}.")
    return {rule.name: decide(rule, known, max_exposure=max_exposure) for rule in rules}


def first_common_bar(
    returns: pd.Series, wanted: Mapping[str, Wanted], terms: Terms, *, same_bar: bool = False
) -> pd.Timestamp:
    """The first bar that every strategy can earn.

    Raises:
        DataError: There is none.
    """
    dates = pd.DatetimeIndex(returns.index)
    first = int(np.argmax(returns.notna()))
    for name, each in wanted.items():
        if each.exposure.empty:
            raise DataError("no exposure can be decided on these bars", source=name)
        row = int(dates.searchsorted(each.exposure.index[0])) + terms.offset(same_bar=same_bar)
        first = max(first, row)
    if first >= len(dates):
        raise DataError(
            "there is no bar that all strategies can earn", date=dates[-1], remedy="give more bars."
        )
    return dates[first]


def run_all(
    returns: pd.Series,
    wanted: Mapping[str, Wanted],
    terms: Terms,
    *,
    first: pd.Timestamp | None = None,
    same_bar: bool = False,
) -> ExposureResults:
    """Every strategy from the same first bar on.

    Args:
        returns: Simple return of the index per bar, (T,), by date.
        wanted: Strategy to what it wants.
        terms: Lag, costs and rates.
        first: First bar to earn; None for the first that all of them can.
        same_bar: See :func:`~.engine.run_exposure`.

    Raises:
        DataError: See :func:`~.engine.run_exposure`.
        ParameterError: See :func:`~.engine.run_exposure`.
    """
    begin = first_common_bar(returns, wanted, terms, same_bar=same_bar) if first is None else first
    paths, capped = {}, {}
    for name, each in wanted.items():
        path = run_exposure(returns, each.exposure, terms, first=begin, same_bar=same_bar)
        paths[name] = path
        capped[name] = int(each.capped.loc[path.bars["decided_on"]].sum())
    return ExposureResults(paths, capped)


def excess_returns(
    net: pd.DataFrame, cash_rate: float | pd.Series, bars_per_year: int
) -> pd.DataFrame:
    """Net returns above what cash earned in the same bars, date x strategy."""
    cash = cash_returns(cash_rate, pd.DatetimeIndex(net.index), bars_per_year)
    return net.sub(cash, axis=0)


def figures_table(
    results: ExposureResults, *, cash_rate: float | pd.Series, bars_per_year: int
) -> pd.DataFrame:
    """Figures of every strategy.

    Args:
        results: The strategies.
        cash_rate: Rate that Sharpe ratios are above; an account that pays no interest is held to
            it as well.
        bars_per_year: Bars in a year; years = bars / bars_per_year.

    Returns:
        One row per strategy: strategy; cagr, volatility, max_drawdown and calmar as in
        :func:`~regime_nas_pipeline.portfolio.metrics.performance`; sharpe (mean return above
        cash ÷ its standard deviation, a year) and sharpe_zero (the same above nothing);
        total_return over all bars; mean_per_bar and volatility_per_bar; mean_exposure;
        turnover_per_year (traded notional a year, bought and sold, as a multiple of wealth,
        without the first purchase); cost, interest and financing a year (sums of fractions of
        wealth ÷ years); n_capped, the bars at the rule's own cap; n_bars. Blank where undefined.

    Raises:
        DataError: A bar has no cash rate.
    """
    rows = []
    for name, path in results.paths.items():
        bars, net = path.bars, path.net
        years = len(bars) / bars_per_year
        own = performance(net, bars_per_year=bars_per_year, risk_free=0.0)
        excess = excess_returns(net.to_frame(name), cash_rate, bars_per_year)[name]
        rows.append(
            {
                "strategy": name,
                **{key: own[key] for key in ("cagr", "volatility", "max_drawdown", "calmar")},
                "sharpe": _sharpe(excess, bars_per_year),
                "sharpe_zero": _sharpe(net, bars_per_year),
                "total_return": float(np.prod(1.0 + net.to_numpy()) - 1.0),
                "mean_per_bar": float(net.mean()),
                "volatility_per_bar": float(net.std(ddof=1)) if len(net) > 1 else None,
                "mean_exposure": float(bars["exposure"].mean()),
                "turnover_per_year": float(bars["traded"].iloc[1:].sum()) / years,
                **{
                    f"{part}_per_year": float(bars[part].sum()) / years
                    for part in ("cost", "interest", "financing")
                },
                "n_capped": results.n_capped[name],
                "n_bars": len(bars),
            }
        )
    table = pd.DataFrame(rows, columns=["strategy", *FIGURES])
    counts = ("n_capped", "n_bars")
    return table.astype({key: "int64" if key in counts else "float64" for key in FIGURES})


def _sharpe(returns: pd.Series, bars_per_year: int) -> float | None:
    """Yearly Sharpe ratio above nothing; None where nothing but rounding moves."""
    if np.ptp(returns.to_numpy()) <= _ROUNDING:
        return None
    return annual_sharpe(returns, bars_per_year=bars_per_year, risk_free=0.0)
