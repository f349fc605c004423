"""One asset held where its next bar is expected to earn more than a threshold, else cash."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.exposure.engine import ExposurePath, Terms, run_exposure
from regime_nas_pipeline.portfolio.exposure.results import ExposureResults, figures_table
from regime_nas_pipeline.portfolio.exposure.rules import BUY_AND_HOLD

_LARGEST_COST = 0.5
_ROUNDING = 1e-12


def asset_returns(market: Market) -> pd.Series:
    """Simple return of the one asset per bar, by date; the first is blank.

    Raises:
        DataError: There are several assets.
    """
    if len(market.assets) != 1:
        raise DataError(
            f"the attention guide is about one asset, and the market has {len(market.assets)}",
            source="prices",
            remedy="name one asset in universe.assets.",
        )
    return pd.Series(market.simple_returns[:, 0], index=market.dates, name=market.assets[0])


def long_or_flat(
    market: Market, means: Mapping[str, pd.Series], terms: Terms, threshold: float
) -> ExposureResults:
    """Hold the asset where a forecast lies above the threshold, else cash; and buy and hold.

    All of them earn the same bars: from the first that a decision can earn to the end.

    Args:
        market: One asset.
        means: Forecaster to its expected log return of the next bar that can be earned, by
            decision date.
        terms: Lag, costs and rates.
        threshold: Expected log return above which the asset is held.

    Raises:
        DataError: There are several assets, or a forecast is missing where a bar needs it.
    """
    returns = asset_returns(market)
    paths = {
        name: run_exposure(returns, (mean > threshold).astype(float).where(mean.notna()), terms)
        for name, mean in means.items()
    }
    dates = next(iter(means.values())).index
    paths[BUY_AND_HOLD] = run_exposure(returns, pd.Series(1.0, index=dates), terms)
    return ExposureResults(paths, dict.fromkeys(paths, 0))


def n_trades(bars: pd.DataFrame) -> int:
    """Bars at whose start something was bought or sold, of a path's bars."""
    return int((bars["traded"] > _ROUNDING).sum())


def threshold_curve(
    market: Market, means: Mapping[str, pd.Series], terms: Terms, thresholds: Sequence[float]
) -> pd.DataFrame:
    """The strategy at every threshold, and where its growth crosses that of buy and hold.

    Args:
        market: One asset.
        means: Forecaster to forecasts by decision date.
        terms: Lag, costs and rates.
        thresholds: Increasing.

    Returns:
        One row per model and threshold: model, threshold, cagr and sharpe (net, above cash),
        mean_exposure, trades, ahead (cagr less that of buy and hold), crosses (whether the lead
        over buy and hold has another sign than at the last threshold that had one). The best of
        these thresholds is known afterwards only.
    """
    tables = []
    for threshold in thresholds:
        results = long_or_flat(market, means, terms, threshold)
        figures = figures_table(
            results, cash_rate=terms.cash_rate, bars_per_year=terms.bars_per_year
        )
        trades = [n_trades(path.bars) for path in results.paths.values()]
        figures = figures[["strategy", "cagr", "sharpe", "mean_exposure"]]
        tables.append(figures.assign(trades=trades, threshold=float(threshold)))
    every = pd.concat(tables, ignore_index=True).rename(columns={"strategy": "model"})
    held = every["model"] == BUY_AND_HOLD
    table = every[~held].sort_values(["model", "threshold"], ignore_index=True)
    # What buy and hold earns hangs on no threshold.
    table["ahead"] = table["cagr"] - every.loc[held, "cagr"].iloc[0]
    crosses = [_crossings(own["ahead"]) for _, own in table.groupby("model", sort=False)]
    return table.assign(crosses=np.concatenate(crosses))


def _crossings(ahead: pd.Series) -> np.ndarray:
    side = np.sign(ahead.where(ahead.abs() > _ROUNDING, 0.0)).replace(0.0, np.nan)
    before = side.ffill().shift(1)
    crossed: np.ndarray = (side.notna() & before.notna() & (side != before)).to_numpy()
    return crossed


def break_even_costs(
    market: Market, means: Mapping[str, pd.Series], terms: Terms, threshold: float
) -> pd.DataFrame:
    """The cost of a trade at which every forecaster's strategy ends where buy and hold ends.

    Args:
        market: One asset.
        means: Forecaster to forecasts by decision date.
        terms: Lag and rates; the costs are what is looked for.
        threshold: Of the strategy.

    Returns:
        One row per model: model, trades, log_wealth and log_wealth_held (without costs, of the
        strategy and of buy and hold), break_even_bps (one way; blank where the strategy is behind
        without costs, or where it trades no more than buy and hold and stays ahead at any).
    """
    free = replace(terms, cost_bps=0.0)
    results = long_or_flat(market, means, free, threshold)
    held = results.paths[BUY_AND_HOLD]
    rows = []
    for name in means:
        path = results.paths[name]
        rows.append(
            {
                "model": name,
                "trades": n_trades(path.bars),
                "log_wealth": _log_wealth(path, 0.0),
                "log_wealth_held": _log_wealth(held, 0.0),
                "break_even_bps": 1e4 * _break_even(path, held),
            }
        )
    return pd.DataFrame(rows)


def _log_wealth(path: ExposurePath, cost: float) -> float:
    gains = np.log1p(path.bars["gross"].to_numpy())
    return float((gains + np.log1p(-cost * path.bars["traded"].to_numpy())).sum())


def _break_even(path: ExposurePath, held: ExposurePath) -> float:
    def ahead(cost: float) -> float:
        return _log_wealth(path, cost) - _log_wealth(held, cost)

    if ahead(0.0) <= 0.0 or ahead(_LARGEST_COST) >= 0.0:
        return math.nan
    return float(brentq(ahead, 0.0, _LARGEST_COST, xtol=1e-12))
