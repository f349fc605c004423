"""The outer search over macro choices: Gaussian-process Bayesian optimisation, or random.

Proposals are mixed with uniform exploration, so that on a finite space every candidate is
tried eventually; no convergence rate is claimed. Every sampler is seeded from (seed, trial
number) alone: a search that is broken off and asked again proposes the same candidates.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import optuna
from optuna.samplers import BaseSampler, GPSampler, RandomSampler

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.search.space import Space, suggest

Strategy = Literal["bayesian", "random"]


@dataclass(frozen=True)
class Proposal:
    """A candidate before it is evaluated.

    Attributes:
        number: Trial number, from 0.
        seed: Seed of everything random in its evaluation.
        choices: A value for every dimension of the space.
    """

    number: int
    seed: int
    choices: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """A candidate after it was evaluated.

    Attributes:
        score: Validation error over that of the no-change forecast; lower is better.
        parameters: Constructor arguments that rebuild the candidate.
        gradient_samples: Asset windows that passed through a loss.
        returns: Net portfolio returns on the validation dates, (V,).
        facts: Anything else worth keeping, as JSON values.
    """

    score: float
    parameters: dict[str, Any]
    gradient_samples: int
    returns: np.ndarray
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """A proposal and what came of it."""

    proposal: Proposal
    outcome: Outcome


@dataclass(frozen=True)
class OuterSettings:
    """How the outer search proceeds.

    Attributes:
        strategy: ``bayesian`` or ``random``.
        trials: Candidates that are evaluated.
        start_up: Random candidates before the Gaussian process proposes.
        exploration: Probability of a uniform proposal after that.
        batch: Candidates proposed at once. It is part of the method, not of the machine: results
            do not depend on the number of processes.
    """

    strategy: Strategy
    trials: int
    start_up: int
    exploration: float
    batch: int


def trial_seed(seed: int, number: int) -> int:
    """The seed of one trial."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def run_search(
    space: Space,
    evaluate: Callable[[Sequence[Proposal]], Sequence[Outcome]],
    settings: OuterSettings,
    *,
    seed: int,
) -> list[Trial]:
    """Propose, evaluate and learn until every trial is spent.

    Args:
        space: What may be chosen.
        evaluate: Scores a batch of proposals, in order.
        settings: Strategy and number of trials.
        seed: Seed of all proposals.

    Returns:
        Every trial, in order of its number.

    Raises:
        ParameterError: The space is empty.
    """
    if not space:
        raise ParameterError("the search space has no dimension; name at least one choice.")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="minimize")
    finished: list[Trial] = []
    while len(finished) < settings.trials:
        first = len(finished)
        numbers = range(first, min(first + settings.batch, settings.trials))
        asked = []
        for number in numbers:
            study.sampler = _sampler(settings, seed, number)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                trial = study.ask()
                choices = suggest(trial, space)
            asked.append((trial, Proposal(number, trial_seed(seed, number), choices)))
        outcomes = evaluate([proposal for _, proposal in asked])
        for (trial, proposal), outcome in zip(asked, outcomes, strict=True):
            study.tell(trial, outcome.score)
            finished.append(Trial(proposal, outcome))
    return finished


def best_trial(trials: Sequence[Trial]) -> Trial:
    """The trial with the lowest score; the earliest of equals."""
    return min(trials, key=lambda trial: (trial.outcome.score, trial.proposal.number))


def _sampler(settings: OuterSettings, seed: int, number: int) -> BaseSampler:
    own = trial_seed(seed, number)
    explore = np.random.default_rng(own).random() < settings.exploration
    if settings.strategy == "random" or number < settings.start_up or explore:
        return RandomSampler(seed=own)
    return GPSampler(seed=own, n_startup_trials=1)
