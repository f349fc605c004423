from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import optuna
import pytest

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.search.outer import (
    Outcome,
    OuterSettings,
    Proposal,
    Trial,
    best_trial,
    run_search,
    trial_seed,
)
from regime_nas_pipeline.search.space import Interval, Options, Space

SPACE: Space = {
    "x": Interval(low=0.0, high=1.0),
    "y": Interval(low=0.0, high=1.0),
    "head": Options(options=("linear", "gru")),
}
BAYESIAN = OuterSettings(strategy="bayesian", trials=8, start_up=3, exploration=0.1, batch=2)
RANDOM = replace(BAYESIAN, strategy="random")


def bowl(choices: dict[str, float | str]) -> float:
    """A smooth function whose minimum is 0 at x = 0.3, y = 0.8, head = gru."""
    x, y = float(choices["x"]), float(choices["y"])
    return (x - 0.3) ** 2 + (y - 0.8) ** 2 + 0.3 * (choices["head"] == "linear")


def outcome(score: float) -> Outcome:
    return Outcome(score=score, parameters={}, gradient_samples=1, returns=np.zeros(2))


def evaluate(proposals: Sequence[Proposal]) -> list[Outcome]:
    return [outcome(bowl(proposal.choices)) for proposal in proposals]


def proposals_of(trials: Sequence[Trial]) -> list[Proposal]:
    return [trial.proposal for trial in trials]


@pytest.mark.parametrize("settings", [BAYESIAN, RANDOM], ids=["bayesian", "random"])
def test_the_same_seed_proposes_the_same_candidates(settings: OuterSettings) -> None:
    first = proposals_of(run_search(SPACE, evaluate, settings, seed=1))
    assert proposals_of(run_search(SPACE, evaluate, settings, seed=1)) == first
    other = proposals_of(run_search(SPACE, evaluate, settings, seed=2))
    assert all(a.choices != b.choices for a, b in zip(first, other, strict=True))
    assert [proposal.number for proposal in first] == list(range(8))
    assert [proposal.seed for proposal in first] == [trial_seed(1, n) for n in range(8)]
    assert len({proposal.seed for proposal in first}) == 8


class BrokenOffError(Exception):
    pass


def test_a_search_that_broke_off_goes_on_where_it_was() -> None:
    whole = run_search(SPACE, evaluate, BAYESIAN, seed=1)
    kept: dict[int, Outcome] = {}

    def breaks(proposals: Sequence[Proposal]) -> list[Outcome]:
        if proposals[0].number >= 4:
            raise BrokenOffError
        for proposal, found in zip(proposals, evaluate(proposals), strict=True):
            kept[proposal.number] = found
        return [kept[proposal.number] for proposal in proposals]

    with pytest.raises(BrokenOffError):
        run_search(SPACE, breaks, BAYESIAN, seed=1)
    assert sorted(kept) == [0, 1, 2, 3]

    def replays(proposals: Sequence[Proposal]) -> list[Outcome]:
        fresh = evaluate(proposals)
        return [kept.get(p.number, new) for p, new in zip(proposals, fresh, strict=True)]

    assert proposals_of(run_search(SPACE, replays, BAYESIAN, seed=1)) == proposals_of(whole)


def test_what_was_learned_changes_what_is_proposed() -> None:
    def turned(proposals: Sequence[Proposal]) -> list[Outcome]:
        return [outcome(-found.score) for found in evaluate(proposals)]

    down = proposals_of(run_search(SPACE, evaluate, BAYESIAN, seed=1))
    up = proposals_of(run_search(SPACE, turned, BAYESIAN, seed=1))
    # The first three are random, and the fourth shares the third's batch: both know two scores.
    assert down[:3] == up[:3]
    assert [p.choices for p in down[3:]] != [p.choices for p in up[3:]]
    same = replace(RANDOM, trials=8)
    assert proposals_of(run_search(SPACE, evaluate, same, seed=1)) == proposals_of(
        run_search(SPACE, turned, same, seed=1)
    )


def test_exploring_always_is_random_search() -> None:
    explored = run_search(SPACE, evaluate, replace(BAYESIAN, exploration=1.0), seed=4)
    random = run_search(SPACE, evaluate, RANDOM, seed=4)
    assert proposals_of(explored) == proposals_of(random)
    greedy = run_search(SPACE, evaluate, replace(BAYESIAN, exploration=0.0), seed=4)
    assert proposals_of(greedy)[:3] == proposals_of(random)[:3]
    assert proposals_of(greedy)[3:] != proposals_of(random)[3:]


def test_a_finite_space_is_tried_out_by_exploration() -> None:
    space: Space = {"head": Options(options=("a", "b", "c")), "n": Options(options=(1, 2))}

    def flat(proposals: Sequence[Proposal]) -> list[Outcome]:
        return [outcome(0.0) for _ in proposals]

    trials = run_search(space, flat, replace(RANDOM, trials=60), seed=0)
    assert len({tuple(t.proposal.choices.values()) for t in trials}) == 6


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bayesian_search_finds_the_minimum_of_a_smooth_function(seed: int) -> None:
    settings = OuterSettings("bayesian", trials=18, start_up=6, exploration=0.1, batch=2)
    trials = run_search(SPACE, evaluate, settings, seed=seed)
    started = best_trial(trials[:6]).outcome.score
    best = best_trial(trials)
    assert best.outcome.score < 0.02
    assert best.outcome.score < 0.5 * started
    assert best.proposal.choices["head"] == "gru"


@pytest.mark.parametrize("batch", [1, 3, 20])
def test_batches_are_handed_out_whole(batch: int) -> None:
    sizes: list[int] = []

    def counts(proposals: Sequence[Proposal]) -> list[Outcome]:
        sizes.append(len(proposals))
        return evaluate(proposals)

    trials = run_search(SPACE, counts, replace(BAYESIAN, batch=batch, trials=7), seed=0)
    assert len(trials) == sum(sizes) == 7
    assert all(size == batch for size in sizes[:-1])


def test_an_evaluation_that_loses_one_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        run_search(SPACE, lambda proposals: evaluate(proposals)[1:], BAYESIAN, seed=0)


def test_an_empty_space_is_an_error() -> None:
    with pytest.raises(ParameterError, match="no dimension"):
        run_search({}, evaluate, BAYESIAN, seed=0)


def test_a_space_of_one_candidate_is_searched_all_the_same() -> None:
    space: Space = {"head": Options(options=("gru",)), "width": Options(options=(8,))}

    def flat(proposals: Sequence[Proposal]) -> list[Outcome]:
        return [outcome(1.0) for _ in proposals]

    trials = run_search(space, flat, BAYESIAN, seed=0)
    assert all(t.proposal.choices == {"head": "gru", "width": 8} for t in trials)


def test_the_earliest_of_equals_is_best() -> None:
    def trial(number: int, score: float) -> Trial:
        return Trial(Proposal(number, 0, {}), outcome(score))

    trials = [trial(3, 0.5), trial(0, 0.9), trial(2, 0.5), trial(1, 0.7)]
    assert best_trial(trials).proposal.number == 2
    assert best_trial(trials[::-1]).proposal.number == 2


def test_optuna_keeps_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    run_search(SPACE, evaluate, BAYESIAN, seed=0)
    assert capsys.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING
