"""The next rebalance: forecasts and target weights from the newest bars, and when it is due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.allocate import Allocator
from regime_nas_pipeline.walkforward.deciding import Choices, TradingRules, choices_at, decide
from regime_nas_pipeline.walkforward.evaluation import chosen_volatility, forecast_arrays
from regime_nas_pipeline.walkforward.live_checkpoints import Restored
from regime_nas_pipeline.walkforward.trading import strategy_plans

FORECAST_COLUMNS = (
    "forecaster",
    "date",
    "asset",
    "horizon",
    "mean",
    "volatility",
    "seed_spread",
    "simple_return",
    "tradable",
)


@dataclass(frozen=True)
class Due:
    """When something is due by the schedule of the walk-forward, in bars after the last one.

    Attributes:
        rebalance_in: Until the next decision; 0 where the last bar is one.
        refit_in: Until the next decision that a newer fit would serve; 0 or less where the last
            bar is one, or comes after one.
        refit_possible_in: Until ``kedro run`` makes that fit: a fold needs a decision that can be
            traded and earn a bar. 0 where it would today.
    """

    rebalance_in: int
    refit_in: int
    refit_possible_in: int


def due(
    dates: pd.DatetimeIndex,
    *,
    first_oos: pd.Timestamp,
    rebalance_every: int,
    refit_every: int,
    execution_lag: int,
    train_end: pd.Timestamp,
) -> Due:
    """Count bars of the schedule that :func:`~.folds.make_folds` follows.

    Args:
        dates: Bars up to the last one, of which at least one is on or after ``first_oos``.
        first_oos: First date that may be decided on.
        rebalance_every: Bars from one decision to the next.
        refit_every: Bars from one fit to the next.
        execution_lag: Bars between decision and trade.
        train_end: Last bar that the models were trained on.
    """
    first = int(dates.searchsorted(first_oos))
    since = len(dates) - 1 - first
    # The bar after the last one of training is the first that a fit serves.
    served = int(dates.searchsorted(train_end, side="right")) - first
    next_group = (served // refit_every + 1) * refit_every
    refit_at = -(-next_group // rebalance_every) * rebalance_every
    return Due(
        rebalance_in=-since % rebalance_every,
        refit_in=refit_at - since,
        refit_possible_in=max(0, refit_at + execution_lag + 1 - since),
    )


def forecast_last_bar(
    market: Market,
    restored: Mapping[str, Restored],
    *,
    horizon: int,
    volatility_from: str | None = None,
) -> pd.DataFrame:
    """What every forecaster expects at the last bar of ``market``.

    Args:
        market: Everything that is known, with regimes.
        restored: Name to fitted forecaster.
        horizon: Bars of the forecast return.
        volatility_from: Forecaster whose volatility rescales the covariance; None for none.

    Returns:
        Tidy table with :data:`FORECAST_COLUMNS`, a row for every asset: mean log return over the
        horizon, its volatility where one is forecast, standard deviation of the mean over seeds,
        expected simple return exp(mean + variance/2) - 1 with the variance that allocators are
        handed, and whether the asset is in the universe. Blank where there is no forecast.
    """
    last = market.dates[-1:]
    known = market.until(last[0])
    tables = {}
    for name, fit in restored.items():
        forecast = fit.forecaster.predict(known.listed(), last).to_frame()
        columns = ["mean", "volatility", "seed_spread"]
        own = forecast.set_index("asset")[columns].reindex(list(market.assets))
        tables[name] = own.rename_axis(index="asset").reset_index().assign(date=last[0])
    choices = _choices_now(known, tables, horizon, volatility_from)
    variance = np.full(len(market.assets), np.nan)
    variance[choices.assets] = np.diag(choices.covariance)
    for name, table in tables.items():
        tables[name] = table.assign(
            forecaster=name,
            horizon=horizon,
            simple_return=np.expm1(table["mean"].to_numpy() + variance / 2.0),
            tradable=known.eligible[-1],
        )[list(FORECAST_COLUMNS)]
    return pd.concat(tables.values(), ignore_index=True)


def targets_now(
    market: Market,
    forecasts: pd.DataFrame,
    *,
    allocator: Allocator,
    minimum_variance: Allocator,
    rules: TradingRules,
    volatility_from: str | None = None,
) -> pd.DataFrame:
    """What every strategy would hold after a rebalance decided on at the last bar.

    Args:
        market: Everything that is known.
        forecasts: As from :func:`forecast_last_bar`.
        allocator: Turns forecasts into weights.
        minimum_variance: Allocator of ``mvo_flat``.
        rules: Horizon and risk-free rate.
        volatility_from: As for :func:`forecast_last_bar`.

    Returns:
        Tidy: strategy, date, asset, weight (fraction of wealth), fallback, reason, n_assets; a
        row for every strategy and asset.

    Raises:
        DataError: A forecaster has a forecast for no asset of the universe.
    """
    tables = {str(name): table for name, table in forecasts.groupby("forecaster", sort=False)}
    choices = {market.dates[-1]: _choices_now(market, tables, rules.horizon, volatility_from)}
    means = {name: table["mean"].to_numpy()[None, :] for name, table in tables.items()}
    found = []
    for name, (chooser, mean) in strategy_plans(means, allocator, minimum_variance).items():
        decided = decide(market, choices, chooser, rules, mean)
        weights = decided.targets.melt(var_name="asset", value_name="weight", ignore_index=False)
        table = weights.join(decided.decisions).reset_index()
        table.insert(0, "strategy", name)
        found.append(table)
    return pd.concat(found, ignore_index=True)


def _choices_now(
    market: Market,
    tables: Mapping[str, pd.DataFrame],
    horizon: int,
    volatility_from: str | None,
) -> Choices:
    """The universe at the last bar and its covariance, as the evaluation estimates it."""
    last = market.dates[-1:]
    arrays = {name: forecast_arrays(table, market, last) for name, table in tables.items()}
    volatility = chosen_volatility(arrays, volatility_from)
    return choices_at(market, last, horizon, volatility)[last[0]]
