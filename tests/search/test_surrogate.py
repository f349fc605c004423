from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from outer_samples import CONTINUOUS, FINITE, choices_of, cost, evaluate, settings, trials_of

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.search.outer import (
    Proposal,
    best_trial,
    make_proposer,
    run_search,
    trial_seed,
)
from regime_nas_pipeline.search.random_search import RandomProposer
from regime_nas_pipeline.search.space import Interval, Space, enumerate_space, sample, space_size
from regime_nas_pipeline.search.surrogate import SurrogateProposer, predict_scores
from regime_nas_pipeline.search.trials import SurrogateSettings
from regime_nas_pipeline.search.tried import Candidates

SMOOTH: Space = {"x": Interval(low=0.0, high=1.0), "y": Interval(low=0.0, high=1.0)}


def bowl(choices: dict[str, Any]) -> float:
    return float((choices["x"] - 0.7) ** 2 + (choices["y"] - 0.2) ** 2)


def drawn(space: Space, n: int, seed: int) -> list[dict[str, Any]]:
    generator = np.random.default_rng(seed)
    return [sample(space, generator) for _ in range(n)]


def test_a_smooth_score_is_predicted_where_it_was_not_seen() -> None:
    known, asked = drawn(SMOOTH, 30, 0), drawn(SMOOTH, 40, 1)
    predicted = predict_scores(SMOOTH, known, [bowl(each) for each in known], asked)
    truth = np.array([bowl(each) for each in asked])
    assert np.abs(predicted - truth).max() < 0.05 * truth.max()


def test_scores_that_do_not_differ_are_repeated() -> None:
    known = drawn(SMOOTH, 5, 0)
    assert predict_scores(SMOOTH, known, [2.5] * 5, drawn(SMOOTH, 3, 1)).tolist() == [2.5] * 3


def test_a_failed_candidate_counts_as_the_worst() -> None:
    known = drawn(SMOOTH, 12, 0)
    scores = [bowl(each) for each in known]
    failed = [np.inf if score > np.median(scores) else score for score in scores]
    worst = max(score for score in failed if np.isfinite(score))
    asked = drawn(SMOOTH, 9, 1)
    expected = predict_scores(SMOOTH, known, [min(each, worst) for each in failed], asked)
    np.testing.assert_array_equal(predict_scores(SMOOTH, known, failed, asked), expected)
    assert np.isfinite(expected).all()
    hopeless = predict_scores(SMOOTH, known, [np.inf] * 12, asked)
    assert hopeless.tolist() == [0.0] * 9


def test_the_best_predicted_of_the_pool_is_proposed() -> None:
    candidates = Candidates(CONTINUOUS)
    inner = RandomProposer(candidates, seed=5)
    outer = settings("random", surrogate=SurrogateSettings(pool=7, after=3))
    history = trials_of(drawn(CONTINUOUS, 6, 0))
    found = SurrogateProposer(inner, candidates, outer).propose(6, history, [])
    # The random strategy draws from one stream, in which the pool are the first seven.
    generator = np.random.default_rng([trial_seed(5, 6), 0])
    pool = [sample(CONTINUOUS, generator) for _ in range(7)]
    known = [trial.proposal.choices for trial in history]
    predicted = predict_scores(CONTINUOUS, known, [cost(each) for each in known], pool)
    assert found == pool[int(predicted.argmin())]
    assert found != pool[0]


@pytest.mark.parametrize("strategy", ["evolutionary", "reinforce", "random"])
def test_nothing_is_predicted_before_enough_is_known(strategy: str) -> None:
    plain = settings(strategy, trials=4)
    sifted = replace(plain, surrogate=SurrogateSettings(pool=5, after=4))
    found = [run_search(FINITE, evaluate, each, seed=3) for each in (plain, sifted)]
    assert choices_of(found[0]) == choices_of(found[1])


@pytest.mark.parametrize("strategy", ["evolutionary", "reinforce", "random"])
def test_proposals_depend_on_seed_number_and_history_alone(strategy: str) -> None:
    outer = settings(strategy, surrogate=SurrogateSettings(pool=6, after=2))
    history = trials_of(drawn(FINITE, 6, 1))
    waiting = [Proposal(6, 0, drawn(FINITE, 1, 2)[0])]
    first = make_proposer(FINITE, outer, seed=4)
    for number in (0, 2, 4):  # batches of two
        first.propose(number, history[:number], [])  # what it was asked before
    again = make_proposer(FINITE, outer, seed=4)
    asked = (7, history, waiting)
    assert first.propose(*asked) == again.propose(*asked)


@pytest.mark.parametrize("strategy", ["evolutionary", "random"])
def test_a_finite_space_is_tried_without_repeating(strategy: str) -> None:
    size = int(space_size(FINITE))
    outer = settings(strategy, trials=size, surrogate=SurrogateSettings(pool=10, after=2))
    found = choices_of(run_search(FINITE, evaluate, outer, seed=0))
    assert sorted(map(str, found)) == sorted(
        str(tuple(each.values())) for each in enumerate_space(FINITE)
    )


def test_sifting_finds_better_candidates_than_drawing() -> None:
    def score(proposals: Any) -> Any:
        return (trials_of([each.choices], bowl)[0].outcome for each in proposals)

    plain = settings("random", trials=16)
    sifted = replace(plain, surrogate=SurrogateSettings(pool=16, after=6))
    best = [
        [best_trial(run_search(SMOOTH, score, each, seed=seed)).outcome.score for seed in range(8)]
        for each in (plain, sifted)
    ]
    assert np.median(best[1]) < 0.5 * np.median(best[0])


@pytest.mark.parametrize("strategy", ["bayesian", "differentiable"])
def test_strategies_that_have_no_use_for_it(strategy: str) -> None:
    outer = settings(strategy, surrogate=SurrogateSettings())
    with pytest.raises(ParameterError, match=f"strategy {strategy} goes with no surrogate"):
        make_proposer(FINITE, outer, seed=0)
