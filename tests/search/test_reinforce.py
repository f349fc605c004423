from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from outer_samples import CONTINUOUS, FINITE, choices_of, evaluate, outcome, settings, trials_of

from regime_nas_pipeline.search.outer import Outcome, Proposal, run_search
from regime_nas_pipeline.search.reinforce import Controller, ReinforceProposer, rewards
from regime_nas_pipeline.search.space import Interval, Options, Space
from regime_nas_pipeline.search.trials import ControllerSettings
from regime_nas_pipeline.search.tried import Candidates

SIZES = (3, 1, 4)


def controller(trained: bool = True) -> Controller:
    torch.manual_seed(0)
    made = Controller(SIZES, hidden=6)
    if trained:
        for weight in made.heads.parameters():
            torch.nn.init.normal_(weight)
    return made


def test_the_policy_is_a_distribution_over_all_candidates() -> None:
    every = torch.tensor(list(itertools.product(*map(range, SIZES))))
    with torch.no_grad():
        log_probability, entropy = controller()(every)
    assert float(log_probability.exp().sum()) == pytest.approx(1.0, abs=1e-6)
    # The chain rule: the policy's entropy is the mean of the entropies along its candidates.
    weights = log_probability.exp()
    whole = -(weights * log_probability).sum()
    assert float((weights * entropy).sum()) == pytest.approx(float(whole), rel=1e-5)


def test_the_first_policy_is_uniform() -> None:
    every = torch.tensor(list(itertools.product(*map(range, SIZES))))
    log_probability, entropy = controller(trained=False)(every)
    assert torch.allclose(log_probability.exp(), torch.full((12,), 1 / 12))
    assert torch.allclose(entropy, torch.log(torch.tensor(12.0)))


def test_samples_follow_the_policy() -> None:
    made, generator = controller(), np.random.default_rng(0)
    every = list(itertools.product(*map(range, SIZES)))
    expected = made(torch.tensor(every))[0].exp().detach().numpy()
    drawn = [tuple(made.sample(generator)) for _ in range(1500)]
    found = np.array([drawn.count(each) for each in every]) / 1500
    assert np.abs(found - expected).max() < 4 * np.sqrt(0.25 / 1500)


def test_later_choices_depend_on_earlier_ones() -> None:
    made = controller()
    tokens = torch.tensor([[first, 0, last] for first in range(3) for last in range(4)])
    joint = made(tokens)[0].exp().reshape(3, 4)
    conditional = joint / joint.sum(dim=1, keepdim=True)
    assert not torch.allclose(conditional[0], conditional[1], atol=1e-3)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8))
def test_a_reward_is_the_share_of_others_that_are_beaten(scores: list[int]) -> None:
    found = rewards(np.array(scores, dtype=float)[:, None])
    for place, score in enumerate(scores):
        others = scores[:place] + scores[place + 1 :]
        wins = [1.0 if score < other else 0.5 if score == other else 0.0 for other in others]
        assert found[place] == pytest.approx(np.mean(wins) if wins else 0.5)


def test_rewards_of_several_objectives_go_by_front() -> None:
    assert rewards(np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]])).tolist() == [0.75, 0.75, 0.0]


def test_what_is_good_becomes_likely() -> None:
    """One head is better than the others, and the candidates stay many enough not to run out."""
    space: Space = {**CONTINUOUS, "head": Options(options=("a", "b", "c", "d"))}

    def only_the_head(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
        return (outcome(float(p.choices["head"] != "c")) for p in proposals)

    chosen = settings("reinforce", 60)
    heads = [head for *_, head in choices_of(run_search(space, only_the_head, chosen, seed=0))]
    assert heads[:20].count("c") < 12
    assert heads[-20:].count("c") > 15


def test_the_entropy_bonus_keeps_the_policy_open() -> None:
    space: Space = {**CONTINUOUS, "head": Options(options=("a", "b", "c", "d"))}

    def only_the_head(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
        return (outcome(float(p.choices["head"] != "c")) for p in proposals)

    open_minded = replace(settings("reinforce", 60), controller=ControllerSettings(entropy=1.0))
    heads = [head for *_, head in choices_of(run_search(space, only_the_head, open_minded, seed=0))]
    assert heads[-20:].count("c") < 15


def test_a_controller_that_was_replayed_is_the_one_that_went_on() -> None:
    chosen = settings("reinforce")
    trials = run_search(CONTINUOUS, evaluate, settings("reinforce", 12), seed=0)
    goes_on = ReinforceProposer(Candidates(CONTINUOUS), chosen, 0)
    for end in range(13):
        anew = ReinforceProposer(Candidates(CONTINUOUS), chosen, 0)
        assert goes_on.propose(end, trials[:end], []) == anew.propose(end, trials[:end], [])
    # Another past than before: it starts again instead of mixing the two.
    other = trials_of([trial.proposal.choices for trial in trials], lambda c: -c["x"])
    anew = ReinforceProposer(Candidates(CONTINUOUS), chosen, 0)
    assert goes_on.propose(12, other, []) == anew.propose(12, other, [])


def test_intervals_are_chosen_at_quantiles() -> None:
    space: Space = {
        "rate": Interval(low=1e-4, high=1.0, log=True),
        "few": Interval(low=1, high=3, integer=True),
        "many": Interval(low=1, high=20, integer=True, log=True),
    }
    # Without a step the policy stays uniform; of its 48 candidates 40 are drawn.
    uniform = ControllerSettings(grid=4, learning_rate=0.0)
    chosen = settings("reinforce", 40, start_up=0, controller=uniform)
    found = list(zip(*choices_of(run_search(space, evaluate, chosen, seed=0)), strict=True))
    assert np.log10(sorted(set(found[0]))) == pytest.approx([-3.5, -2.5, -1.5, -0.5])
    assert set(found[1]) == {1, 2, 3}
    # Quantiles of the scale from 0.5 to 20.5: 0.5 * 41 ** ((k + 0.5) / 4), rounded.
    assert set(found[2]) == {1, 2, 5, 13}


def test_off_the_grid_once_what_it_likes_was_tried() -> None:
    space: Space = {"rate": Interval(low=0.0, high=1.0)}
    chosen = settings("reinforce", 12, start_up=0, controller=ControllerSettings(grid=2))
    found = [rate for (rate,) in choices_of(run_search(space, evaluate, chosen, seed=0))]
    assert len(set(found)) == 12
    assert {0.25, 0.75} <= set(found[:4])


def test_the_search_leaves_torch_as_it_was() -> None:
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    run_search(FINITE, evaluate, settings("reinforce", 6), seed=0)
    assert torch.equal(torch.random.get_rng_state(), before)
