"""The outer search over macro choices, by any strategy.

Every strategy starts with uniform proposals and is mixed with uniform exploration, so that on a
finite space every candidate is tried eventually; no convergence rate is claimed.

Trials are a stream. The proposal of trial n is a function of (seed, n) and of the trials numbered
n - ``batch`` and below, whichever others have finished by then. So up to ``batch`` trials are under
way at once, none waits for a whole group of others to end, and a search has the same bits on any
number of processes, or when it was broken off and asked again.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from regime_nas_pipeline.core.cache import PieceCounts, count_pieces
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.search.bayesian import BayesianProposer
from regime_nas_pipeline.search.evolutionary import EvolutionaryProposer
from regime_nas_pipeline.search.halving import cut_off
from regime_nas_pipeline.search.random_search import FixedProposer, RandomProposer
from regime_nas_pipeline.search.reinforce import ReinforceProposer
from regime_nas_pipeline.search.space import Space, check_space
from regime_nas_pipeline.search.storage import TrialJournal, open_journal
from regime_nas_pipeline.search.surrogate import SurrogateProposer
from regime_nas_pipeline.search.trials import (
    Outcome,
    OuterSettings,
    Proposal,
    Proposer,
    Strategy,
    Trial,
    best_trial,
    objective_values,
    trial_seed,
)
from regime_nas_pipeline.search.tried import Candidates, Canonical

__all__ = [
    "Outcome",
    "OuterSettings",
    "Progress",
    "Proposal",
    "Strategy",
    "Trial",
    "best_trial",
    "make_proposer",
    "run_search",
    "trial_seed",
]


Evaluate = Callable[[Iterator[Proposal]], Iterable[Outcome]]
"""Scores proposals and gives their outcomes in the same order, each as soon as it is there.

A proposal is computed when it is taken, and proposal n cannot be taken before outcome n - ``batch``
was given: see ``core.parallel.parallel_flow``, whose ``ahead`` is ``batch``."""


@dataclass(frozen=True)
class Progress:
    """How far a search is.

    Attributes:
        finished: Trials with an outcome.
        total: Trials that the search will have.
        best: Lowest score so far.
        per_minute: Trials evaluated per minute; None before the first was evaluated here.
        seconds_left: What the others will take at that rate; None likewise.
    """

    finished: int
    total: int
    best: float
    per_minute: float | None
    seconds_left: float | None


def run_search(
    space: Space,
    evaluate: Evaluate,
    settings: OuterSettings,
    *,
    seed: int,
    storage: Path | None = None,
    search_id: str = "",
    defaults: Mapping[str, Any] | None = None,
    canonical: Canonical | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[Trial]:
    """Propose, evaluate and learn until every trial is spent.

    Args:
        space: What may be chosen.
        evaluate: Scores proposals, see ``Evaluate``. Each outcome is stored as it comes.
        settings: Strategy and number of trials.
        seed: Seed of all proposals.
        storage: File that keeps finished trials, see ``storage``; trials that it holds already
            are not evaluated again. None to keep them in memory alone.
        search_id: Hash of whatever else the outcomes depend on; kept in ``storage``.
        defaults: The choices of the ``differentiable`` strategy.
        canonical: Gives choices that build the same candidate one spelling, so that none is tried
            twice under two names.
        on_progress: Called after every outcome, and once at first if ``storage`` held any.

    Returns:
        Every trial, in order of its number.

    Raises:
        ParameterError: The space is empty, the defaults are absent or no candidate, an evaluation
            lacks an objective, or ``storage`` belongs to another search or is in use.
        DataError: ``storage`` is damaged.
        ValueError: ``evaluate`` gave more or fewer outcomes than it took proposals, or took one
            before the outcomes that it depends on were given.
    """
    proposer = make_proposer(space, settings, seed=seed, defaults=defaults, canonical=canonical)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    opened = (
        nullcontext()
        if storage is None
        else open_journal(storage, space, settings, seed=seed, search_id=search_id)
    )
    with opened as journal:
        run = _Run(proposer, settings, seed, journal, on_progress)
        run.go_on(evaluate)
    return run.finished


def make_proposer(
    space: Space,
    settings: OuterSettings,
    *,
    seed: int,
    defaults: Mapping[str, Any] | None = None,
    canonical: Canonical | None = None,
) -> Proposer:
    """The strategy that ``settings`` name, with its start-up and exploration.

    Args:
        space: What may be chosen.
        settings: Strategy and its settings.
        seed: Seed of all proposals.
        defaults: The choices of the ``differentiable`` strategy.
        canonical: Gives choices that build the same candidate one spelling.

    Raises:
        ParameterError: The space is empty, the strategy is unknown or goes with no surrogate, or
            the defaults are absent or no candidate.
    """
    check_space(space)
    if settings.surrogate is not None and settings.strategy in {"bayesian", "differentiable"}:
        raise ParameterError(
            f"strategy {settings.strategy} goes with no surrogate: bayesian has its own, and "
            "differentiable proposes one candidate only. Set surrogate to null, or strategy to "
            "evolutionary, reinforce or random."
        )
    if settings.strategy == "differentiable":
        if defaults is None:
            raise ParameterError("strategy differentiable needs a default for every dimension.")
        return FixedProposer(space, defaults)
    candidates = Candidates(space, canonical)
    uniform = RandomProposer(candidates, seed)
    if settings.strategy == "random":
        if settings.surrogate is None:
            return uniform
        sifted = SurrogateProposer(uniform, candidates, settings)
        return _Exploring(sifted, uniform, settings, seed)
    learners: dict[str, Callable[[Candidates, OuterSettings, int], Proposer]] = {
        "bayesian": BayesianProposer,
        "evolutionary": EvolutionaryProposer,
        "reinforce": ReinforceProposer,
    }
    if settings.strategy not in learners:
        raise ParameterError(
            f"strategy '{settings.strategy}' is unknown; there are: differentiable, random, "
            f"{', '.join(learners)}."
        )
    learner = learners[settings.strategy](candidates, settings, seed)
    if settings.surrogate is not None:
        learner = SurrogateProposer(learner, candidates, settings)
    return _Exploring(learner, uniform, settings, seed)


class _Exploring:
    """Uniform proposals at first and now and then, else those of a strategy that learns."""

    def __init__(
        self, learner: Proposer, uniform: Proposer, settings: OuterSettings, seed: int
    ) -> None:
        self._learner, self._uniform = learner, uniform
        self._settings, self._seed = settings, seed

    def propose(
        self, number: int, history: Sequence[Trial], pending: Sequence[Proposal]
    ) -> dict[str, Any]:
        explore = np.random.default_rng(trial_seed(self._seed, number)).random()
        uniform = number < self._settings.start_up or explore < self._settings.exploration
        chosen = self._uniform if uniform else self._learner
        return chosen.propose(number, history, pending)


class _Run:
    """The trials so far, where they are kept, and who is told."""

    def __init__(
        self,
        proposer: Proposer,
        settings: OuterSettings,
        seed: int,
        journal: TrialJournal | None,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._proposer, self._settings, self._seed = proposer, settings, seed
        self._journal, self._on_progress = journal, on_progress
        self.finished = journal.trials[: settings.trials] if journal else []
        self._restored = len(self.finished)
        self._proposed = [trial.proposal for trial in self.finished]
        self._started: list[dt.datetime] = []
        self._began = time.monotonic()
        count_pieces(PieceCounts(reused=self._restored))
        if self.finished:
            self._tell()

    def go_on(self, evaluate: Evaluate) -> None:
        """Spend the trials that are left.

        Raises:
            ValueError: The evaluation keeps no count.
        """
        if len(self.finished) >= self._settings.trials:
            return
        for outcome in evaluate(self._proposals()):
            if len(self.finished) == len(self._proposed):
                raise ValueError("the evaluation is longer than the proposals that it took.")
            self._take(self._proposed[len(self.finished)], outcome)
        if len(self.finished) < self._settings.trials:
            raise ValueError("the evaluation is shorter than the trials that there are.")

    def _proposals(self) -> Iterator[Proposal]:
        """The proposals that are left, each computed when it is taken."""
        for number in range(self._restored, self._settings.trials):
            known = max(0, number - self._settings.batch + 1)
            if len(self.finished) < known:
                raise ValueError(
                    f"the evaluation took proposal {number} before it gave outcome {known - 1}; "
                    f"it must not be more than {self._settings.batch} ahead."
                )
            # What has finished beyond is not shown: it depends on who was quick.
            history, pending = self.finished[:known], self._proposed[known:]
            choices = self._proposer.propose(number, history, pending)
            halving = self._settings.halving
            limit = None if halving is None else cut_off(history, halving.eta)
            seed = trial_seed(self._seed, number)
            self._proposed.append(Proposal(number, seed, choices, limit))
            self._started.append(dt.datetime.now())
            yield self._proposed[-1]

    def _take(self, proposal: Proposal, outcome: Outcome) -> None:
        trial = Trial(proposal, outcome)
        objective_values([trial], self._settings.objectives)
        if self._journal:
            started = self._started[proposal.number - self._restored]
            trial = self._journal.add(proposal, outcome, started)
        self.finished.append(trial)
        self._tell()

    def _tell(self) -> None:
        if self._on_progress is None:
            return
        finished, total = len(self.finished), self._settings.trials
        passed, here = time.monotonic() - self._began, finished - self._restored
        rate = here / passed if here and passed > 0 else None
        self._on_progress(
            Progress(
                finished=finished,
                total=total,
                best=best_trial(self.finished).outcome.score,
                per_minute=None if rate is None else 60.0 * rate,
                seconds_left=None if rate is None else (total - finished) / rate,
            )
        )
