"""The two-level search on the data before the first out-of-sample day, for any forecaster.

Candidates are trained on the first part of that data and scored on its purged last part. For
``regime_nas`` a candidate is a set of macro choices whose cells are found by gradient first; for
other forecasters it is the macro choices alone. The budget in gradient samples is the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache, code_version, content_hash
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.core.params import check_arguments
from regime_nas_pipeline.forecasters.base import Forecaster
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.market.features import trailing_volatility
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import resolved
from regime_nas_pipeline.portfolio.allocate import Allocator
from regime_nas_pipeline.search.outer import Outcome, Proposal, Trial, run_search
from regime_nas_pipeline.search.space import Space
from regime_nas_pipeline.walkforward.cells import find_cells
from regime_nas_pipeline.walkforward.forecasts import class_content, market_content
from regime_nas_pipeline.walkforward.parameters import Search
from regime_nas_pipeline.walkforward.trading import TradingRules, choices_at, trade

NOT_SEARCHED = {"horizon", "execution_lag", "training", "n_seeds", "seed", "device"}
"""Arguments that a whole run shares: searching over one of them would score candidates on
different questions, or let them spend more than their share of the budget."""


@dataclass(frozen=True)
class ValidationPlan:
    """Which bars score a candidate.

    Attributes:
        fit_end: Last bar that candidates may be trained on.
        decisions: Validation decision dates; the whole target of each is known.
    """

    fit_end: pd.Timestamp
    decisions: pd.DatetimeIndex


@dataclass(frozen=True)
class Task:
    """What all candidates of one search share."""

    forecaster: type[NeuralForecaster]
    arguments: dict[str, Any]
    market: Market
    validation: ValidationPlan
    search: Search
    allocator: Allocator
    rules: TradingRules


def plan_validation(
    market: Market, *, fraction: float, rebalance_every: int, horizon: int, execution_lag: int
) -> ValidationPlan:
    """Hold back the last part of the search data for scoring.

    Args:
        market: Ends at the last bar before the first out-of-sample day.
        fraction: Part of its bars that score candidates.
        rebalance_every: Bars between validation decisions.
        horizon: Bars of the target.
        execution_lag: Bars between decision and trade.

    Raises:
        DataError: The data before the first out-of-sample day is too short.
    """
    n_bars = len(market.dates)
    first = n_bars - int(np.ceil(fraction * n_bars))
    rows = np.arange(first, n_bars - execution_lag - horizon, rebalance_every)
    if first < 1 or not len(rows):
        raise DataError(
            f"{n_bars} bars before the first out-of-sample day leave no validation decision "
            "for the search",
            source="prices",
            remedy="start the data earlier, move first_oos later or shorten the horizon.",
        )
    return ValidationPlan(market.dates[first - 1], market.dates[rows])


def tune(
    task: Task, space: Space, *, seed: int, cache: PieceCache, n_jobs: int, name: str = ""
) -> tuple[list[Trial], str]:
    """Search ``space`` and return every trial and the search's id.

    Args:
        task: What all candidates share.
        space: What may be chosen.
        seed: Seed of the search.
        cache: Where finished trials are kept.
        n_jobs: Processes.
        name: What the progress bar says; no bar where empty.

    Raises:
        ParameterError: A dimension is not an argument of the forecaster, or the budget does not
            pay for the trials.
    """
    search = task.search
    check_space(task.forecaster, space)
    search_id = _search_id(task, space, seed)
    best = np.inf
    with tqdm(total=search.trials, desc=name, unit="trial", disable=not name) as bar:

        def evaluate(proposals: Sequence[Proposal]) -> list[Outcome]:
            nonlocal best
            pieces = parallel_map(
                _trial_piece,
                [(task, proposal, search_id, cache) for proposal in proposals],
                n_jobs=n_jobs,
            )
            outcomes = [_outcome(piece) for piece in pieces]
            best = min(best, *(outcome.score for outcome in outcomes))
            bar.set_postfix_str(f"best validation error {best:.4f} of no change")
            bar.update(len(outcomes))
            return outcomes

        return run_search(space, evaluate, search.outer(), seed=seed), search_id


def _search_id(task: Task, space: Space, seed: int) -> str:
    """Hash of everything that a search depends on."""
    return content_hash(
        code_version(),
        {key: dimension.model_dump(mode="json") for key, dimension in space.items()},
        task.search.model_dump(mode="json"),
        {key: str(value) for key, value in resolved(task.arguments).items()},
        class_content(task.forecaster),
        class_content(type(task.allocator)),
        {key: str(value) for key, value in task.allocator.get_params().items()},
        [repr(task.rules), seed],
        [date.isoformat() for date in (task.validation.fit_end, *task.validation.decisions)],
        *market_content(task.market),
    )


def check_space(forecaster: type[Forecaster], space: Space) -> None:
    """Refuse a dimension that is no argument of ``forecaster`` or is shared by the whole run.

    Raises:
        ParameterError: Names the dimension and those that there are.
    """
    allowed = set(inspect.signature(forecaster).parameters) - NOT_SEARCHED
    if issubclass(forecaster, RegimeNasForecaster):
        allowed = (allowed | {"nodes"}) - {"blocks"}
    unknown = sorted(set(space) - allowed)
    if unknown:
        raise ParameterError(
            f"search space of {forecaster.__name__}: no argument that can be searched is "
            f"called {', '.join(map(repr, unknown))}; there are: {', '.join(sorted(allowed))}."
        )


def _trial_piece(task: Task, proposal: Proposal, search_id: str, cache: PieceCache) -> Bundle:
    key = content_hash(search_id, proposal.number, proposal.seed, proposal.choices)
    return cache.get_or_make(key, lambda: _bundle(evaluate_candidate(task, proposal)))


def _bundle(outcome: Outcome) -> Bundle:
    facts = {
        "score": outcome.score,
        "parameters": outcome.parameters,
        "gradient_samples": outcome.gradient_samples,
        "facts": outcome.facts,
    }
    return Bundle({"returns": outcome.returns}, facts)


def _outcome(piece: Bundle) -> Outcome:
    return Outcome(returns=piece.arrays["returns"], **piece.facts)


def evaluate_candidate(task: Task, proposal: Proposal) -> Outcome:
    """Build, train and score one candidate within its share of the budget."""
    budget = task.search.budget // task.search.trials
    training_market = task.market.until(task.validation.fit_end)
    arguments = {**task.arguments, "seed": proposal.seed, "n_seeds": 1}
    found: dict[str, Any] = dict(proposal.choices)
    facts: dict[str, Any] = {}
    spent = 0
    if issubclass(task.forecaster, RegimeNasForecaster):
        nodes = int(found.pop("nodes", 2))
        share = int(budget * task.search.cell_search.budget_share)
        prototype = _build(task.forecaster, {**arguments, **found})
        cells = find_cells(prototype, training_market, nodes, share, task.search)
        found["blocks"] = cells.blocks
        facts |= cells.facts
        spent = cells.samples
    candidate = _build(task.forecaster, {**arguments, **found})
    candidate.training = replace(candidate.training, max_samples=budget - spent)
    candidate.fit(training_market)
    report = candidate.fit_report_
    forecast = candidate.predict(task.market, task.validation.decisions)
    score = validation_score(task.market, task.validation.decisions, forecast.mean, candidate)
    returns = _validation_returns(task, forecast.mean)
    return Outcome(
        score=score,
        parameters=found,
        gradient_samples=spent + report.gradient_samples,
        returns=returns,
        facts={**facts, "epochs": report.epochs, "parameters": report.parameters},
    )


def _build(cls: type[NeuralForecaster], arguments: dict[str, Any]) -> Any:
    return cls(**check_arguments(cls, arguments))


def validation_score(
    market: Market, decisions: pd.DatetimeIndex, mean: np.ndarray, candidate: NeuralForecaster
) -> float:
    """Squared forecast error over that of no change, both in units of trailing volatility.

    Below 1 the candidate forecasts better than expecting no return at all.
    """
    rows = market.dates.get_indexer(decisions)
    target = market.target(candidate.horizon, candidate.execution_lag)[rows]
    size = trailing_volatility(market.log_returns)[rows]
    known = np.isfinite(mean) & np.isfinite(target) & np.isfinite(size)
    if not known.any():
        raise DataError(
            "no asset of the universe can be forecast on the search's validation dates",
            source="prices",
            date=decisions[0],
            remedy="lower universe.min_history or start the data earlier.",
        )
    error = ((mean - target) / size)[known]
    nothing = (target / size)[known]
    return float((error @ error) / (nothing @ nothing))


def _validation_returns(task: Task, mean: np.ndarray) -> np.ndarray:
    decisions = task.validation.decisions
    choices = choices_at(task.market, decisions, task.rules.horizon)
    traded = trade(task.market, choices, task.allocator, task.rules, mean)
    return traded.backtest.net.to_numpy()


def validation_dates(task: Task) -> pd.DatetimeIndex:
    """Dates of every trial's validation returns: the bars that the first decision can earn on."""
    first = task.market.position(task.validation.decisions[0]) + task.rules.execution_lag + 1
    return task.market.dates[first:]
