"""How strategies did in calendar years and in the named falls of the equity market."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.portfolio.metrics import by_calendar_year, by_period

PERIOD_COLUMNS = (
    "kind",
    "period",
    "first",
    "last",
    "complete",
    "strategy",
    "total_return",
    "cagr",
    "volatility",
    "sharpe",
    "max_drawdown",
    "bars",
)


@dataclass(frozen=True)
class Crisis:
    """A named fall of the S&P 500, from the close of its peak to the close of its trough.

    Attributes:
        name: What it is called.
        peak: Date of the highest close before the fall; the first bar counted is the next one.
        trough: Date of the lowest close; the last bar counted.
    """

    name: str
    peak: pd.Timestamp
    trough: pd.Timestamp


CRISES = tuple(
    Crisis(name, pd.Timestamp(peak), pd.Timestamp(trough))
    for name, peak, trough in (
        ("dot-com bust", "2000-03-24", "2002-10-09"),
        ("global financial crisis", "2007-10-09", "2009-03-09"),
        ("euro crisis", "2011-07-07", "2011-10-03"),
        ("China and oil", "2015-08-10", "2016-02-11"),
        ("fourth quarter of 2018", "2018-09-20", "2018-12-24"),
        ("Covid-19", "2020-02-19", "2020-03-23"),
        ("inflation of 2022", "2022-01-03", "2022-10-12"),
    )
)
"""Declared beforehand and the same for every universe, so that none is picked after the result."""

_ONE_DAY = pd.Timedelta(days=1)
_HOLIDAYS = pd.Timedelta(days=5)
"""How far from New Year an exchange's first or last bar of a year may lie."""


def figures_by_year(
    strategy_returns: pd.DataFrame, *, bars_per_year: int, risk_free: float
) -> pd.DataFrame:
    """Figures of every strategy in every calendar year of the sample.

    Args:
        strategy_returns: Date x strategy, simple returns per bar, decimals.
        bars_per_year: Bars in a year.
        risk_free: Simple yearly rate.

    Returns:
        Tidy: kind ("year"), period (the year as text), first and last bar, complete (whether both
        lie within five days of the year's ends), strategy, total_return (compounded over the
        bars, not per year), cagr, volatility, sharpe, max_drawdown, bars. Blank where undefined.

    Raises:
        DataError: A return is blank.
    """
    table = by_calendar_year(strategy_returns, bars_per_year=bars_per_year, risk_free=risk_free)
    years = pd.DatetimeIndex(strategy_returns.index).year
    spans = {}
    for year in table["year"].unique():
        part = strategy_returns[years == year]
        begins, ends = pd.Timestamp(year, 1, 1), pd.Timestamp(year, 12, 31)
        complete = part.index[0] - begins <= _HOLIDAYS and ends - part.index[-1] <= _HOLIDAYS
        spans[str(year)] = (part, complete)
    named = table.assign(period=table["year"].astype(str))
    return _with_spans("year", named, spans)


def figures_by_crisis(
    strategy_returns: pd.DataFrame,
    *,
    bars_per_year: int,
    risk_free: float,
    crises: tuple[Crisis, ...] = CRISES,
) -> pd.DataFrame:
    """Figures of every strategy in every named crisis that the sample touches.

    The bars after the peak up to the trough: what was earned from close to close. Yearly figures
    of a month say little; the total return and the drawdown are the ones to read.

    Args:
        strategy_returns: Date x strategy, simple returns per bar, decimals.
        bars_per_year: Bars in a year.
        risk_free: Simple yearly rate.
        crises: Which ones; those without a bar in the sample are left out.

    Returns:
        As :func:`figures_by_year`, with the kind "crisis" and complete telling whether the sample
        reaches from the peak to the trough. Empty where the sample touches none.

    Raises:
        DataError: A return is blank.
    """
    # Whole days: of bars within a day, the peak's are all before the fall, the trough's all in it.
    days = pd.DatetimeIndex(strategy_returns.index).normalize()
    spans, periods = {}, {}
    for crisis in crises:
        part = strategy_returns[(days > crisis.peak) & (days <= crisis.trough)]
        if len(part):
            complete = days[0] <= crisis.peak + _ONE_DAY and days[-1] >= crisis.trough
            spans[crisis.name] = (part, bool(complete))
            periods[crisis.name] = (part.index[0], part.index[-1])
    if not periods:
        return pd.DataFrame({name: [] for name in PERIOD_COLUMNS})
    table = by_period(strategy_returns, periods, bars_per_year=bars_per_year, risk_free=risk_free)
    return _with_spans("crisis", table, spans)


def _with_spans(
    kind: str, table: pd.DataFrame, spans: dict[str, tuple[pd.DataFrame, bool]]
) -> pd.DataFrame:
    rows = [
        {
            "kind": kind,
            "period": name,
            "first": part.index[0],
            "last": part.index[-1],
            "complete": complete,
            "strategy": strategy,
            "total_return": float(np.prod(1.0 + part[strategy].to_numpy(dtype=float)) - 1.0),
        }
        for name, (part, complete) in spans.items()
        for strategy in part.columns
    ]
    merged = pd.DataFrame(rows).merge(
        table, on=["period", "strategy"], how="left", validate="one_to_one"
    )
    return merged[list(PERIOD_COLUMNS)]
