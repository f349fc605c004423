from __future__ import annotations

from collections import Counter

from outer_samples import FINITE, choices_of, evaluate, settings

from regime_nas_pipeline.search.outer import run_search
from regime_nas_pipeline.search.random_search import tried_so_far
from regime_nas_pipeline.search.space import space_size
from regime_nas_pipeline.search.tried import Candidates


def test_every_candidate_is_as_likely_at_every_place() -> None:
    counts: Counter[str] = Counter()
    for seed in range(150):
        trials = run_search(FINITE, evaluate, settings("random", 2), seed=seed)
        counts.update(head for *_, head in choices_of(trials)[1:])
    assert min(counts.values()) > 30
    assert sum(counts.values()) == 150


def test_the_whole_space_is_drawn_before_any_candidate_is_drawn_again() -> None:
    size = int(space_size(FINITE))
    found = choices_of(run_search(FINITE, evaluate, settings("random", size), seed=0))
    assert len(set(found)) == size


def test_what_is_pending_counts_as_tried() -> None:
    trials = run_search(FINITE, evaluate, settings("random", 3), seed=0)
    proposals = [trial.proposal for trial in trials]
    known = tried_so_far(Candidates(FINITE), trials[:1], proposals[1:2])
    assert [known.is_open(proposal.choices) for proposal in proposals] == [False, False, True]
