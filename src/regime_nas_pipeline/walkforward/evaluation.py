"""From every forecaster's forecasts to the verdict's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.clustered import overlap_lags
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.allocate import Allocator
from regime_nas_pipeline.portfolio.backtest import Backtest
from regime_nas_pipeline.portfolio.metrics import contributions
from regime_nas_pipeline.verdict.accuracy import forecast_accuracy
from regime_nas_pipeline.verdict.calibration import (
    reliability,
    spread_calibration,
    volatility_coverage,
)
from regime_nas_pipeline.walkforward.deciding import NOT_KEPT, TradingRules, choices_at
from regime_nas_pipeline.walkforward.folds import Fold, training_mean
from regime_nas_pipeline.walkforward.trading import (
    hold_benchmark,
    market_returns,
    strategy_figures,
    strategy_plans,
    trade,
)

REFERENCES = ("equal_weight", "mvo_flat", "buy_and_hold")


@dataclass(frozen=True)
class StrategyResults:
    """Every strategy's path.

    Attributes:
        weights: Tidy: date (the bar that the weights earn), strategy, asset, weight, rebalanced
            (True on the first bar after a trade). Zero weights are left out.
        returns: Date x strategy, simple, net of costs.
        gross_returns: The same before costs.
        decisions: Tidy: decision date, strategy, fallback, reason, n_assets, traded_on,
            first_earned, turnover, cost, untradable.
        contributions: Tidy: strategy, asset, mean_weight, contribution, return_share.
        figures: Strategy to the figures of the summary.
    """

    weights: pd.DataFrame
    returns: pd.DataFrame
    gross_returns: pd.DataFrame
    decisions: pd.DataFrame
    contributions: pd.DataFrame
    figures: dict[str, dict[str, Any]]


def forecast_arrays(
    table: pd.DataFrame,
    market: Market,
    dates: pd.DatetimeIndex,
    columns: Sequence[str] = ("mean", "volatility", "seed_spread"),
) -> dict[str, np.ndarray]:
    """These columns of a tidy forecast table by name, each (D, N).

    Raises:
        DataError: There are forecasts for other dates or assets: they come from another walk.
    """
    strange = table[~(table["date"].isin(dates) & table["asset"].isin(market.assets))]
    if len(strange):
        raise DataError(
            f"{len(strange)} forecasts are for no decision date or asset of this evaluation",
            source="forecasts",
            asset=str(strange["asset"].iloc[0]),
            date=pd.Timestamp(strange["date"].iloc[0]),
            remedy="make the forecasts anew with the present parameters.",
        )
    return {
        name: table.pivot(index="date", columns="asset", values=name)
        .reindex(index=dates, columns=list(market.assets))
        .to_numpy(dtype=float)
        for name in columns
    }


def run_strategies(
    market: Market,
    folds: list[Fold],
    forecasts: Mapping[str, pd.DataFrame],
    *,
    allocator: Allocator,
    minimum_variance: Allocator,
    rules: TradingRules,
    volatility_from: str | None = None,
    cache: PieceCache = NOT_KEPT,
) -> StrategyResults:
    """Trade every forecaster and the reference portfolios on the same dates.

    Decisions of every strategy are kept in ``cache``.

    Raises:
        ParameterError: ``volatility_from`` names no forecaster with volatility forecasts.
        DataError: Forecasts do not belong to these dates and assets, or the benchmark has no
            price on a bar on which it should be held.
    """
    dates = decision_dates(folds)
    arrays = {name: forecast_arrays(table, market, dates) for name, table in forecasts.items()}
    volatility = chosen_volatility(arrays, volatility_from)
    choices = choices_at(market, dates, rules.horizon, volatility)
    paths: dict[str, Backtest] = {}
    logs: dict[str, pd.DataFrame] = {}
    means = {name: values["mean"] for name, values in arrays.items()}
    plans = strategy_plans(means, allocator, minimum_variance)
    for name, (chooser, mean) in plans.items():
        traded = trade(market, choices, chooser, rules, mean, cache)
        paths[name] = traded.backtest
        logs[name] = _decision_log(name, traded.decisions, traded.backtest)
    paths["buy_and_hold"] = hold_benchmark(market, dates[0], rules)
    return _collect(market, paths, logs, rules)


def chosen_volatility(
    arrays: Mapping[str, Mapping[str, np.ndarray]], name: str | None
) -> np.ndarray | None:
    """The volatility forecasts that rescale every covariance, (D, N); None for none.

    Args:
        arrays: Forecaster to its arrays, see :func:`forecast_arrays`.
        name: Forecaster whose volatility is wanted; None for none.

    Raises:
        ParameterError: There is no such forecaster, or it forecasts no volatility.
    """
    if name is None:
        return None
    if name not in arrays or not np.isfinite(arrays[name]["volatility"]).any():
        raise ParameterError(f"portfolio.volatility_from: '{name}' makes no volatility forecasts.")
    return arrays[name]["volatility"]


def _collect(
    market: Market,
    paths: Mapping[str, Backtest],
    logs: Mapping[str, pd.DataFrame],
    rules: TradingRules,
) -> StrategyResults:
    returns = market_returns(market)
    figures = {
        name: strategy_figures(
            path,
            returns,
            bars_per_year=market.bars_per_year,
            risk_free=rules.risk_free,
            n_fallbacks=int(logs[name]["fallback"].sum()) if name in logs else 0,
        )
        for name, path in paths.items()
    }
    weights = [_tidy_weights(name, path) for name, path in paths.items()]
    added = [
        contributions(path.weights, returns).assign(strategy=name) for name, path in paths.items()
    ]
    columns = ["strategy", "asset", "mean_weight", "contribution", "return_share"]
    return StrategyResults(
        weights=pd.concat(weights).reset_index(drop=True),
        returns=pd.DataFrame({name: path.net for name, path in paths.items()}),
        gross_returns=pd.DataFrame({name: path.gross for name, path in paths.items()}),
        decisions=pd.concat(list(logs.values()), ignore_index=True),
        contributions=pd.concat(added, ignore_index=True)[columns],
        figures=figures,
    )


def decision_dates(folds: list[Fold]) -> pd.DatetimeIndex:
    """All decision dates, in order."""
    return pd.DatetimeIndex(np.concatenate([fold.decisions for fold in folds]), name="date")


def _decision_log(name: str, decisions: pd.DataFrame, path: Backtest) -> pd.DataFrame:
    trades = path.rebalances.rename_axis(index="first_earned").reset_index()
    trades = trades.set_index("decided_on")[
        ["traded_on", "first_earned", "turnover", "cost", "untradable"]
    ]
    log = decisions.join(trades).reset_index()
    log.insert(1, "strategy", name)
    return log


def _tidy_weights(name: str, path: Backtest) -> pd.DataFrame:
    dated = path.weights.rename_axis(index="date").reset_index()
    tidy = dated.melt(id_vars="date", var_name="asset", value_name="weight")
    tidy = tidy[tidy["weight"] != 0.0].sort_values(["date", "asset"])
    tidy.insert(1, "strategy", name)
    return tidy.assign(rebalanced=tidy["date"].isin(path.rebalances.index))


@dataclass(frozen=True)
class ForecastScores:
    """How good the forecasts were.

    Attributes:
        figures: Forecaster to mae, rmse, r2, theil_u, rank_ic, spread_ratio, ...; and the
            no-change forecast's errors under ``no_change``.
        spread: Tidy: date, forecaster, predicted_spread, realised_spread.
        reliability: Tidy: forecaster, bin, predicted, realised, low and high (interval of its mean,
            clustered by date), count, slope.
        coverage: Tidy: forecaster, level, coverage, n, low, high.
        seed_spread: Tidy: date, forecaster, seed_spread (mean over assets).
    """

    figures: dict[str, dict[str, Any]]
    spread: pd.DataFrame
    reliability: pd.DataFrame
    coverage: pd.DataFrame
    seed_spread: pd.DataFrame


def score_forecasts(
    market: Market,
    folds: list[Fold],
    forecasts: Mapping[str, pd.DataFrame],
    *,
    horizon: int,
    execution_lag: int,
) -> ForecastScores:
    """Compare forecasts with what happened, over decision dates with a known target."""
    dates = decision_dates(folds)
    rows = market.dates.get_indexer(dates)
    target = market.target(horizon, execution_lag)[rows]
    # Decisions are equally far apart; a single one overlaps with none.
    lags = overlap_lags(horizon, int(np.diff(rows).min())) if len(rows) > 1 else 0
    reference = training_mean(market, folds, horizon, execution_lag)
    arrays = {name: forecast_arrays(table, market, dates) for name, table in forecasts.items()}
    figures, bins, covered, spreads = {}, [], [], []
    for name, values in arrays.items():
        figures[name] = _accuracy(values["mean"], target, reference)
        curve = reliability(values["mean"], target, lags=lags)
        bins.append(
            curve.table.rename_axis(index="bin")
            .reset_index()
            .assign(forecaster=name, slope=curve.slope)
        )
        if np.isfinite(values["volatility"]).any():
            table = volatility_coverage(values["mean"], values["volatility"], target, lags=lags)
            covered.append(table.assign(forecaster=name))
        here = np.isfinite(values["seed_spread"]).any(axis=1)
        if here.any():
            spread = pd.DataFrame({"date": dates[here], "forecaster": name})
            average = np.nanmean(values["seed_spread"][here], axis=1)
            spreads.append(spread.assign(seed_spread=average))
    universe = np.isfinite(np.stack([values["mean"] for values in arrays.values()])).any(axis=0)
    nothing = np.where(universe, 0.0, np.nan)
    figures["no_change"] = {**_accuracy(nothing, target, reference), "rank_ic": None}
    return ForecastScores(
        figures=figures,
        spread=spread_calibration({n: (v["mean"], target, dates) for n, v in arrays.items()}),
        reliability=_concat(
            bins,
            ["forecaster", "bin", "predicted", "realised", "low", "high", "count", "slope"],
        ),
        coverage=_concat(covered, ["forecaster", "level", "coverage", "n", "low", "high"]),
        seed_spread=_concat(spreads, ["date", "forecaster", "seed_spread"]),
    )


def _accuracy(
    mean: np.ndarray, target: np.ndarray, reference: np.ndarray
) -> dict[str, float | int | None]:
    # An asset without a known target in training has no training mean; zero is the other yardstick.
    return dict(forecast_accuracy(mean, target, np.nan_to_num(reference, nan=0.0)))


def _concat(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    if not tables:
        return pd.DataFrame({name: [] for name in columns})
    return pd.concat(tables, ignore_index=True)[columns]


def training_figures(log: list[dict[str, Any]]) -> dict[str, float | int]:
    """Cost of training over all folds: mean epochs, total seconds and samples, parameters."""
    return {
        "epochs": float(np.mean([entry["epochs"] for entry in log])),
        "seconds": float(sum(entry["seconds"] for entry in log)),
        "gradient_samples": int(sum(entry["gradient_samples"] for entry in log)),
        "parameters": int(max(entry["parameters"] for entry in log)),
    }
