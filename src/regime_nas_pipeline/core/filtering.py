"""The forward filter of a hidden Markov chain: what is known of the state, bar by bar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from regime_nas_pipeline.core.errors import DataError, ParameterError

_SUM_TOLERANCE = 1e-8


@dataclass(frozen=True)
class FilteredStates:
    """State probabilities of K states at T bars, and how likely each bar was.

    Attributes:
        filtered: P(state at t | observations up to t), (T, K).
        predicted: P(state at t + 1 | observations up to t), (T, K).
        log_likelihood: log p(observation at t | observations before t), (T,).
    """

    filtered: np.ndarray
    predicted: np.ndarray
    log_likelihood: np.ndarray


def symmetric_transition(n_states: int, stay: float) -> np.ndarray:
    """Transition matrix of a chain that stays or else moves to any other state alike, (K, K).

    Raises:
        ParameterError: ``stay`` is not a probability.
    """
    if not 0.0 <= stay <= 1.0:
        raise ParameterError(f"stay must be a probability and is {stay}.")
    move = (1.0 - stay) / max(n_states - 1, 1)
    matrix: np.ndarray = np.full((n_states, n_states), move)
    np.fill_diagonal(matrix, stay if n_states > 1 else 1.0)
    return matrix


def hamilton_filter(
    log_likelihoods: np.ndarray, transition: np.ndarray, initial: np.ndarray
) -> FilteredStates:
    """Run Hamilton's filter forward over all bars, in logarithms.

    A bar's probabilities use the bars up to it and no other, and come out the same to the bit
    however many bars follow.

    Args:
        log_likelihoods: log p(observation at t | state at t, earlier observations), (T, K); a row
            of equal numbers tells nothing about the state.
        transition: P(state j at t + 1 | state i at t) in row i, column j, (K, K).
        initial: Probabilities of the state at the first bar, before it is observed, (K,).

    Raises:
        ParameterError: The shapes do not fit, or a row of probabilities does not sum to one.
        DataError: A likelihood is blank, or no state allows what was observed.

    Source: Hamilton, J. D. (1989). A New Approach to the Economic Analysis of Nonstationary Time
    Series and the Business Cycle. Econometrica 57(2).
    """
    likelihoods = np.asarray(log_likelihoods, dtype=float)
    _check(likelihoods, np.asarray(transition), np.asarray(initial))
    with np.errstate(divide="ignore"):
        log_transition = np.log(transition)
        expected = np.log(initial)
    log_filtered, log_predicted = np.empty(likelihoods.shape), np.empty(likelihoods.shape)
    total = np.empty(len(likelihoods))
    for bar, likelihood in enumerate(likelihoods):
        joint = expected + likelihood
        total[bar] = np.logaddexp.reduce(joint)
        if not np.isfinite(total[bar]):
            raise DataError(f"no state allows what was observed at row {bar}")
        log_filtered[bar] = joint - total[bar]
        # In logarithms throughout: a state may recover from a probability too small for a float.
        expected = np.logaddexp.reduce(log_filtered[bar][:, None] + log_transition, axis=0)
        log_predicted[bar] = expected
    return FilteredStates(np.exp(log_filtered), np.exp(log_predicted), total)


def _check(likelihoods: np.ndarray, transition: np.ndarray, initial: np.ndarray) -> None:
    n_states = len(initial)
    if likelihoods.ndim != 2 or transition.shape != (n_states, n_states):
        raise ParameterError(
            f"the filter needs likelihoods (T, K), transition (K, K) and initial (K,) and has "
            f"{likelihoods.shape}, {transition.shape} and {initial.shape}."
        )
    if likelihoods.shape[1] != n_states:
        raise ParameterError(
            f"likelihoods are of {likelihoods.shape[1]} states and the chain has {n_states}."
        )
    rows = np.vstack([transition, initial])
    if (rows < 0.0).any() or not np.allclose(rows.sum(axis=1), 1.0, rtol=0, atol=_SUM_TOLERANCE):
        raise ParameterError(
            "every row of the transition matrix, and the initial probabilities, must be "
            "non-negative and sum to one."
        )
    blank = np.isnan(likelihoods).any(axis=1)
    if blank.any():
        raise DataError(f"the log-likelihood at row {int(np.argmax(blank))} is blank")
