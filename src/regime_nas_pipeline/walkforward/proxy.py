"""Cheaper evaluations of candidates: less data, fewer samples, fewer features, shorter windows.

A search may look at every candidate through a proxy first and evaluate only the best of them in
full. What that saves is certain; what it costs depends on how far the two rankings agree, which
``walkforward.comparison`` measures.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.search.outer import Outcome, Proposal, Trial
from regime_nas_pipeline.search.space import Space
from regime_nas_pipeline.search.trials import PROXY
from regime_nas_pipeline.walkforward.candidates import Task, evaluate_candidate
from regime_nas_pipeline.walkforward.search_parameters import Proxy


def check_proxy(task: Task, space: Space, proxy: Proxy) -> None:
    """Refuse a proxy that has no effect on this forecaster, or hides what is searched.

    Raises:
        ParameterError: Names the setting.
    """
    name = task.forecaster.__name__
    known = inspect.signature(task.forecaster).parameters
    if proxy.timeframes is not None:
        if "timeframes" in space:
            raise ParameterError(
                f"proxy.timeframes would hide what the space of {name} searches; set it to null."
            )
        features = task.arguments.get("features", known["features"].default)
        if features != "engineered":
            raise ParameterError(
                f"proxy.timeframes has no effect on {name} with features '{features}'; set it to "
                "null."
            )


def proxy_task(task: Task, proxy: Proxy) -> Task:
    """The same search on less: its market starts later, and every candidate's share is smaller.

    Validation decisions stay the same, so that proxy scores and full scores judge the same bars.

    Args:
        task: The full evaluation.
        proxy: What is made smaller.
    """
    n_training = task.market.position(task.validation.fit_end) + 1
    first = n_training - max(1, int(proxy.data * n_training))
    market = task.market.slice(first, len(task.market.dates))
    trials = task.search.trials
    share = int(proxy.budget * (task.search.budget // trials))
    arguments = dict(task.arguments)
    if proxy.timeframes is not None:
        arguments["timeframes"] = proxy.timeframes
    return replace(
        task,
        market=market,
        arguments=arguments,
        search=task.search.model_copy(update={"budget": share * trials}),
    )


def evaluate_by_proxy(task: Task, proposal: Proposal, proxy: Proxy) -> Outcome:
    """Build, train and score one candidate the cheap way.

    Args:
        task: The full evaluation.
        proposal: The candidate.
        proxy: What is made smaller. A lookback that is shorter already stays as it is.

    Returns:
        Its outcome, with the fact ``proxy``. Its parameters are those that a full evaluation
        would have, lookback included.
    """
    smaller = proxy_task(task, proxy)
    if proxy.lookback is None:
        outcome = evaluate_candidate(smaller, proposal)
    else:
        signature = inspect.signature(task.forecaster).parameters
        usual = {"lookback": signature["lookback"].default, **task.arguments, **proposal.choices}
        shorter = min(int(usual["lookback"]), proxy.lookback)
        smaller.arguments["lookback"] = shorter
        choices = {
            name: shorter if name == "lookback" else value
            for name, value in proposal.choices.items()
        }
        outcome = evaluate_candidate(smaller, replace(proposal, choices=choices))
        if "lookback" in choices:
            full = {**outcome.parameters, "lookback": proposal.choices["lookback"]}
            outcome = replace(outcome, parameters=full)
    return replace(outcome, facts={**outcome.facts, PROXY: True})


def to_confirm(trials: Sequence[Trial], proxy: Proxy) -> list[Proposal]:
    """The best candidates by proxy score, as proposals of a full evaluation.

    Numbers go on after those of the search; seeds stay, so that a candidate differs from its
    proxy by the evaluation alone. A candidate that was tried several times is confirmed once.

    Args:
        trials: Evaluated by proxy.
        proxy: How many are confirmed.
    """
    ordered = sorted(trials, key=lambda trial: (trial.outcome.score, trial.proposal.number))
    chosen: list[Trial] = []
    for trial in ordered:
        seen = any(
            trial.proposal.choices == other.proposal.choices
            and trial.outcome.parameters == other.outcome.parameters
            for other in chosen
        )
        if not seen and len(chosen) < proxy.confirm:
            chosen.append(trial)
    return [
        replace(trial.proposal, number=len(trials) + place) for place, trial in enumerate(chosen)
    ]
