from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outer_samples import CONTINUOUS, cost, outcome, settings

from regime_nas_pipeline.search.halving import RUNG_ERROR, UNSPENT, cut_off, spared
from regime_nas_pipeline.search.outer import Outcome, Proposal, Trial, best_trial, run_search
from regime_nas_pipeline.search.trials import PROXY, STOPPED, HalvingSettings, is_full


def trial(number: int, score: float = 1.0, **facts: Any) -> Trial:
    return Trial(Proposal(number, 0, {}), replace(outcome(score), facts=facts))


def judged(errors: list[float | None]) -> list[Trial]:
    return [trial(number, rung_error=error) for number, error in enumerate(errors)]


def test_the_error_that_goes_on_by_hand() -> None:
    assert cut_off([], 3) is None
    # One of two or of three goes on: it must not be worse than the best.
    assert cut_off(judged([0.5]), 3) == 0.5
    assert cut_off(judged([0.5, 0.2]), 3) == 0.2
    # Two of six.
    assert cut_off(judged([0.5, 0.2, 0.9, 0.4, 0.3]), 3) == 0.3
    assert cut_off(judged([0.5, 0.2, 0.9, 0.4, 0.3]), 2) == 0.4
    # An error that is no number is the worst; with too few others everybody goes on.
    assert cut_off(judged([None, 0.2, 0.9, 0.4, 0.3]), 3) == 0.3
    assert cut_off(judged([None]), 3) is None
    # Who was not judged (training had ended before) is not counted.
    assert cut_off([*judged([0.5, 0.2]), trial(9, epochs=1)], 3) == 0.2


@given(
    st.lists(st.floats(0, 10), min_size=1, max_size=12, unique=True),
    st.floats(0, 10),
    st.integers(2, 4),
)
def test_who_goes_on_is_among_the_best_of_all_that_are_known(
    known: list[float], own: float, eta: int
) -> None:
    limit = cut_off(judged(list(known)), eta)
    assert limit is not None
    place = 1 + sum(error < own for error in known)
    assert (own <= limit) == (place <= max(1, (len(known) + 1) // eta))


def half_trained(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
    """The error at the rung is the error; stopped, the score is that much worse."""
    for proposal in proposals:
        error = cost(proposal.choices)
        facts: dict[str, Any] = {RUNG_ERROR: error}
        if proposal.cut_off is not None and error > proposal.cut_off:
            facts |= {STOPPED: 40, UNSPENT: 60}
        score = error + 10.0 * (STOPPED in facts)
        yield replace(outcome(score), gradient_samples=100 - facts.get(UNSPENT, 0), facts=facts)


HALVED = settings("evolutionary", 24, batch=2, halving=HalvingSettings(eta=3))


def test_a_search_stops_who_is_behind() -> None:
    trials = run_search(CONTINUOUS, half_trained, HALVED, seed=1)
    for number, each in enumerate(trials):
        assert each.proposal.cut_off == cut_off(trials[: max(0, number - 1)], 3)
    saved = spared(trials)
    stopped = [each for each in trials if STOPPED in each.outcome.facts]
    assert saved == {"stopped": len(stopped), "unspent": 60 * len(stopped)}
    assert 8 < len(stopped) < 22
    assert 60 * len(stopped) + sum(t.outcome.gradient_samples for t in trials) == 24 * 100
    assert STOPPED not in trials[0].outcome.facts
    # Without halving nobody is judged.
    plain = run_search(CONTINUOUS, half_trained, replace(HALVED, halving=None), seed=1)
    assert spared(plain) == {"stopped": 0, "unspent": 0}


def test_a_halved_search_goes_on_where_it_was_broken_off(tmp_path: Path) -> None:
    def breaks_off(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
        for number, each in enumerate(half_trained(proposals)):
            if number == 9:
                raise KeyboardInterrupt
            yield each

    file = tmp_path / "gru.log"
    with pytest.raises(KeyboardInterrupt):
        run_search(CONTINUOUS, breaks_off, HALVED, seed=1, storage=file)
    whole = run_search(CONTINUOUS, half_trained, HALVED, seed=1)
    resumed = run_search(CONTINUOUS, half_trained, HALVED, seed=1, storage=file)
    assert [t.proposal for t in resumed] == [t.proposal for t in whole]
    assert [t.outcome.facts for t in resumed] == [t.outcome.facts for t in whole]


def test_a_finished_candidate_comes_before_a_stopped_one_and_that_before_a_proxy() -> None:
    finished, stopped, proxy = (
        trial(0, 0.9),
        trial(1, 0.5, **{STOPPED: 40}),
        trial(2, 0.1, **{PROXY: True}),
    )
    unknown = trial(3, math.nan)
    assert best_trial([proxy, stopped, finished]) is finished
    assert best_trial([proxy, stopped]) is stopped
    assert best_trial([stopped, unknown]) is unknown
    assert best_trial([trial(5, 0.7, **{STOPPED: 1}), stopped]) is stopped
    assert [is_full(t.outcome.facts) for t in (finished, stopped, proxy)] == [True, False, False]
