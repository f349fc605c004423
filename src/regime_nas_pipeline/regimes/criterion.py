"""How many regimes: by a criterion, on the training side only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.regimes.base import Labeller


@dataclass(frozen=True)
class RegimeCount:
    """The chosen number of regimes.

    Attributes:
        n_regimes: The number.
        criteria: Criterion of each candidate, lower is better; infinite where the training market
            does not fall into so many regimes.
    """

    n_regimes: int
    criteria: dict[int, float]


def bayes_information(log_likelihood: float, n_parameters: int, n_bars: int) -> float:
    """Schwarz's criterion, -2 log L + p log T; lower is better.

    Source: Schwarz, G. (1978). Estimating the Dimension of a Model. Annals of Statistics 6(2).
    """
    return -2.0 * log_likelihood + n_parameters * float(np.log(n_bars))


def negative_silhouette(rows: np.ndarray, labels: np.ndarray) -> float:
    """Mean silhouette of labelled rows with its sign turned, in [-1, 1]; lower is better.

    Args:
        rows: Scaled features, (T, D).
        labels: Number of the regime of each, (T,).

    Raises:
        DataError: There are not at least two regimes among the labels.

    Source: Rousseeuw, P. J. (1987). Silhouettes: a Graphical Aid to the Interpretation and
    Validation of Cluster Analysis. Journal of Computational and Applied Mathematics 20.
    """
    if not 2 <= len(np.unique(labels)) < len(labels):
        raise DataError(
            "the silhouette needs bars of at least two regimes",
            source="prices",
            remedy="measure it on a longer market.",
        )
    # One thread: the order of the sums would change the bits.
    with threadpool_limits(limits=1):
        return -float(silhouette_score(rows, labels))


def with_n_regimes(labeller: Labeller, n_regimes: int) -> Labeller:
    """An unfitted copy with ``n_regimes`` regimes.

    Raises:
        ParameterError: The number of regimes of this labeller is fixed, and another one.
    """
    twin: Labeller = clone(labeller)
    if "n_regimes" in twin.get_params():
        twin.set_params(n_regimes=n_regimes)
    elif len(twin.regime_names) != n_regimes:
        raise ParameterError(
            f"{type(labeller).__name__} always has {len(twin.regime_names)} regimes and cannot "
            f"have {n_regimes}."
        )
    return twin


def choose_n_regimes(
    labeller: Labeller, market: Market, candidates: Sequence[int] = (2, 3)
) -> RegimeCount:
    """Fit with every candidate number of regimes and take the one with the lowest criterion.

    Args:
        labeller: Prototype; it is cloned and stays unfitted.
        market: The training market alone: what is known at the first fit.
        candidates: Numbers of regimes; of equal ones the first wins.

    Raises:
        ParameterError: The labeller has no criterion or a fixed number of regimes, or there is no
            candidate.
        DataError: The market does not fall into any of these numbers of regimes.
    """
    if not candidates:
        raise ParameterError("candidates must hold at least one number of regimes.")
    criteria: dict[int, float] = {}
    fault: DataError | None = None
    for number in candidates:
        try:
            criteria[number] = with_n_regimes(labeller, number).fit(market).criterion(market)
        except DataError as error:
            criteria[number], fault = float("inf"), error
    best = min(criteria, key=lambda number: criteria[number])
    if fault is not None and not np.isfinite(criteria[best]):
        raise fault
    return RegimeCount(best, criteria)
