"""One candidate of a search: built, trained and scored within its share of the budget."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.params import check_arguments
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.forecasters.regime_nas import RegimeNasForecaster
from regime_nas_pipeline.market.features import trailing_volatility
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.lipschitz.certify import certified_bound
from regime_nas_pipeline.networks.regime_net import RegimeNet
from regime_nas_pipeline.networks.training import Rung, TrainingPlan, single_threaded
from regime_nas_pipeline.portfolio.allocate import Allocator
from regime_nas_pipeline.search.halving import RUNG_ERROR, UNSPENT
from regime_nas_pipeline.search.outer import Outcome, Proposal
from regime_nas_pipeline.search.subnetworks import random_blocks
from regime_nas_pipeline.search.trials import STOPPED
from regime_nas_pipeline.walkforward.building import with_found
from regime_nas_pipeline.walkforward.cells import find_cells
from regime_nas_pipeline.walkforward.deciding import TradingRules, choices_at
from regime_nas_pipeline.walkforward.parameters import Search
from regime_nas_pipeline.walkforward.trading import trade

TIMED_FORECASTS = 20
DEFAULT_NODES = 2


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
class Trading:
    """How a candidate's validation forecasts are traded."""

    allocator: Allocator
    rules: TradingRules


@dataclass(frozen=True)
class Task:
    """What all candidates of one search share.

    Attributes:
        forecaster: Class of the candidates.
        arguments: Constructor arguments that are not searched.
        market: Everything that the search may see.
        validation: Which bars score a candidate.
        search: Budget, strategy and cell search.
        trading: How validation forecasts are traded; None where only forecasts count, and then
            trials have no returns.
    """

    forecaster: type[NeuralForecaster]
    arguments: dict[str, Any]
    market: Market
    validation: ValidationPlan
    search: Search
    trading: Trading | None


def evaluate_candidate(task: Task, proposal: Proposal) -> Outcome:
    """Build, train and score one candidate within its share of the budget.

    With ``efficiency.halving`` the facts hold ``rung_error``, and where the candidate was stopped
    ``stopped_at`` and ``unspent`` (gradient samples). It is then scored as far as it came.
    """
    budget = task.search.budget // task.search.trials
    training_market = task.market.until(task.validation.fit_end)
    arguments = {**task.arguments, "seed": proposal.seed, "n_seeds": 1}
    found = task.forecaster.from_choices(proposal.choices)
    spent: int = 0
    facts: dict[str, Any] = {}
    if issubclass(task.forecaster, RegimeNasForecaster):
        spent, facts = _choose_cells(task, found, arguments, training_market, budget)
    candidate = build_candidate(task.forecaster, arguments, found)
    candidate.training = _training(candidate.training, task.search, proposal, budget - spent)
    candidate.fit(training_market)
    report = candidate.fit_report_
    facts |= _rung_facts(report.curves[0], spent + report.gradient_samples, budget)
    forecast = candidate.predict(task.market, task.validation.decisions)
    score = validation_score(task.market, task.validation.decisions, forecast.mean, candidate)
    return Outcome(
        score=score,
        parameters=found,
        gradient_samples=spent + report.gradient_samples,
        returns=_validation_returns(task, forecast.mean),
        facts={**facts, "epochs": report.epochs},
        objectives={
            "parameters": float(report.parameters),
            "latency": _latency(candidate, task),
            "lipschitz": certified_constant(candidate),
        },
    )


def _training(
    plan: TrainingPlan, search: Search, proposal: Proposal, max_samples: int
) -> TrainingPlan:
    """The candidate's share of the budget, and where it is judged."""
    halving = search.efficiency.halving
    rung = None
    if halving is not None:
        worst = math.inf if proposal.cut_off is None else proposal.cut_off
        rung = Rung(int(halving.rung * max_samples), worst)
    return replace(plan, max_samples=max_samples, rung=rung)


def _rung_facts(
    curve: Sequence[Mapping[str, float]], spent: int, budget: int
) -> dict[str, float | int | None]:
    """What the rung has decided; nothing where training ended before it."""
    if not curve or "rung_error" not in curve[-1]:
        return {}
    error = curve[-1]["rung_error"]
    facts: dict[str, float | int | None] = {RUNG_ERROR: error if math.isfinite(error) else None}
    if curve[-1]["stopped"]:
        facts |= {STOPPED: spent, UNSPENT: budget - spent}
    return facts


def _choose_cells(
    task: Task, found: dict[str, Any], arguments: dict[str, Any], market: Market, budget: int
) -> tuple[int, dict[str, Any]]:
    """Put cells into ``found``; returns gradient samples spent and facts of the cell search."""
    settings = task.search.cell_search
    nodes = int(found.pop("nodes", DEFAULT_NODES))
    if "blocks" in found:
        return 0, {}
    if settings.method == "random":
        kinds = settings.evidence_nodes if settings.evidence == "side_by_side" else None
        drawing = np.random.default_rng([arguments["seed"], 1])
        found["blocks"] = random_blocks(nodes, drawing, kinds)
        return 0, {}
    prototype = build_candidate(task.forecaster, arguments, found)
    share = int(budget * settings.budget_share)
    cells = find_cells(prototype, market, nodes, share, task.search)
    found["blocks"] = cells.blocks
    return cells.samples, dict(cells.facts)


def build_candidate(
    cls: type[NeuralForecaster], arguments: Mapping[str, Any], found: Mapping[str, Any]
) -> Any:
    """The forecaster of these arguments; what was found takes precedence."""
    return cls(**check_arguments(cls, with_found(arguments, found)))


def certified_constant(forecaster: NeuralForecaster) -> float | None:
    """Largest certified Lipschitz constant of the fitted networks; None where there is none."""
    networks = [network for network in forecaster.networks_ if isinstance(network, RegimeNet)]
    if not networks:
        return None
    n_assets = forecaster.sizes_["n_assets"]
    with single_threaded(forecaster.seed):
        bounds = [
            certified_bound(network, lookback=forecaster.lookback, n_assets=n_assets).total
            for network in networks
        ]
    return max(bounds) if np.isfinite(bounds).all() else None


def _latency(candidate: NeuralForecaster, task: Task) -> float:
    """Milliseconds that the network needs for one date, median of several."""
    batch = candidate.example_batch(task.market.until(task.validation.fit_end))
    seconds = []
    # More threads than one wait for each other where other processes are at work: for seconds.
    with single_threaded(candidate.seed), torch.no_grad():
        for _ in range(TIMED_FORECASTS):
            started = time.perf_counter()
            candidate.networks_[0](batch)
            seconds.append(time.perf_counter() - started)
    return 1e3 * float(np.median(seconds))


def validation_score(
    market: Market, decisions: pd.DatetimeIndex, mean: np.ndarray, candidate: NeuralForecaster
) -> float:
    """Squared forecast error over that of no change, both in the scale of the training target.

    Below 1 the candidate forecasts better than expecting no return at all.

    Raises:
        DataError: No asset can be forecast on the validation dates.
    """
    rows = market.dates.get_indexer(decisions)
    target = market.target(candidate.horizon, candidate.execution_lag)[rows]
    size = np.ones(target.shape)
    if candidate.input_spec().errors_in_volatility():
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
    if task.trading is None:
        return np.empty(0)
    rules = task.trading.rules
    choices = choices_at(task.market, task.validation.decisions, rules.horizon)
    traded = trade(task.market, choices, task.trading.allocator, rules, mean)
    return traded.backtest.net.to_numpy()


def validation_dates(task: Task) -> pd.DatetimeIndex:
    """Dates of every trial's validation returns: the bars that the first decision can earn on."""
    if task.trading is None:
        return task.market.dates[:0]
    lag = task.trading.rules.execution_lag
    first = task.market.position(task.validation.decisions[0]) + lag + 1
    return task.market.dates[first:]


def outcome_bundle(outcome: Outcome) -> Bundle:
    """An outcome as a piece that can be kept; :func:`bundled_outcome` reads it."""
    facts = {
        "score": outcome.score,
        "parameters": outcome.parameters,
        "gradient_samples": outcome.gradient_samples,
        "facts": outcome.facts,
        "objectives": outcome.objectives,
    }
    return Bundle({"returns": outcome.returns}, facts)


def bundled_outcome(piece: Bundle) -> Outcome:
    """The outcome that :func:`outcome_bundle` has kept."""
    return Outcome(returns=piece.arrays["returns"], **piece.facts)
