"""What a search proposes, what comes of it, and how the outer search is set up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

import numpy as np

from regime_nas_pipeline.core.errors import ParameterError

Strategy = Literal["bayesian", "evolutionary", "reinforce", "differentiable", "random"]
ObjectiveName = Literal["error", "parameters", "latency", "lipschitz"]
OBJECTIVES: tuple[str, ...] = get_args(ObjectiveName)
"""What may steer a search; less is better of each. ``error`` is the score."""


@dataclass(frozen=True)
class Proposal:
    """A candidate before it is evaluated.

    Attributes:
        number: Trial number, from 0.
        seed: Seed of everything random in its evaluation.
        choices: A value for every dimension of the space.
        cut_off: Validation error above which its training stops at the rung, see
            ``search.halving``; None where it goes on in any case.
    """

    number: int
    seed: int
    choices: dict[str, Any]
    cut_off: float | None = None


@dataclass(frozen=True)
class Outcome:
    """A candidate after it was evaluated.

    Attributes:
        score: Validation error over that of the no-change forecast; lower is better.
        parameters: Constructor arguments that rebuild the candidate.
        gradient_samples: Asset windows that passed through a loss.
        returns: Net portfolio returns on the validation dates, (V,).
        facts: Anything else worth keeping, as JSON values.
        objectives: Other quantities of which less is better: ``parameters`` (weights),
            ``latency`` (milliseconds a forecast), ``lipschitz`` (certified constant). None or a
            value that is not finite where a candidate cannot give one.
    """

    score: float
    parameters: dict[str, Any]
    gradient_samples: int
    returns: np.ndarray
    facts: dict[str, Any] = field(default_factory=dict)
    objectives: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """A proposal and what came of it."""

    proposal: Proposal
    outcome: Outcome


@dataclass(frozen=True)
class EvolutionSettings:
    """How the evolutionary strategy breeds.

    Attributes:
        population: Candidates that may become parents: the best of all that were evaluated.
        tournament: Candidates drawn from the population for each parent; the best of them wins.
        crossover: Probability of a second parent.
        local: Probability that a number moves to a value close by and is not drawn anew.
    """

    population: int = 6
    tournament: int = 3
    crossover: float = 0.5
    local: float = 0.7


@dataclass(frozen=True)
class ControllerSettings:
    """How the controller of the reinforcement-learning strategy learns.

    Attributes:
        hidden: Units of its recurrent cell.
        learning_rate: Adam's.
        entropy: Weight of the policy's entropy in what it maximises.
        baseline: Weight of the past in the moving average of rewards.
        grid: Quantiles of an interval that it chooses among.
    """

    hidden: int = 32
    learning_rate: float = 0.05
    entropy: float = 0.01
    baseline: float = 0.8
    grid: int = 8


@dataclass(frozen=True)
class SurrogateSettings:
    """How predicted scores sift proposals; see ``search.surrogate``.

    Attributes:
        pool: Proposals of which the best predicted one is evaluated.
        after: Trials with an outcome before scores are predicted.
    """

    pool: int = 16
    after: int = 6


@dataclass(frozen=True)
class HalvingSettings:
    """When candidates are judged, and how many go on; see ``search.halving``.

    Attributes:
        rung: Part of a candidate's training after which it is judged.
        eta: One of so many goes on.
    """

    rung: float = 1 / 3
    eta: int = 3


@dataclass(frozen=True)
class OuterSettings:
    """How the outer search proceeds.

    Attributes:
        strategy: ``bayesian``, ``evolutionary``, ``reinforce``, ``differentiable`` (the same
            macro choices in every trial) or ``random``.
        trials: Candidates that are evaluated.
        start_up: Uniform candidates before a strategy that learns proposes.
        exploration: Probability of a uniform proposal after that.
        batch: Trials that may be under way at once: the proposal of trial n sees the outcomes of
            trials up to n - ``batch``. It is part of the method, not of the machine: results do
            not depend on the number of processes. With as many processes it keeps all but one
            busy while a proposal is computed, with one more all of them.
        objectives: What steers the strategy, of ``OBJECTIVES``; Pareto ranking where several.
        evolution: Of the evolutionary strategy.
        controller: Of the reinforcement-learning strategy.
        surrogate: Sifts the proposals of another strategy than ``bayesian``; None for no sifting.
        halving: Stops candidates that are behind; None for none.

    Raises:
        ParameterError: No objective, an unknown one, or the same twice.
    """

    strategy: Strategy
    trials: int
    start_up: int
    exploration: float
    batch: int
    objectives: tuple[str, ...] = ("error",)
    evolution: EvolutionSettings = EvolutionSettings()
    controller: ControllerSettings = ControllerSettings()
    surrogate: SurrogateSettings | None = None
    halving: HalvingSettings | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.objectives if name not in OBJECTIVES]
        if not self.objectives or unknown or len(set(self.objectives)) < len(self.objectives):
            raise ParameterError(
                f"objectives {list(self.objectives)}: name one or more of "
                f"{', '.join(OBJECTIVES)}, each once."
            )


class Proposer(Protocol):
    """A search strategy.

    A proposal depends on the space, the settings, the seed and the arguments of ``propose``
    alone, so that a search which was broken off and is asked again proposes the same.
    """

    def propose(
        self, number: int, history: Sequence[Trial], pending: Sequence[Proposal]
    ) -> dict[str, Any]:
        """The choices of one trial.

        Args:
            number: Trial number.
            history: Every trial up to ``number - batch``, in order of its number.
            pending: The proposals between them and this one: known, but not their outcome.
        """


def trial_seed(seed: int, number: int) -> int:
    """The seed of one trial."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def own_generator(seed: int, number: int, purpose: int) -> np.random.Generator:
    """Random numbers of one trial for one purpose, independent of all others."""
    return np.random.default_rng([trial_seed(seed, number), purpose])


PROXY = "proxy"
"""Fact of an outcome that says it comes from a cheaper evaluation, which decides nothing."""
STOPPED = "stopped_at"
"""Fact of an outcome whose training was stopped: gradient samples spent by then."""


def best_trial(trials: Sequence[Trial]) -> Trial:
    """The trial with the lowest score; the earliest of equals.

    Trials that were stopped count only where none was finished, and proxy evaluations only where
    there are no others.
    """
    return min(trials, key=_standing)


def is_full(facts: Mapping[str, Any]) -> bool:
    """Whether an evaluation with these facts was a full one, neither by proxy nor stopped."""
    return not facts.get(PROXY) and STOPPED not in facts


def _standing(trial: Trial) -> tuple[bool, bool, float, int]:
    facts = trial.outcome.facts
    score = _worst_if_unknown(trial.outcome.score)
    return bool(facts.get(PROXY)), STOPPED in facts, score, trial.proposal.number


def objective_values(trials: Sequence[Trial], names: Sequence[str]) -> np.ndarray:
    """What steers the search, trials × objectives; infinity where a candidate gave no value.

    Raises:
        ParameterError: An evaluation says nothing at all about an objective.
    """
    table = np.empty((len(trials), len(names)))
    for row, trial in enumerate(trials):
        known = {**trial.outcome.objectives, "error": trial.outcome.score}
        for column, name in enumerate(names):
            if name not in known:
                raise ParameterError(
                    f"objective '{name}' is not among what an evaluation gives: "
                    f"{', '.join(sorted(known))}; leave it out of objectives."
                )
            table[row, column] = _worst_if_unknown(known[name])
    return table


def _worst_if_unknown(value: float | None) -> float:
    return math.inf if value is None or math.isnan(value) else float(value)
