"""A small finite space, a continuous one, and evaluations that need no training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from regime_nas_pipeline.search.outer import Outcome, OuterSettings, Proposal, Trial
from regime_nas_pipeline.search.space import Interval, Options, Space

FINITE: Space = {
    "width": Options(options=(8, 16, 32, 64)),
    "nodes": Options(options=(1, 2, 3)),
    "head": Options(options=("linear", "gru", "lstm")),
}
CONTINUOUS: Space = {
    "x": Interval(low=0.0, high=1.0),
    "rate": Interval(low=1e-4, high=1e-1, log=True),
    "layers": Interval(low=1, high=5, integer=True),
    "head": Options(options=("linear", "gru")),
}
LEARNERS = ("bayesian", "evolutionary", "reinforce")


def settings(strategy: Any, trials: int = 8, **changes: Any) -> OuterSettings:
    common = {"start_up": 2, "exploration": 0.0, "batch": 2}
    return OuterSettings(strategy=strategy, trials=trials, **{**common, **changes})


def outcome(score: float, **objectives: float | None) -> Outcome:
    return Outcome(
        score=score,
        parameters={},
        gradient_samples=1,
        returns=np.zeros(2),
        objectives=dict(objectives),
    )


def cost(choices: dict[str, Any]) -> float:
    """Numbers are best small, names best late in the alphabet."""
    return sum(
        -0.1 * ord(value[0]) if isinstance(value, str) else float(np.log1p(value))
        for value in choices.values()
    )


def evaluate(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
    return (outcome(cost(proposal.choices)) for proposal in proposals)


def trials_of(
    choices: Sequence[dict[str, Any]], score: Callable[[dict[str, Any]], float] = cost
) -> list[Trial]:
    return [
        Trial(Proposal(number, number, each), outcome(score(each)))
        for number, each in enumerate(choices)
    ]


def choices_of(trials: Sequence[Trial]) -> list[tuple[Any, ...]]:
    return [tuple(trial.proposal.choices.values()) for trial in trials]
