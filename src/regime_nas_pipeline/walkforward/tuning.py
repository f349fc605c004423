"""The two-level search on the data before the first out-of-sample day, for any forecaster.

Candidates are trained on the first part of that data and scored on its purged last part. For
``regime_nas`` a candidate is a set of macro choices whose cells are found by gradient first; for
other forecasters it is the macro choices alone. The budget in gradient samples is the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache, code_version, content_hash
from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.parallel import parallel_flow
from regime_nas_pipeline.forecasters.base import Forecaster
from regime_nas_pipeline.forecasters.neural import NeuralForecaster
from regime_nas_pipeline.forecasters.options import option_of_timeframes
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.objective import Objective
from regime_nas_pipeline.networks.training import TrainingPlan, resolved
from regime_nas_pipeline.search.gene_space import canonical
from regime_nas_pipeline.search.halving import spared
from regime_nas_pipeline.search.outer import (
    Outcome,
    Progress,
    Proposal,
    Trial,
    best_trial,
    run_search,
)
from regime_nas_pipeline.search.space import Options, Space
from regime_nas_pipeline.walkforward.candidates import (
    Task,
    ValidationPlan,
    bundled_outcome,
    evaluate_candidate,
    outcome_bundle,
)
from regime_nas_pipeline.walkforward.feasibility import (
    check_budget,
    check_combinations,
    finds_cells,
)
from regime_nas_pipeline.walkforward.forecasts import class_content, market_content
from regime_nas_pipeline.walkforward.proxy import check_proxy, evaluate_by_proxy, to_confirm
from regime_nas_pipeline.walkforward.search_parameters import Proxy

NOT_SEARCHED = {"horizon", "execution_lag", "training", "n_seeds", "seed", "device", "objective"}
"""Arguments that a whole run shares: searching over one of them would score candidates on
different questions, or let them spend more than their share of the budget. Weights of the
objective are searched by their own names."""

BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} trials [{elapsed}{postfix}]"

BUILT = {"blocks", "genes"}
"""Arguments that a search builds and that no dimension can be."""


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

    With ``efficiency.proxy`` the trials of the search are proxy evaluations, with the fact
    ``proxy``, and the full evaluations of the best follow them. ``search.outer.best_trial`` knows
    the difference.

    Finished trials are kept in the cache's folder, each as it finishes, in a journal that
    Optuna's own tools can read: a search that is broken off and asked again goes on.

    Args:
        task: What all candidates share.
        space: What may be chosen.
        seed: Seed of the search.
        cache: Where finished trials are kept.
        n_jobs: Processes; no more than ``search.batch`` of them are of use.
        name: What the progress bar says; no bar where empty.

    Raises:
        ParameterError: A dimension is not an argument of the forecaster, the budget does not pay
            for the trials, the proxy does not fit, a candidate of the space cannot be built, or
            the journal belongs to another search.
        DataError: The journal is damaged.
    """
    _check(task, space)
    proxy = task.search.efficiency.proxy
    search_id = _search_id(task, space, seed)
    total = task.search.trials + (proxy.confirm if proxy is not None else 0)
    with tqdm(total=total, desc=name, bar_format=BAR, disable=not name, miniters=1) as bar:

        def evaluate(
            proposals: Iterable[Proposal], proxy: Proxy | None = proxy
        ) -> Iterator[Outcome]:
            pieces = parallel_flow(
                _trial_piece,
                ((proposal,) for proposal in proposals),
                ahead=task.search.batch,
                shared=(task, proxy, search_id, cache),
                n_jobs=n_jobs,
            )
            return map(bundled_outcome, pieces)

        def show(progress: Progress) -> None:
            bar.set_postfix_str(describe(progress), refresh=False)
            bar.update(progress.finished - bar.n)

        trials = run_search(
            space,
            evaluate,
            task.search.outer(),
            seed=seed,
            storage=_journal(cache, search_id),
            search_id=search_id,
            defaults=default_choices(task, space),
            canonical=canonical if "layer1_type" in space else None,
            on_progress=show,
        )
        if proxy is not None:
            confirmed = to_confirm(trials, proxy)
            for proposal, outcome in zip(confirmed, evaluate(confirmed, None), strict=True):
                trials = [*trials, Trial(proposal, outcome)]
                bar.update()
    return trials, search_id


def search_facts(trials: list[Trial], search_id: str, task: Task) -> dict[str, Any]:
    """How a candidate was found, as JSON values.

    With ``efficiency.halving`` also how many trials were ``stopped`` and the gradient samples that
    this left ``unspent``.
    """
    best = best_trial(trials)
    return {
        **({} if task.search.efficiency.halving is None else spared(trials)),
        "search_id": search_id,
        "strategy": task.search.strategy,
        "trials": len(trials),
        "best_trial": best.proposal.number,
        "score": best.outcome.score,
        "gradient_samples": sum(trial.outcome.gradient_samples for trial in trials),
        "last_date_seen": date_text(task.market.dates[-1], task.market.dates),
        "facts": best.outcome.facts,
    }


def _check(task: Task, space: Space) -> None:
    """Refuse what cannot be searched, before anything is trained."""
    check_space(task.forecaster, space)
    check_combinations(task.forecaster, task.arguments, space)
    training = task.arguments.get("training", TrainingPlan())
    check_budget(
        task.search,
        training.batch_dates,
        len(task.market.assets),
        cells=finds_cells(task.forecaster, space),
    )
    if task.search.efficiency.proxy is not None:
        check_proxy(task, space, task.search.efficiency.proxy)


def describe(progress: Progress) -> str:
    """What the progress bar says of a search."""
    said = f"best {progress.best:.4f} of no change"
    if progress.per_minute is None or progress.seconds_left is None:
        return said
    left = tqdm.format_interval(progress.seconds_left)
    return f"{said}, {progress.per_minute:.1f} trials/min, {left} left"


def _journal(cache: PieceCache, search_id: str) -> Path | None:
    if cache.directory is None:
        return None
    return Path(cache.directory) / "searches" / f"{search_id}.log"


def default_choices(task: Task, space: Space) -> dict[str, Any]:
    """What the forecaster would be without a search, as far as the space allows it.

    Where its default is not among the options, the middle one stands in; where it is outside of
    an interval, the nearer end.
    """
    known = {
        name: parameter.default
        for name, parameter in inspect.signature(task.forecaster).parameters.items()
    }
    known |= task.arguments
    objective = known.pop("objective")
    known |= vars(objective) if isinstance(objective, Objective) else objective
    if "timeframes" in known:
        known["timeframes"] = option_of_timeframes(known["timeframes"])
    chosen = {}
    for name, dimension in space.items():
        default = known.get(name)
        if isinstance(dimension, Options):
            options = dimension.options
            chosen[name] = default if default in options else options[len(options) // 2]
        else:
            low, high = dimension.low, dimension.high
            number = default if isinstance(default, int | float) else (low * high) ** 0.5
            value = min(max(number, low), high)
            chosen[name] = int(value) if dimension.integer else float(value)
    return chosen


def _search_id(task: Task, space: Space, seed: int) -> str:
    """Hash of everything that a search depends on."""
    dimensions = {key: dimension.model_dump(mode="json") for key, dimension in space.items()}
    return content_hash(task_hash(task), dimensions, seed)


def task_hash(task: Task) -> str:
    """Hash of everything that the evaluation of a candidate depends on but the candidate."""
    trading: list[Any] = []
    if task.trading is not None:
        allocator = task.trading.allocator
        trading = [
            class_content(type(allocator)),
            {key: str(value) for key, value in allocator.get_params().items()},
            repr(task.trading.rules),
        ]
    return content_hash(
        code_version(),
        task.search.model_dump(mode="json"),
        {key: str(value) for key, value in resolved(task.arguments).items()},
        class_content(task.forecaster),
        trading,
        [date.isoformat() for date in (task.validation.fit_end, *task.validation.decisions)],
        *market_content(task.market),
    )


def check_space(forecaster: type[Forecaster], space: Space) -> None:
    """Refuse a dimension that is no argument of ``forecaster`` or is shared by the whole run.

    Raises:
        ParameterError: Names the dimension and those that there are.
    """
    allowed = set(inspect.signature(forecaster).parameters) - NOT_SEARCHED - BUILT
    if issubclass(forecaster, NeuralForecaster):
        allowed |= forecaster.search_dimensions()
    unknown = sorted(set(space) - allowed)
    if unknown:
        raise ParameterError(
            f"search space of {forecaster.__name__}: no argument that can be searched is "
            f"called {', '.join(map(repr, unknown))}; there are: {', '.join(sorted(allowed))}."
        )


def _trial_piece(
    task: Task, proxy: Proxy | None, search_id: str, cache: PieceCache, proposal: Proposal
) -> Bundle:
    asked = (proposal.number, proposal.seed, proposal.choices, proposal.cut_off)
    key = content_hash(search_id, *asked)
    if proxy is not None:
        return cache.get_or_make(
            key, lambda: outcome_bundle(evaluate_by_proxy(task, proposal, proxy))
        )
    return cache.get_or_make(key, lambda: outcome_bundle(evaluate_candidate(task, proposal)))
