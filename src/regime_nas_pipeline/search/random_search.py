"""Strategies that do not learn: uniform search, the control, and the same choices every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from regime_nas_pipeline.search.space import Space, check_choices
from regime_nas_pipeline.search.trials import Proposal, Trial, own_generator
from regime_nas_pipeline.search.tried import Candidates, Tried


def tried_so_far(
    candidates: Candidates, history: Sequence[Trial], pending: Sequence[Proposal]
) -> Tried:
    """What was proposed before a trial, whether its outcome is known or not."""
    known = [trial.proposal.choices for trial in history]
    return Tried(candidates, known + [proposal.choices for proposal in pending])


class RandomProposer:
    """Uniform, without replacement on a finite space, so that it is the strongest such control.

    Args:
        candidates: Of the space.
        seed: Of the search.
    """

    def __init__(self, candidates: Candidates, seed: int) -> None:
        self._candidates, self._seed = candidates, seed

    def propose(
        self, number: int, history: Sequence[Trial], pending: Sequence[Proposal]
    ) -> dict[str, Any]:
        """See ``trials.Proposer``."""
        tried = tried_so_far(self._candidates, history, pending)
        return tried.random(own_generator(self._seed, number, 0))


class FixedProposer:
    """The same choices in every trial; trials differ by their seeds alone.

    It is the outer level of the ``differentiable`` strategy, which searches cells alone.

    Args:
        space: What may be chosen.
        defaults: The choices.

    Raises:
        ParameterError: They are no candidate of the space.
    """

    def __init__(self, space: Space, defaults: Mapping[str, Any]) -> None:
        check_choices(space, defaults)
        self._choices = {name: defaults[name] for name in space}

    def propose(
        self, number: int, history: Sequence[Trial], pending: Sequence[Proposal]
    ) -> dict[str, Any]:
        """See ``trials.Proposer``."""
        return dict(self._choices)
