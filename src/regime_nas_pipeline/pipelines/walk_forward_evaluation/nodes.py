"""Nodes of the evaluation pipeline."""

from __future__ import annotations

from typing import Any

import pandas as pd

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.pipelines.common import (
    allocator_of,
    bars_per_year_of,
    folds_of,
    market_of,
    rules_of,
)
from regime_nas_pipeline.portfolio.allocate import MinimumVariance
from regime_nas_pipeline.portfolio.economics.closures import closing_prices, forced_closures
from regime_nas_pipeline.portfolio.economics.trades import asset_returns
from regime_nas_pipeline.portfolio.metrics import by_calendar_year, by_period, by_regime
from regime_nas_pipeline.verdict.sharpe import compare_sharpes
from regime_nas_pipeline.walkforward.deciding import NOT_KEPT
from regime_nas_pipeline.walkforward.evaluation import (
    run_strategies,
    score_forecasts,
    training_figures,
)
from regime_nas_pipeline.walkforward.evaluation_ledger import (
    evaluation_rows,
    hash_of_evaluated_closes,
    hash_of_settings,
)
from regime_nas_pipeline.walkforward.forecasts import refuse_other_targets
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    Evaluation,
    Portfolio,
    Universe,
    WalkForward,
)
from regime_nas_pipeline.walkforward.seed_strategies import trade_seeds

OPPONENTS = ("equal_weight", "momentum")


def trade_strategies(
    prices: pd.DataFrame,
    universe: Universe,
    walk_forward: WalkForward,
    portfolio: Portfolio,
    cache: PieceCache = NOT_KEPT,
    **forecasts: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """Trade every forecaster and the reference portfolios by the same rules.

    Returns:
        Weights, net returns, gross returns, figures per strategy, decisions, contributions.
    """
    market = market_of(prices, universe)
    results = run_strategies(
        market,
        folds_of(market, walk_forward),
        forecasts,
        allocator=allocator_of(portfolio),
        minimum_variance=MinimumVariance(portfolio.max_weight, portfolio.solver),
        rules=rules_of(walk_forward, portfolio),
        volatility_from=portfolio.volatility_from,
        cache=cache,
    )
    return (
        results.weights,
        results.returns,
        results.gross_returns,
        results.figures,
        results.decisions,
        results.contributions,
    )


def record_closures(
    prices: pd.DataFrame,
    weights: pd.DataFrame,
    decisions: pd.DataFrame,
    strategy_returns: pd.DataFrame,
    universe: Universe,
) -> pd.DataFrame:
    """Every position that had to end because its price or its membership did, and at what price."""
    market = market_of(prices, universe)
    members = None
    if market.members is not None:
        members = pd.DataFrame(market.members, index=market.dates, columns=list(market.assets))
    dates = pd.DatetimeIndex(strategy_returns.index)
    closures = forced_closures(weights, decisions, asset_returns(prices), dates, members)
    return closures.assign(price=closing_prices(closures, prices))


def record_evaluations(
    prices: pd.DataFrame,
    strategy_returns: pd.DataFrame,
    run_facts: dict[str, Any],
    universe: Universe,
    walk_forward: WalkForward,
    portfolio: Portfolio,
    compute: Compute,
    cache: PieceCache = NOT_KEPT,
    **forecasts: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Trade every seed of the averaged networks alone, and write down all that was evaluated.

    Returns:
        Net returns of seeds, their figures, and the rows for the ledger of evaluations.
    """
    market = market_of(prices, universe)
    folds = folds_of(market, walk_forward)
    seeds = trade_seeds(
        market,
        folds,
        forecasts,
        allocator=allocator_of(portfolio),
        rules=rules_of(walk_forward, portfolio),
        volatility_from=portfolio.volatility_from,
        n_jobs=compute.n_jobs,
        cache=cache,
    )
    rows = evaluation_rows(
        strategy_returns,
        seeds.returns,
        closes_hash=hash_of_evaluated_closes(market, folds),
        settings_hash=hash_of_settings(universe, walk_forward, portfolio, compute.seed),
        cost_bps=portfolio.cost_bps,
        run_facts=run_facts,
    )
    return seeds.returns, seeds.figures, rows


def measure_forecasts(
    prices: pd.DataFrame, universe: Universe, walk_forward: WalkForward, **forecasts: pd.DataFrame
) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Accuracy and calibration of every forecaster, beside the no-change forecast.

    Returns:
        Figures per forecaster, spread per date, reliability, coverage, spread over seeds.
    """
    market = market_of(prices, universe)
    scores = score_forecasts(
        market,
        folds_of(market, walk_forward),
        forecasts,
        horizon=walk_forward.horizon,
        execution_lag=walk_forward.execution_lag,
    )
    return scores.figures, scores.spread, scores.reliability, scores.coverage, scores.seed_spread


def compare_strategies(
    prices: pd.DataFrame,
    strategy_returns: pd.DataFrame,
    regimes: pd.DataFrame,
    universe: Universe,
    portfolio: Portfolio,
    evaluation: Evaluation,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Tests of equal Sharpe ratios, and figures by period and by regime.

    Returns:
        Significance, figures by sub-period (calendar years where none are named), by regime.
    """
    bars_per_year, risk_free = bars_per_year_of(prices, universe), portfolio.risk_free
    significance = compare_sharpes(
        strategy_returns,
        against=[name for name in OPPONENTS if name in strategy_returns],
        risk_free=risk_free,
        bars_per_year=bars_per_year,
    )
    if evaluation.sub_periods:
        spans = {
            period.name: (pd.Timestamp(period.first), period.last_moment)
            for period in evaluation.sub_periods
        }
        periods = by_period(
            strategy_returns, spans, bars_per_year=bars_per_year, risk_free=risk_free
        )
    else:
        periods = by_calendar_year(
            strategy_returns, bars_per_year=bars_per_year, risk_free=risk_free
        )
    per_regime = by_regime(
        strategy_returns, regimes, bars_per_year=bars_per_year, risk_free=risk_free
    )
    return significance, periods, per_regime


def summarise(
    prices: pd.DataFrame,
    strategy_returns: pd.DataFrame,
    strategy_figures: dict[str, Any],
    forecast_figures: dict[str, Any],
    run_facts: dict[str, Any],
    data_manifest: dict[str, Any],
    universe: Universe,
    walk_forward: WalkForward,
    portfolio: Portfolio,
    compute: Compute,
    **training_logs: list[dict[str, Any]],
) -> dict[str, Any]:
    """The machine-readable verdict; its keys are public API, see docs/summary.md."""
    refuse_other_targets(
        training_logs, horizon=walk_forward.horizon, execution_lag=walk_forward.execution_lag
    )
    market = market_of(prices, universe)
    folds = folds_of(market, walk_forward)
    forecasts = {
        name: {
            **figures,
            **(training_figures(training_logs[name]) if name in training_logs else {}),
        }
        for name, figures in forecast_figures.items()
    }
    return {
        "run": {
            "env": run_facts["env"],
            "git_sha": run_facts["git_sha"],
            "data_sha256": data_manifest["sha256"],
            "seed": compute.seed,
            "started": run_facts["started"],
            "seconds": run_facts["seconds"],
            "versions": run_facts["versions"],
        },
        "sample": {
            "first_oos": date_text(folds[0].decisions[0], market.dates),
            "last_oos": date_text(strategy_returns.index[-1], market.dates),
            "n_rebalances": sum(len(fold.decisions) for fold in folds),
            "n_refits": len(folds),
            "n_assets": len(market.assets),
            "bars_per_year": market.bars_per_year,
            "risk_free": portfolio.risk_free,
        },
        "strategies": strategy_figures,
        "forecasts": forecasts,
    }
