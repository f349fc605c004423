"""Performance figures of return series: for a whole sample, by period, year and regime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.statistics import (
    annual_sharpe,
    finite_or_none,
    known_returns,
    per_bar_rate,
)
from regime_nas_pipeline.portfolio.backtest import Backtest, drifted_weights

UNLABELLED = "unlabelled"
"""Name of the bars before which no regime was known yet."""


def performance(net: pd.Series, *, bars_per_year: int, risk_free: float) -> dict[str, float | None]:
    """Headline figures of one strategy; a figure that is not defined is None.

    Args:
        net: Simple return per bar, (T,), in decimals; wealth is 1 before the first.
        bars_per_year: Bars in a year; years = T / bars_per_year.
        risk_free: Simple yearly rate, compounded down to one bar.

    Returns:
        ``cagr`` = final wealth ^ (1/years) - 1; ``volatility`` = standard deviation (ddof 1)
        x √bars_per_year; ``sharpe`` = mean excess return ÷ its standard deviation (ddof 1)
        x √bars_per_year; ``sortino``, the same over √mean(min(excess, 0)²); ``max_drawdown``, the
        deepest fall below an earlier wealth, negative; ``calmar`` = cagr ÷ |max_drawdown|.

    Raises:
        DataError: The series is empty or a return is blank.
    """
    import empyrical  # noqa: PLC0415 - brings yfinance

    values = known_returns(net)
    rate = per_bar_rate(risk_free, bars_per_year)
    excess = values - rate
    moves = np.ptp(values) > 0.0
    falls = (excess < 0.0).any()
    figures = {
        "cagr": empyrical.cagr(values, annualization=bars_per_year),
        # Equal values leave a rounding residue that is not volatility.
        "volatility": empyrical.annual_volatility(values, annualization=bars_per_year)
        if moves or len(values) < 2
        else 0.0,
        "sharpe": annual_sharpe(values, bars_per_year=bars_per_year, risk_free=risk_free),
        "sortino": empyrical.sortino_ratio(
            values, required_return=rate, annualization=bars_per_year
        )
        if falls
        else None,
        "max_drawdown": empyrical.max_drawdown(values),
        "calmar": empyrical.calmar_ratio(values, annualization=bars_per_year),
    }
    return {k: None if v is None else finite_or_none(v) for k, v in figures.items()}


def sharpe_cagr(figures: Mapping[str, float | None], risk_free: float) -> float | None:
    """(cagr - risk_free) ÷ volatility: the Sharpe ratio of compounded growth, or None."""
    cagr, volatility = figures["cagr"], figures["volatility"]
    if cagr is None or not volatility:
        return None
    return (cagr - risk_free) / volatility


def turnover(
    weights: pd.DataFrame, returns: pd.DataFrame, rebalances: pd.DataFrame
) -> float | None:
    """Mean over the rebalances after the first of ½·Σ|target - drifted|, from the weights alone.

    Args:
        weights: Date x asset, start-of-bar weights (:class:`Backtest`).
        returns: Simple returns, date x asset, covering the same bars.
        rebalances: Indexed by the first bar that each rebalance earns.

    Returns:
        One-way turnover per rebalance, or None with fewer than two rebalances.
    """
    later = rebalances.index[1:]
    if len(later) == 0:
        return None
    held = weights.to_numpy(dtype=float)
    moves = returns.loc[weights.index, list(weights.columns)].to_numpy(dtype=float)
    rows = weights.index.get_indexer(later)
    traded = [
        0.5 * np.abs(held[row] - drifted_weights(held[row - 1], moves[row - 1])).sum()
        for row in rows
    ]
    return float(np.mean(traded))


def cost_drag(backtest: Backtest, *, bars_per_year: int) -> float:
    """Yearly growth lost to costs: gross minus net cagr, in decimals."""
    import empyrical  # noqa: PLC0415 - brings yfinance

    gross = empyrical.cagr(known_returns(backtest.gross), annualization=bars_per_year)
    net = empyrical.cagr(known_returns(backtest.net), annualization=bars_per_year)
    return float(gross - net)


def contributions(weights: pd.DataFrame, returns: pd.DataFrame) -> pd.DataFrame:
    """What each asset added to a strategy's gross returns: how much hangs on a single one.

    Args:
        weights: Date x asset, start-of-bar weights (:class:`Backtest`).
        returns: Simple returns, date x asset, covering the same bars; blank adds nothing.

    Returns:
        One row per asset ever held, largest first: asset, mean_weight, contribution (sum over
        bars of weight x return) and return_share (contribution over that of all assets; blank where
        that sum is not positive).
    """
    moves = returns.loc[weights.index, list(weights.columns)].fillna(0.0)
    added = (weights * moves).sum()
    total = float(added.sum())
    table = pd.DataFrame(
        {
            "asset": weights.columns.astype(str),
            "mean_weight": weights.mean().to_numpy(),
            "contribution": added.to_numpy(),
            "return_share": added.to_numpy() / total if total > 0.0 else np.nan,
        }
    )
    held = table[(weights != 0.0).any().to_numpy()]
    return held.sort_values("contribution", ascending=False, ignore_index=True)


def by_period(
    strategy_returns: pd.DataFrame,
    periods: Mapping[str, tuple[str | pd.Timestamp, str | pd.Timestamp]],
    *,
    bars_per_year: int,
    risk_free: float,
) -> pd.DataFrame:
    """Figures of every strategy in every named period (both ends included).

    Args:
        strategy_returns: Date x strategy, simple returns per bar.
        periods: Name to (first date, last date).
        bars_per_year: Bars in a year.
        risk_free: Simple yearly rate.

    Returns:
        Tidy table: period, strategy, cagr, volatility, sharpe, sharpe_cagr, max_drawdown, bars;
        figures blank where undefined. A period outside the sample has 0 bars and no figures.
    """
    dates = strategy_returns.index
    masks = (
        (name, (dates >= pd.Timestamp(start)) & (dates <= pd.Timestamp(end)))
        for name, (start, end) in periods.items()
    )
    return _by_mask("period", strategy_returns, masks, bars_per_year, risk_free)


def by_calendar_year(
    strategy_returns: pd.DataFrame, *, bars_per_year: int, risk_free: float
) -> pd.DataFrame:
    """Figures of every strategy in every calendar year; columns as in :func:`by_period`."""
    years = pd.DatetimeIndex(strategy_returns.index).year
    masks = ((int(year), years == year) for year in years.unique())
    return _by_mask("year", strategy_returns, masks, bars_per_year, risk_free)


def by_regime(
    strategy_returns: pd.DataFrame,
    regimes: pd.DataFrame,
    *,
    bars_per_year: int,
    risk_free: float,
) -> pd.DataFrame:
    """Figures of every strategy in every regime; columns as in :func:`by_period`.

    A bar belongs to the regime that was most probable at the close BEFORE it: what an investor
    could have known while holding it. The bars of one regime are joined into one series, so its
    drawdown is that of somebody who was out of the market in between.

    Args:
        strategy_returns: Date x strategy, simple returns per bar.
        regimes: Date x regime, causal probabilities; rows may be blank before the burn-in ends.
        bars_per_year: Bars in a year.
        risk_free: Simple yearly rate.
    """
    labels = lagged_regime(regimes, pd.DatetimeIndex(strategy_returns.index))
    names = [str(name) for name in regimes.columns]
    names += [UNLABELLED] if (labels == UNLABELLED).any() else []
    masks = ((name, (labels == name).to_numpy()) for name in names)
    return _by_mask("regime", strategy_returns, masks, bars_per_year, risk_free)


def lagged_regime(regimes: pd.DataFrame, dates: pd.DatetimeIndex) -> pd.Series:
    """Most probable regime at the last close before each date, "unlabelled" where none is known.

    Raises:
        DataError: The dates of the regimes do not increase.
    """
    if not regimes.index.is_monotonic_increasing:
        raise DataError("dates of the regimes must increase", source="regimes")
    probability = regimes.to_numpy(dtype=float)
    known = np.isfinite(probability).all(axis=1)
    names = np.array([*map(str, regimes.columns), UNLABELLED], dtype=object)
    best = np.where(known, np.where(np.isfinite(probability), probability, 0.0).argmax(axis=1), -1)
    previous = pd.DatetimeIndex(regimes.index).searchsorted(dates, side="left") - 1
    label = np.where(previous >= 0, best[np.maximum(previous, 0)], -1)
    return pd.Series(names[label], index=dates, name="regime")


def _by_mask(
    kind: str,
    strategy_returns: pd.DataFrame,
    masks: Iterable[tuple[str | int, np.ndarray]],
    bars_per_year: int,
    risk_free: float,
) -> pd.DataFrame:
    rows = []
    for name, mask in masks:
        for strategy in strategy_returns.columns:
            part = strategy_returns[strategy][mask]
            row: dict[str, object] = {kind: name, "strategy": strategy}
            if len(part):
                figures = performance(part, bars_per_year=bars_per_year, risk_free=risk_free)
                row |= figures | {"sharpe_cagr": sharpe_cagr(figures, risk_free)}
            rows.append(row | {"bars": len(part)})
    order = ["cagr", "volatility", "sharpe", "sharpe_cagr", "max_drawdown"]
    table = pd.DataFrame(rows).reindex(columns=[kind, "strategy", *order, "bars"])
    return table.astype(dict.fromkeys(order, float))
