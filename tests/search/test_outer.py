from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from outer_samples import FINITE, LEARNERS, choices_of, cost, evaluate, outcome, settings

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.search import outer
from regime_nas_pipeline.search.outer import (
    Outcome,
    OuterSettings,
    Progress,
    Proposal,
    Trial,
    best_trial,
    run_search,
    trial_seed,
)
from regime_nas_pipeline.search.random_search import RandomProposer

ALL = (*LEARNERS, "random")


def proposals_of(trials: Sequence[Trial]) -> list[Proposal]:
    return [trial.proposal for trial in trials]


@pytest.mark.parametrize("strategy", ALL)
def test_the_same_seed_proposes_the_same_candidates(strategy: str) -> None:
    chosen = settings(strategy)
    first = proposals_of(run_search(FINITE, evaluate, chosen, seed=1))
    assert proposals_of(run_search(FINITE, evaluate, chosen, seed=1)) == first
    other = run_search(FINITE, evaluate, chosen, seed=2)
    assert choices_of(other) != [tuple(proposal.choices.values()) for proposal in first]
    assert [proposal.number for proposal in first] == list(range(8))
    assert [proposal.seed for proposal in first] == [trial_seed(1, n) for n in range(8)]
    assert len({proposal.seed for proposal in first}) == 8


@pytest.mark.parametrize("batch", [1, 3, 20])
def test_a_proposal_sees_all_but_the_last_trials(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[int, tuple[list[int], list[int]]] = {}

    class Watched(RandomProposer):
        def propose(self, number: int, history: Any, pending: Any) -> dict[str, Any]:
            known = [trial.proposal.number for trial in history]
            seen[number] = known, [proposal.number for proposal in pending]
            return super().propose(number, history, pending)

    monkeypatch.setattr(outer, "RandomProposer", Watched)
    run_search(FINITE, evaluate, settings("random", 7, batch=batch), seed=0)
    for number in range(7):
        known = max(0, number - batch + 1)
        assert seen[number] == (list(range(known)), list(range(known, number)))


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_an_outcome_changes_what_is_proposed_a_batch_later(batch: int) -> None:
    def turned_late(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
        return (outcome(cost(p.choices) * (1 if p.number < 6 else -1)) for p in proposals)

    chosen = settings("evolutionary", 14, batch=batch, start_up=4)
    plain = choices_of(run_search(FINITE, evaluate, chosen, seed=0))
    turned = choices_of(run_search(FINITE, turned_late, chosen, seed=0))
    assert turned[: 6 + batch] == plain[: 6 + batch]
    assert turned[6 + batch :] != plain[6 + batch :]


def in_the_middle(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
    yield from itertools.islice(evaluate(proposals), 3)


def twice(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
    for found in evaluate(proposals):
        yield from (found, found)


def all_at_once(proposals: Iterator[Proposal]) -> list[Outcome]:
    return list(evaluate(proposals))


@pytest.mark.parametrize(
    ("evaluates", "complaint"),
    [
        (in_the_middle, "shorter"),
        (twice, "longer"),
        (all_at_once, "took proposal 2 before it gave outcome 0; it must not be more than 2 ahead"),
    ],
)
def test_an_evaluation_that_keeps_no_count_is_an_error(evaluates, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        run_search(FINITE, evaluates, settings("random"), seed=0)


def test_an_empty_space_is_an_error() -> None:
    with pytest.raises(ParameterError, match="no dimension"):
        run_search({}, evaluate, settings("random"), seed=0)


def test_the_earliest_of_equals_is_best() -> None:
    def trial(number: int, score: float) -> Trial:
        return Trial(Proposal(number, 0, {}), outcome(score))

    trials = [trial(3, 0.5), trial(0, 0.9), trial(2, 0.5), trial(1, float("nan"))]
    for order in itertools.permutations(trials):
        assert best_trial(order).proposal.number == 2


def test_best_is_the_lowest_error_whatever_steers() -> None:
    def two(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
        return (outcome(cost(p.choices), parameters=-cost(p.choices)) for p in proposals)

    chosen = settings("evolutionary", objectives=("parameters", "error"))
    trials = run_search(FINITE, two, chosen, seed=0)
    assert best_trial(trials).outcome.score == min(trial.outcome.score for trial in trials)


def test_an_objective_that_is_not_measured_is_an_error() -> None:
    asked: list[int] = []

    def counts(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
        for proposal in proposals:
            asked.append(proposal.number)
            yield outcome(0.0, latency=None)

    measured = settings("random", objectives=("error", "latency"))
    assert len(run_search(FINITE, counts, measured, seed=0)) == 8
    asked.clear()
    with pytest.raises(ParameterError, match=r"'lipschitz' is not among .*: error, latency"):
        run_search(FINITE, counts, replace(measured, objectives=("lipschitz",)), seed=0)
    assert asked == [0]


@pytest.mark.parametrize("objectives", [(), ("error", "error"), ("error", "beauty")])
def test_bad_objectives_are_refused(objectives: tuple[str, ...]) -> None:
    with pytest.raises(ParameterError, match="name one or more of error, parameters, latency"):
        OuterSettings("random", 1, 1, 0.0, 1, objectives=objectives)


def test_choices_that_build_the_same_are_tried_once() -> None:
    def canonical(choices: dict) -> dict:
        return {"width": choices["width"], "nodes": choices["nodes"]}

    for strategy in ALL:
        chosen = settings(strategy, 12)
        trials = run_search(FINITE, evaluate, chosen, seed=0, canonical=canonical)
        assert len({found[:2] for found in choices_of(trials)}) == 12


def test_progress_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = 100.0
    monkeypatch.setattr(outer.time, "monotonic", lambda: now)

    def slowly(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
        nonlocal now
        for proposal in proposals:
            now += 15.0
            yield outcome(1.0 / (1 + proposal.number))

    told: list[Progress] = []
    file = tmp_path / "gru.log"
    short, chosen = settings("random", 3), settings("random", 5)
    run_search(FINITE, slowly, short, seed=0, storage=file, on_progress=told.append)
    assert told == [
        Progress(1, 3, 1.0, 4.0, 30.0),
        Progress(2, 3, 0.5, 4.0, 15.0),
        Progress(3, 3, 1 / 3, 4.0, 0.0),
    ]
    told.clear()
    run_search(FINITE, slowly, chosen, seed=0, storage=file, on_progress=told.append)
    # What was read from the file took no time and says nothing about the rate.
    assert told == [
        Progress(3, 5, 1 / 3, None, None),
        Progress(4, 5, 0.25, 4.0, 15.0),
        Progress(5, 5, 0.2, 4.0, 0.0),
    ]


def test_optuna_keeps_quiet(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run_search(FINITE, evaluate, settings("bayesian"), seed=0, storage=tmp_path / "gru.log")
    assert capsys.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING
