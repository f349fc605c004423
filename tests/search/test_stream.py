"""A search whose trials are under way at once in several processes."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from outer_samples import CONTINUOUS, cost, outcome, settings

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.parallel import parallel_flow
from regime_nas_pipeline.search.outer import Outcome, Proposal, Trial, run_search
from regime_nas_pipeline.search.trials import Strategy

TOO_LONG = 60.0


def plain(proposal: Proposal) -> Outcome:
    return outcome(cost(proposal.choices))


def found(trials: list[Trial]) -> list[tuple[Proposal, float]]:
    return [(trial.proposal, trial.outcome.score) for trial in trials]


class Ahead:
    """Takes as many proposals as it may before it gives an outcome, and may break off."""

    def __init__(self, batch: int, breaks_at: int | None = None) -> None:
        self.batch, self.breaks_at = batch, breaks_at

    def __call__(self, proposals: Iterator[Proposal]) -> Iterator[Outcome]:
        taken: deque[Proposal] = deque()
        while taken.extend(itertools.islice(proposals, self.batch - len(taken))) or taken:
            proposal = taken.popleft()
            if proposal.number == self.breaks_at:
                raise KeyboardInterrupt
            yield plain(proposal)


@pytest.mark.parametrize("strategy", ["bayesian", "evolutionary", "reinforce", "random"])
def test_neither_who_is_ahead_nor_a_break_changes_anything(
    strategy: Strategy, tmp_path: Path
) -> None:
    chosen = settings(strategy, 8, batch=3, start_up=3)
    one_by_one = found(run_search(CONTINUOUS, Ahead(1), chosen, seed=5))
    assert found(run_search(CONTINUOUS, Ahead(3), chosen, seed=5)) == one_by_one
    file = tmp_path / "gru.log"
    with pytest.raises(KeyboardInterrupt):
        run_search(CONTINUOUS, Ahead(3, breaks_at=4), chosen, seed=5, storage=file)
    assert found(run_search(CONTINUOUS, Ahead(3), chosen, seed=5, storage=file)) == one_by_one


def waits_for_later_ones(folder: str, proposal: Proposal) -> Outcome:
    """Trial 3 ends only after trial 6 has, which is proposed from the outcomes of 0 to 2."""
    if proposal.number == 3:
        deadline = time.monotonic() + TOO_LONG
        while not Path(folder, "6").exists():
            if time.monotonic() > deadline:
                raise DataError("trial 6 was kept waiting for trial 3")
            time.sleep(0.01)
    Path(folder, str(proposal.number)).touch()
    return outcome(cost(proposal.choices))


@pytest.mark.parametrize("strategy", ["bayesian", "evolutionary"])
def test_a_slow_trial_neither_keeps_the_others_waiting_nor_changes_them(
    strategy: Strategy, tmp_path: Path
) -> None:
    """In groups of four, trial 4 would not begin before trial 3 has ended."""
    chosen = settings(strategy, 8, batch=4)

    def in_two_processes(proposals: Iterator[Proposal]) -> Iterator[Outcome]:
        asked = ((proposal,) for proposal in proposals)
        return parallel_flow(
            waits_for_later_ones, asked, ahead=4, shared=(str(tmp_path),), n_jobs=2
        )

    trials = run_search(CONTINUOUS, in_two_processes, chosen, seed=1)
    assert found(trials) == found(run_search(CONTINUOUS, Ahead(1), chosen, seed=1))
