"""Markets on which searches are compared, and single evaluations that are kept when finished."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache, content_hash
from regime_nas_pipeline.core.params import load_class, with_common
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import TrainingPlan
from regime_nas_pipeline.search.outer import Proposal, trial_seed
from regime_nas_pipeline.verdict.efficiency import r2_zero
from regime_nas_pipeline.walkforward.building import Shared
from regime_nas_pipeline.walkforward.candidates import (
    Task,
    ValidationPlan,
    build_candidate,
    evaluate_candidate,
)
from regime_nas_pipeline.walkforward.comparison_parameters import (
    Contest,
    Family,
    SearchComparison,
)
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.parameters import Compute
from regime_nas_pipeline.walkforward.planted.markets import HORIZON, LAG, simulate
from regime_nas_pipeline.walkforward.proxy import evaluate_by_proxy
from regime_nas_pipeline.walkforward.search_parameters import Proxy, Search
from regime_nas_pipeline.walkforward.tuning import plan_validation


@dataclass(frozen=True, eq=False)
class Bed:
    """A market, what of it searches may see, and what scores what they find.

    Attributes:
        name: ``planted`` or ``prices``.
        number: Which of several such markets.
        market: Every bar.
        known: What searches and fits are handed.
        validation: Which bars of that score a candidate.
        decisions: Dates, all after ``known``, at which what was found is judged.
        arguments: Constructor arguments that all networks share.
    """

    name: str
    number: int
    market: Market
    known: Market
    validation: ValidationPlan
    decisions: pd.DatetimeIndex
    arguments: dict[str, Any]

    def r2(self, mean: np.ndarray) -> float | None:
        """Out-of-sample R² against zero of forecasts (D, N) at the bed's decisions."""
        rows = self.market.dates.get_indexer(self.decisions)
        horizon, lag = self.arguments["horizon"], self.arguments["execution_lag"]
        return r2_zero(mean, self.market.target(horizon, lag)[rows])


def planted_bed(settings: SearchComparison, number: int, compute: Compute) -> Bed:
    """The simulated market of one seed: horizon one bar, no lag, plain returns as the target."""
    seed = settings.market.seeds[number]
    simulated = simulate(settings.market, "planted", seed)
    known = simulated.known
    return Bed(
        name="planted",
        number=number,
        market=simulated.market,
        known=known,
        validation=plan_validation(
            known,
            fraction=settings.validation_fraction,
            rebalance_every=1,
            horizon=HORIZON,
            execution_lag=LAG,
        ),
        decisions=simulated.decisions,
        arguments={
            "horizon": HORIZON,
            "execution_lag": LAG,
            # R² is measured in plain returns, so that is what networks minimise.
            "target_scale": "constant",
            "training": settings.training.plan(),
            "n_seeds": 1,
            "seed": compute.seed,
            "device": compute.device,
        },
    )


def prices_bed(
    market: Market,
    folds: Sequence[Fold],
    shared: Shared,
    *,
    number: int,
    validation_fraction: float,
) -> Bed:
    """The run's own prices: searched before the first out-of-sample day, judged after it.

    Args:
        market: Every bar.
        folds: Of the walk-forward; what is found is fitted once, before the first of them.
        shared: Horizon, lag, training and device.
        number: Which repetition; the market is the same in all.
        validation_fraction: Part of the known bars that scores candidates.
    """
    walk_forward = shared.walk_forward
    known = market.until(folds[0].train_end)
    return Bed(
        name="prices",
        number=number,
        market=market,
        known=known,
        validation=plan_validation(
            known,
            fraction=validation_fraction,
            rebalance_every=walk_forward.rebalance_every,
            horizon=walk_forward.horizon,
            execution_lag=walk_forward.execution_lag,
        ),
        decisions=pd.DatetimeIndex(np.concatenate([fold.decisions for fold in folds])),
        arguments={**shared.arguments(), "n_seeds": 1},
    )


def task_on(bed: Bed, family: Family, search: Search) -> Task:
    """What all candidates of a family share in a search on a bed.

    Raises:
        ParameterError: The family sets an argument that the bed sets for all.
    """
    cls = load_class(family.forecaster.class_path, NeuralForecaster)
    return Task(
        forecaster=cls,
        arguments=with_common(cls, family.forecaster.params, bed.arguments),
        market=bed.known,
        validation=bed.validation,
        search=search,
        trading=None,
    )


def single_evaluation(settings: SearchComparison, budget: int) -> Search:
    """A search of one trial: it gives a candidate evaluated by itself its budget."""
    return Search(
        strategy="random",
        budget=budget,
        trials=1,
        validation_fraction=settings.validation_fraction,
        cell_search=settings.contest.cell_search,
    )


def evaluated(
    task: Task,
    task_id: str,
    choices: Mapping[str, Any],
    seed: int,
    proxy: Proxy | None,
    cache: PieceCache,
) -> dict[str, Any]:
    """Score of one candidate, and what it cost; not worked out again if it is kept already.

    Args:
        task: What all candidates share.
        task_id: Its hash, see ``tuning.task_hash``.
        choices: The candidate.
        seed: Of everything random in its evaluation.
        proxy: Evaluate it the cheap way; None for in full.
        cache: Where finished evaluations are kept.

    Returns:
        ``score``, ``gradient_samples`` and ``seconds``.
    """
    way = None if proxy is None else proxy.model_dump(mode="json", exclude={"confirm"})

    def make() -> Bundle:
        started = time.perf_counter()
        proposal = Proposal(0, seed, dict(choices))
        outcome = (
            evaluate_candidate(task, proposal)
            if proxy is None
            else evaluate_by_proxy(task, proposal, proxy)
        )
        seconds = time.perf_counter() - started
        facts = {
            "score": outcome.score,
            "gradient_samples": outcome.gradient_samples,
            "seconds": seconds,
        }
        return Bundle({}, facts)

    return cache.get_or_make(content_hash("evaluated", task_id, choices, seed, way), make).facts


def fitted_r2(bed: Bed, task: Task, found: Mapping[str, Any], settings: Contest, seed: int) -> Any:
    """Out-of-sample R² of what a search found, fitted once to everything that was known."""
    plan: TrainingPlan = replace(task.arguments["training"], max_samples=settings.fit_budget)
    arguments = {**task.arguments, "training": plan, "seed": trial_seed(seed, 1)}
    forecaster = build_candidate(task.forecaster, arguments, found)
    forecaster.fit(bed.known)
    return bed.r2(forecaster.predict(bed.market, bed.decisions).mean)
