"""A regressor that guesses scores, and the proposals that it thinks best of a pool.

A strategy makes several proposals where it would make one, and only the one with the lowest
predicted score is evaluated (Wen et al. 2020, Neural predictor for NAS, arXiv 1912.00848; White et
al. 2021, BANANAS, arXiv 1910.11858, on pools from mutation). The evaluations saved are those of
the others; how much that is worth depends on how well scores can be guessed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from threadpoolctl import threadpool_limits

from regime_nas_pipeline.search.random_search import tried_so_far
from regime_nas_pipeline.search.space import Space, encode
from regime_nas_pipeline.search.trials import OuterSettings, Proposal, Proposer, Trial
from regime_nas_pipeline.search.tried import Candidates

_LENGTH_SCALES = (0.05, 20.0)
_NOISE = (1e-4, 1.0)
_SIZE = (1e-3, 10.0)


def predict_scores(
    space: Space,
    known: Sequence[dict[str, Any]],
    scores: Sequence[float],
    asked: Sequence[dict[str, Any]],
) -> np.ndarray:
    """Scores that a Gaussian process expects of candidates.

    A Matérn kernel of smoothness 5/2 with one length for all coordinates of the unit cube, and
    noise; all three are fitted by marginal likelihood from a fixed start, so equal arguments give
    equal predictions. A score that is not finite enters as the worst finite one.

    Args:
        space: What may be chosen.
        known: Candidates whose score is known, at least one.
        scores: Theirs; lower is better.
        asked: Candidates to predict.

    Returns:
        One prediction per candidate asked; where the known scores do not differ, theirs.

    Source: Rasmussen and Williams (2006). Gaussian Processes for Machine Learning, chapter 2.
    """
    values = np.array(scores, dtype=float)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(len(asked))
    values[~finite] = values[finite].max()
    centre, size = values.mean(), values.std()
    if size <= 1e-12 * max(1.0, abs(centre)):
        return np.full(len(asked), centre)
    kernel = ConstantKernel(1.0, _SIZE) * Matern(1.0, _LENGTH_SCALES, nu=2.5)
    process = GaussianProcessRegressor(kernel + WhiteKernel(0.1, _NOISE))
    # One thread, as in the Bayesian strategy: the other cores train.
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        # A length at its bound says only that a coordinate does not matter.
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(_points(space, known), (values - centre) / size)
        predicted: np.ndarray = centre + size * process.predict(_points(space, asked))
    return predicted


def _points(space: Space, candidates: Sequence[dict[str, Any]]) -> np.ndarray:
    return np.stack([encode(space, choices) for choices in candidates])


class SurrogateProposer:
    """The best predicted of several proposals of another strategy.

    The pool is what the strategy proposes one after the other if it is told each time that the
    earlier ones are being evaluated already. With several objectives the error alone is predicted.

    Args:
        inner: The strategy.
        candidates: Of the space.
        settings: Its ``surrogate`` says how large the pool is and how many trials it needs.
    """

    def __init__(self, inner: Proposer, candidates: Candidates, settings: OuterSettings) -> None:
        self._inner, self._candidates = inner, candidates
        self._surrogate = settings.surrogate

    def propose(
        self, number: int, history: Sequence[Trial], pending: Sequence[Proposal]
    ) -> dict[str, Any]:
        """See ``trials.Proposer``."""
        first = self._inner.propose(number, history, pending)
        if self._surrogate is None or len(history) < self._surrogate.after:
            return first
        pool = self._pool(first, number, history, pending)
        predicted = predict_scores(
            self._candidates.space,
            [trial.proposal.choices for trial in history],
            [trial.outcome.score for trial in history],
            pool,
        )
        return pool[int(predicted.argmin())]

    def _pool(
        self,
        first: dict[str, Any],
        number: int,
        history: Sequence[Trial],
        pending: Sequence[Proposal],
    ) -> list[dict[str, Any]]:
        assert self._surrogate is not None  # noqa: S101 - propose asks for no pool without one
        tried = tried_so_far(self._candidates, history, pending)
        pool, waiting = [first], [*pending, Proposal(number, 0, first)]
        while len(pool) < self._surrogate.pool:
            choices = self._inner.propose(number, history, waiting)
            if not tried.is_open(choices) or choices in pool:
                break  # nothing new is left
            pool.append(choices)
            waiting.append(Proposal(number, 0, choices))
        return pool
