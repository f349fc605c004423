from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from outer_samples import CONTINUOUS, FINITE, outcome, settings, trials_of

from regime_nas_pipeline.search.bayesian import BayesianProposer, learnable
from regime_nas_pipeline.search.outer import Outcome, Proposal, run_search
from regime_nas_pipeline.search.space import Interval, Options, Space, enumerate_space
from regime_nas_pipeline.search.trials import Trial
from regime_nas_pipeline.search.tried import Candidates

INF = np.inf


def test_costs_are_made_finite_and_sizes_logarithmic() -> None:
    costs = np.array([[0.5, 100.0, INF, 3.0], [INF, 10_000.0, INF, 0.0], [-2.0, INF, INF, INF]])
    found = learnable(costs, ("error", "parameters", "latency", "lipschitz"))
    sizes_first = learnable(costs[:, [1, 0]], ("parameters", "error"))
    assert (sizes_first == found[:, [1, 0]]).all()
    assert found[:, 0].tolist() == [0.5, 0.5, -2.0]
    assert found[:, 1] == pytest.approx(np.log([100.0, 10_000.0, 10_000.0]))
    assert found[:, 2].tolist() == [0.0, 0.0, 0.0]
    assert found[:, 3].tolist() == [3.0, 0.0, 3.0]
    assert np.isinf(costs).sum() == 6


def test_the_order_of_numbers_is_known_to_the_model() -> None:
    """After 8, 16 and 64 on a slope, the next proposal lies at the good end of the scale."""
    space: Space = {"width": Options(options=(64, 8, 128, 16, 256, 32))}
    trials = trials_of([{"width": width} for width in (16, 8, 64)], lambda c: -np.log2(c["width"]))
    found = BayesianProposer(Candidates(space), settings("bayesian"), 0).propose(3, trials, [])
    assert found["width"] in (128, 256)


def test_a_batch_spreads_out() -> None:
    trials = trials_of(list(enumerate_space(FINITE))[::6])
    proposer = BayesianProposer(Candidates(FINITE), settings("bayesian"), 0)
    first = proposer.propose(6, trials, [])
    second = proposer.propose(7, trials, [Proposal(6, 0, first)])
    assert first != second


def test_a_candidate_that_was_tried_gives_way_to_its_neighbour() -> None:
    every = list(enumerate_space(FINITE))
    best = {"width": 8, "nodes": 1, "head": "lstm"}
    for left in (
        {"width": 16, "nodes": 1, "head": "lstm"},
        {"width": 64, "nodes": 3, "head": "gru"},
    ):
        trials = trials_of([each for each in every if each != left])
        assert best in [trial.proposal.choices for trial in trials]
        proposer = BayesianProposer(Candidates(FINITE), settings("bayesian"), 0)
        assert proposer.propose(35, trials, []) == left


def test_it_finds_the_minimum_of_a_smooth_function() -> None:
    def bowl(choices: dict) -> float:
        wrong = 0.3 * (choices["head"] == "linear") + 0.05 * abs(choices["layers"] - 2)
        return (choices["x"] - 0.3) ** 2 + (np.log10(choices["rate"]) + 2) ** 2 / 9 + wrong

    def evaluate(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
        return (outcome(bowl(proposal.choices)) for proposal in proposals)

    trials = run_search(CONTINUOUS, evaluate, settings("bayesian", 20, start_up=6), seed=0)
    scores = [trial.outcome.score for trial in trials]
    assert min(scores) < 0.02
    assert min(scores) < 0.3 * min(scores[:6])


def test_several_objectives_are_weighed_against_each_other() -> None:
    """One option is best for the error, another for the size; a third was measured by neither."""
    space: Space = {
        "head": Options(options=("wide", "narrow", "bad", "worse")),
        "x": Interval(low=0.0, high=1.0),
    }
    costs = {"wide": (0.1, 1e6), "narrow": (0.9, 1e3), "bad": (0.95, None), "worse": (1.0, 1e7)}
    trials = [
        Trial(
            Proposal(number, 0, {"head": head, "x": x}),
            outcome(costs[head][0] + x, parameters=costs[head][1]),
        )
        for number, (head, x) in enumerate(itertools.product(costs, (0.25, 0.5, 0.75)))
    ]

    def heads(*objectives: str) -> set[str]:
        chosen = settings("bayesian", objectives=objectives)
        return {
            BayesianProposer(Candidates(space), chosen, seed).propose(12, trials, [])["head"]
            for seed in range(3)
        }

    assert heads("error") == {"wide"}
    assert heads("parameters") == {"narrow"}
    assert heads("parameters", "error") <= {"wide", "narrow"}
