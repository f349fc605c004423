"""Nodes of the verdict pipeline: tests, the counting of trials, and the verdict itself."""

from __future__ import annotations

from typing import Any

import pandas as pd

from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.statistics import per_bar_rate
from regime_nas_pipeline.pipelines.common import (
    bars_per_year_of,
    folds_of,
    market_of,
    rules_of,
)
from regime_nas_pipeline.search.comparable_trials import comparable_trials
from regime_nas_pipeline.search.ledger import hash_of_closes
from regime_nas_pipeline.verdict.comparison import (
    ForecastLosses,
    comparison_table,
    comparison_words,
    superior_strategies,
)
from regime_nas_pipeline.verdict.comparison.dependence import MIN_BARS
from regime_nas_pipeline.verdict.comparison.superior import COLUMNS as SUPERIOR_COLUMNS
from regime_nas_pipeline.verdict.comparison.superior import Measure
from regime_nas_pipeline.verdict.comparison.table import COLUMNS as COMPARISON_COLUMNS
from regime_nas_pipeline.verdict.detectable import detectable_differences
from regime_nas_pipeline.verdict.together import CONFIDENCE_MEASURE, verdict_of
from regime_nas_pipeline.verdict.trials.counted import (
    IN_SEARCH,
    OUT_OF_SAMPLE,
    deflate_all,
    overfitting_by_search,
    overfitting_out_of_sample,
)
from regime_nas_pipeline.walkforward.comparable_evaluations import comparable_evaluations
from regime_nas_pipeline.walkforward.evaluation_ledger import hash_of_evaluated_closes
from regime_nas_pipeline.walkforward.forecast_losses import NO_CHANGE, squared_errors
from regime_nas_pipeline.walkforward.parameters import (
    Compute,
    Portfolio,
    Search,
    Universe,
    WalkForward,
)
from regime_nas_pipeline.walkforward.search_reference import equal_weight_in_validation
from regime_nas_pipeline.walkforward.tuning import plan_validation
from regime_nas_pipeline.walkforward.verdict_parameters import Verdict

SUBJECT = "regime_nas"
REFERENCE = "equal_weight"
AGAINST = (REFERENCE, "momentum", "mvo_flat", "buy_and_hold")
"""Strategies that all others are tested against."""

MEASURES: tuple[Measure, ...] = ("mean", "sharpe")


def compare_all(
    prices: pd.DataFrame,
    strategy_returns: pd.DataFrame,
    universe: Universe,
    walk_forward: WalkForward,
    portfolio: Portfolio,
    compute: Compute,
    verdict: Verdict,
    **forecasts: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Test every strategy and every forecaster against those that are simpler.

    Returns:
        Pairwise tests, tests among all strategies at once, and what they mean in sentences.
    """
    if len(strategy_returns) < MIN_BARS:
        words = [
            f"The strategies are not compared: {len(strategy_returns)} bars are too few, the tests "
            f"need {MIN_BARS}."
        ]
        return _empty(COMPARISON_COLUMNS), _empty(SUPERIOR_COLUMNS), words
    market = market_of(prices, universe)
    losses = squared_errors(
        market,
        folds_of(market, walk_forward),
        forecasts,
        horizon=walk_forward.horizon,
        execution_lag=walk_forward.execution_lag,
    )
    pairs, remarks = _pairwise(
        strategy_returns,
        ForecastLosses(
            losses,
            [name for name in (NO_CHANGE, "momentum") if name in losses],
            horizon=walk_forward.horizon,
            every=walk_forward.rebalance_every,
        ),
        risk_free=portfolio.risk_free,
        bars_per_year=market.bars_per_year,
        block_length=verdict.block_length,
        n_resamples=verdict.resamples,
        seed=compute.seed,
    )
    among_all = {
        measure: superior_strategies(
            strategy_returns,
            REFERENCE,
            measure=measure,
            risk_free_per_bar=per_bar_rate(portfolio.risk_free, market.bars_per_year),
            level=verdict.level,
            block_length=verdict.block_length,
            n_resamples=verdict.resamples,
            seed=compute.seed,
        )
        for measure in MEASURES
    }
    words = [f"No strategy is called {SUBJECT}, which the sentences would be about."]
    if SUBJECT in strategy_returns:
        words = comparison_words(
            pairs,
            among_all[CONFIDENCE_MEASURE],
            subject=SUBJECT,
            level=verdict.level,
            withdrawn=verdict.withdrawn,
        )
    return pairs, pd.concat(list(among_all.values()), ignore_index=True), [*words, *remarks]


def _pairwise(
    strategy_returns: pd.DataFrame, losses: ForecastLosses, **settings: Any
) -> tuple[pd.DataFrame, list[str]]:
    """The pairwise tests, without those of forecasts where there are too few dates for them."""
    against = [name for name in AGAINST if name in strategy_returns]
    try:
        return comparison_table(strategy_returns, against, forecasts=losses, **settings), []
    except DataError as error:
        remark = f"The accuracy of forecasts is not tested: {error}"
        return comparison_table(strategy_returns, against, **settings), [remark]


def count_trials(
    prices: pd.DataFrame,
    strategy_returns: pd.DataFrame,
    seed_returns: pd.DataFrame,
    evaluations: pd.DataFrame,
    search_trials: pd.DataFrame,
    universe: Universe,
    walk_forward: WalkForward,
    portfolio: Portfolio,
    search: Search,
    compute: Compute,
    verdict: Verdict,
    **found: dict[str, Any],
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Count every trial of both ledgers on these prices, and see what is left of the results.

    Returns:
        Deflated Sharpe ratios, and overfitting with the counts of trials.
    """
    market = market_of(prices, universe)
    folds = folds_of(market, walk_forward)
    known = market.until(folds[0].train_end).listed()
    validation = plan_validation(
        known,
        fraction=search.validation_fraction,
        rebalance_every=walk_forward.rebalance_every,
        horizon=walk_forward.horizon,
        execution_lag=walk_forward.execution_lag,
    )
    trials = comparable_trials(
        search_trials,
        found,
        closes_hash=hash_of_closes(known),
        reference=equal_weight_in_validation(known, validation, rules_of(walk_forward, portfolio)),
    )
    evaluated = comparable_evaluations(
        evaluations,
        strategy_returns,
        seed_returns,
        closes_hash=hash_of_evaluated_closes(market, folds),
    )
    deflated = deflate_all(
        strategy_returns,
        trials.returns,
        trials.chosen,
        bars_per_year=market.bars_per_year,
        risk_free=portfolio.risk_free,
        level=1.0 - verdict.level,
        reference=REFERENCE,
        seed=compute.seed,
        evaluated=evaluated.trials,
    )
    overfitting = {
        **overfitting_by_search(trials.returns, trials.forecasters, n_blocks=verdict.n_blocks),
        "reference": REFERENCE,
        "first": date_text(trials.returns.index[0], trials.returns.index),
        "last": date_text(trials.returns.index[-1], trials.returns.index),
        "n_in_ledger": len(search_trials),
        "n_trials_counted": trials.returns.shape[1],
        "n_this_run": trials.n_this_run,
        "n_effective": _n_effective(deflated, IN_SEARCH),
        "left_out": trials.left_out,
        "out_of_sample": {
            **evaluated.counts,
            "n_effective": _n_effective(deflated, OUT_OF_SAMPLE),
            **overfitting_out_of_sample(evaluated.trials.leads, n_blocks=verdict.n_blocks),
        },
    }
    return deflated, overfitting


def _n_effective(deflated: pd.DataFrame, scope: str) -> int | None:
    """Groups of trials in excess of the reference; None where nothing could be reckoned."""
    rows = deflated[(deflated["scope"] == scope) & (deflated["reference"] == REFERENCE)]
    return int(rows["n_effective"].iloc[0]) if len(rows) else None


def conclude(
    strategy_returns: pd.DataFrame,
    comparison_tests: pd.DataFrame,
    superior: pd.DataFrame,
    deflated_sharpes: pd.DataFrame,
    overfitting: dict[str, Any],
    break_even: pd.DataFrame,
    verdict: Verdict,
    universe: Universe,
    prices: pd.DataFrame,
) -> dict[str, Any]:
    """The machine-readable verdict; its keys are public API, see docs/verdict.md."""
    return verdict_of(
        list(strategy_returns.columns),
        comparison_tests=comparison_tests,
        superior_strategies=superior,
        deflated_sharpes=deflated_sharpes,
        overfitting=overfitting,
        break_even_costs=break_even,
        detectable=detectable_differences(
            comparison_tests,
            strategy_returns,
            bars_per_year=bars_per_year_of(prices, universe),
            level=verdict.level,
            withdrawn=verdict.withdrawn,
        ),
        level=verdict.level,
        reference=REFERENCE,
        withdrawn=verdict.withdrawn,
    )


def _empty(columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame({name: [] for name in columns})
