"""Maximum likelihood of a hidden Markov chain with Gaussian bars, by expectation-maximisation.

statsmodels filters and smooths; the steps between are made here, since its optimiser works on
logits, where a transition that never happens lies at infinity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

from regime_nas_pipeline.core.filtering import symmetric_transition
from regime_nas_pipeline.market.features import trailing_sum

LEAST_TRANSITION = 1e-6
"""Smallest probability of a transition, so that no state is closed for ever."""

LEAST_VARIANCE = 1e-4
"""Smallest variance of a state over that of all bars; below it a start has collapsed."""

TOLERANCE = 1e-7
"""Change of log-likelihood per bar and step below which the estimation has converged."""

_FIRST_STEPS = 15
_SMOOTHING = 10


@dataclass(frozen=True, eq=False)
class GaussianChain:
    """A hidden Markov chain whose state sets mean and variance of a bar.

    Attributes:
        transition: P(state j at t + 1 | state i at t) in row i, column j, (K, K).
        means: Of each state, (K,).
        variances: Of each state, (K,).
    """

    transition: np.ndarray
    means: np.ndarray
    variances: np.ndarray

    def log_densities(self, values: np.ndarray) -> np.ndarray:
        """Log density of each value, (T,), in each state, (T, K)."""
        squares = (values[:, None] - self.means) ** 2
        densities: np.ndarray = -0.5 * (
            squares / self.variances + np.log(2.0 * np.pi * self.variances)
        )
        return densities

    def stationary(self) -> np.ndarray:
        """Probabilities of the states in the long run, (K,)."""
        n_states = len(self.means)
        equations = np.vstack([self.transition.T - np.eye(n_states), np.ones(n_states)])
        solution = np.linalg.lstsq(equations, np.eye(n_states + 1)[-1], rcond=None)[0]
        positive = np.maximum(solution, 0.0)
        probabilities: np.ndarray = positive / positive.sum()
        return probabilities

    def parameters(self) -> np.ndarray:
        """In statsmodels' order: P(i to 0) for all i, P(i to 1), …; means; variances."""
        moves = self.transition[:, :-1].T.ravel()
        return np.concatenate([moves, self.means, self.variances])


@dataclass(frozen=True, eq=False)
class Estimate:
    """Where the estimation from one start has come.

    Attributes:
        chain: The parameters.
        log_likelihood: Of all bars.
        smoothed: P(state | all bars), (T, K).
        steps: Steps taken.
        converged: Whether the last step changed the log-likelihood by next to nothing.
    """

    chain: GaussianChain
    log_likelihood: float
    smoothed: np.ndarray
    steps: int
    converged: bool


def chain_model(values: np.ndarray, n_states: int) -> MarkovRegression:
    """The chain over observed values, (T,), as statsmodels knows it."""
    return MarkovRegression(values, k_regimes=n_states, trend="c", switching_variance=True)


def smooth(model: MarkovRegression, chain: GaussianChain) -> tuple[np.ndarray, np.ndarray, float]:
    """Smoothed states (T, K), expected transitions (K, K) from i to j, and the log-likelihood."""
    result = model.smooth(chain.parameters(), return_raw=True)
    # Theirs holds P(j at t, i at t - 1) in [j, i, t]; before the first bar there is none.
    transitions = result.smoothed_joint_probabilities[:, :, 1:].sum(axis=2).T
    return result.smoothed_marginal_probabilities.T, transitions, float(result.llf)


def estimate(
    values: np.ndarray, n_states: int, *, n_starts: int, most_steps: int, seed: int
) -> Estimate | None:
    """Follow several starts for a few steps each, and the best one to its end.

    Args:
        values: Observed, (T,), without blanks, of variance about 1.
        n_states: Number of states K.
        n_starts: Starts: one from the data alone, the others drawn around it.
        most_steps: Steps of the best start at most.
        seed: Seed of the draws.

    Returns:
        The likeliest one, converged or not; None if every start collapsed onto a few bars.
    """
    model = chain_model(values, n_states)
    generator = np.random.default_rng(seed)
    first = _first_start(values, n_states)
    starts = [first] + [_drawn_start(first, generator) for _ in range(n_starts - 1)]
    followed = [_follow(model, values, start, _FIRST_STEPS) for start in starts]
    alive = [found for found in followed if found is not None]
    # A start that leads may collapse later on; then the next one is followed.
    for found in sorted(alive, key=lambda found: -found.log_likelihood):
        ended = _follow(model, values, found.chain, most_steps)
        if ended is not None:
            return ended
    return None


def _first_start(values: np.ndarray, n_states: int) -> GaussianChain:
    """Equal groups of bars by trailing volatility."""
    squares = np.concatenate([values[: _SMOOTHING - 1] ** 2, values**2])
    local = trailing_sum(squares, _SMOOTHING)[_SMOOTHING - 1 :]
    groups = np.array_split(np.argsort(local, kind="stable"), n_states)
    means = np.array([values[group].mean() for group in groups])
    variances = np.array([values[group].var() for group in groups])
    return GaussianChain(
        symmetric_transition(n_states, 0.97), means, np.maximum(variances, LEAST_VARIANCE)
    )


def _drawn_start(first: GaussianChain, generator: np.random.Generator) -> GaussianChain:
    n_states = len(first.means)
    return GaussianChain(
        symmetric_transition(n_states, float(generator.uniform(0.8, 0.995))),
        first.means + 0.1 * generator.standard_normal(n_states),
        first.variances * np.exp(0.5 * generator.standard_normal(n_states)),
    )


def _follow(
    model: MarkovRegression, values: np.ndarray, start: GaussianChain, most_steps: int
) -> Estimate | None:
    """Step until hardly anything changes; None if a state collapses."""
    chain, before = start, -np.inf
    for step in range(1, most_steps + 1):
        smoothed, transitions, likelihood = smooth(model, chain)
        converged = abs(likelihood - before) < TOLERANCE * len(values)
        if converged or step == most_steps:
            return Estimate(chain, likelihood, smoothed, step, converged)
        before = likelihood
        chain = _maximise(values, smoothed, transitions)
        if not (chain.variances > LEAST_VARIANCE).all():
            return None
    return None


def _maximise(values: np.ndarray, smoothed: np.ndarray, transitions: np.ndarray) -> GaussianChain:
    """The likeliest parameters if the states were as smoothed."""
    members = np.maximum(smoothed.sum(axis=0), np.finfo(float).tiny)
    means = (smoothed * values[:, None]).sum(axis=0) / members
    variances = (smoothed * (values[:, None] - means) ** 2).sum(axis=0) / members
    moves = transitions / np.maximum(transitions.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    moves = np.maximum(moves, LEAST_TRANSITION)
    return GaussianChain(moves / moves.sum(axis=1, keepdims=True), means, variances)
