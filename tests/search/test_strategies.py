"""What every strategy must do, whatever it learns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from outer_samples import (
    CONTINUOUS,
    FINITE,
    LEARNERS,
    choices_of,
    cost,
    evaluate,
    outcome,
    settings,
    trials_of,
)

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.search.outer import Outcome, Proposal, make_proposer, run_search
from regime_nas_pipeline.search.space import Interval, Options, Space, check_choices
from regime_nas_pipeline.search.trials import Strategy

ALL: tuple[Strategy, ...] = (*LEARNERS, "random")
SMALL: Space = {"n": Options(options=(1, 2, 3)), "head": Options(options=("a", "b"))}


@pytest.mark.parametrize("strategy", LEARNERS)
@pytest.mark.parametrize("space", [FINITE, CONTINUOUS], ids=["finite", "continuous"])
def test_a_proposal_is_a_function_of_its_arguments(strategy: Strategy, space: Space) -> None:
    trials = run_search(space, evaluate, settings(strategy), seed=3)
    fresh = make_proposer(space, settings(strategy), seed=3)
    # One that has seen nothing, asked from the last to the first, proposes the same again.
    for number in reversed(range(8)):
        first = max(0, number - 1)
        pending = [trial.proposal for trial in trials[first:number]]
        found = fresh.propose(number, trials[:first], pending)
        assert found == trials[number].proposal.choices
        assert list(found) == list(space)
        check_choices(space, found)


@pytest.mark.parametrize("strategy", LEARNERS)
def test_what_was_learned_changes_what_is_proposed(strategy: Strategy) -> None:
    def turned(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
        return (outcome(-cost(proposal.choices)) for proposal in proposals)

    down = choices_of(run_search(CONTINUOUS, evaluate, settings(strategy, 10), seed=1))
    up = choices_of(run_search(CONTINUOUS, turned, settings(strategy, 10), seed=1))
    assert down[:2] == up[:2]
    assert down[2:] != up[2:]


@pytest.mark.parametrize("strategy", ALL)
@pytest.mark.parametrize("batch", [1, 4])
def test_no_candidate_twice_while_another_was_not_tried(strategy: Strategy, batch: int) -> None:
    trials = run_search(SMALL, evaluate, settings(strategy, 9, batch=batch), seed=0)
    found = choices_of(trials)
    assert len(set(found[:6])) == 6
    assert len(set(found[6:])) == 3


@pytest.mark.parametrize("strategy", LEARNERS)
def test_exploring_always_is_random_search(strategy: Strategy) -> None:
    random = run_search(CONTINUOUS, evaluate, settings("random"), seed=4)
    always = run_search(CONTINUOUS, evaluate, settings(strategy, exploration=1.0), seed=4)
    never = run_search(CONTINUOUS, evaluate, settings(strategy, exploration=0.0), seed=4)
    assert choices_of(always) == choices_of(random)
    assert choices_of(never)[:2] == choices_of(random)[:2]
    assert choices_of(never)[2:] != choices_of(random)[2:]


@pytest.mark.parametrize("strategy", ALL)
@pytest.mark.parametrize("start_up", [0, 2])
def test_a_space_of_one_candidate(strategy: Strategy, start_up: int) -> None:
    space: Space = {"head": Options(options=("gru",)), "rate": Interval(low=0.1, high=0.1)}
    trials = run_search(space, evaluate, settings(strategy, 4, start_up=start_up), seed=0)
    assert choices_of(trials) == [("gru", 0.1)] * 4


@pytest.mark.parametrize("strategy", LEARNERS)
def test_scores_that_are_no_numbers_do_not_stop_a_search(strategy: Strategy) -> None:
    def fails(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
        bad = [float("nan"), float("inf"), 1.0]
        return (outcome(bad[proposal.number % 3]) for proposal in proposals)

    assert len(run_search(CONTINUOUS, fails, settings(strategy), seed=0)) == 8
    no_number = trials_of([dict(zip(FINITE, (8, 1, "gru"), strict=True))], lambda _: float("nan"))
    proposer = make_proposer(FINITE, settings(strategy, start_up=0, batch=1), seed=0)
    check_choices(FINITE, proposer.propose(1, no_number, []))


@pytest.mark.parametrize("strategy", ["evolutionary", "reinforce"])
def test_several_objectives_steer_together(strategy: Strategy) -> None:
    """Wide ones err less and weigh more, so narrow ones are bad for the error alone only."""
    space: Space = {
        "width": Options(options=(8, 16, 32, 64)),
        **{f"n{place}": Options(options=(1, 2, 3, 4, 5)) for place in range(3)},
    }

    def two(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
        for proposal in proposals:
            width, *others = proposal.choices.values()
            yield outcome(1.0 / width, parameters=width**2, latency=sum(others))

    def narrow(*objectives: str) -> int:
        chosen = settings(strategy, 30, objectives=objectives)
        return sum(
            trial.proposal.choices["width"] == 8
            for seed in range(3)
            for trial in run_search(space, two, chosen, seed=seed)[10:]
        )

    assert narrow("error", "parameters") > 1.5 * narrow("error")
    assert narrow("parameters") > 1.2 * narrow("error", "parameters")


def test_the_differentiable_strategy_repeats_its_defaults() -> None:
    defaults = {"head": "gru", "nodes": 2, "width": 16}
    fixed = settings("differentiable", 3)
    trials = run_search(FINITE, evaluate, fixed, seed=5, defaults=defaults)
    assert choices_of(trials) == [(16, 2, "gru")] * 3
    assert len({trial.proposal.seed for trial in trials}) == 3


@pytest.mark.parametrize(
    ("defaults", "complaint"),
    [
        (None, "needs a default for every dimension"),
        ({"width": 16, "nodes": 2}, "'head' of the space has no value"),
        ({"width": 17, "nodes": 2, "head": "gru"}, "'width': 17 is not in the space"),
    ],
)
def test_defaults_that_are_no_candidate(defaults: dict[str, Any] | None, complaint: str) -> None:
    with pytest.raises(ParameterError, match=complaint):
        run_search(FINITE, evaluate, settings("differentiable"), seed=5, defaults=defaults)


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(ParameterError, match="'annealing' is unknown; there are: differentiable"):
        run_search(FINITE, evaluate, settings("annealing"), seed=0)
