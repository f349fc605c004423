"""Successive halving: a candidate that is behind when it is judged is trained no further.

A trial is judged once, at a rung: when part of its training is done. It goes on if its validation
error there is among the best 1/eta of all that are known. The error it must not exceed is fixed
when the trial is proposed, from the trials that its proposal sees, so who goes on does not depend
on who was quick, and no trial waits for others to reach the rung.

Successive halving: Jamieson and Talwalkar 2016 (Non-stochastic best arm identification and
hyperparameter optimization, arXiv 1502.07943). Without waiting: Li et al. 2020 (A system for
massively parallel hyperparameter tuning, arXiv 1810.05934), here in the form in which a trial that
was stopped is not taken up again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from regime_nas_pipeline.search.trials import Trial

RUNG_ERROR = "rung_error"
"""Fact of an outcome: lowest validation error up to the rung; None where it is no number."""
UNSPENT = "unspent"
"""Fact of a stopped trial: gradient samples of its share that were not spent."""


def cut_off(history: Sequence[Trial], eta: int) -> float | None:
    """Largest error at the rung with which one more trial is among the best 1/eta, or is the best.

    Args:
        history: The trials that are known.
        eta: One of so many goes on.

    Returns:
        None where every error will do: nobody was judged before, or too few with a finite error.
    """
    known = sorted(
        math.inf if trial.outcome.facts[RUNG_ERROR] is None else trial.outcome.facts[RUNG_ERROR]
        for trial in history
        if RUNG_ERROR in trial.outcome.facts
    )
    if not known:
        return None
    places = max(1, (len(known) + 1) // eta)
    return known[places - 1] if math.isfinite(known[places - 1]) else None


def spared(trials: Sequence[Trial]) -> dict[str, int]:
    """How many trials were ``stopped``, and the gradient samples this left ``unspent``."""
    unspent = [trial.outcome.facts[UNSPENT] for trial in trials if UNSPENT in trial.outcome.facts]
    return {"stopped": len(unspent), "unspent": sum(unspent)}
