"""The same forecasters walked forward with one network per seed, the seeds kept apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
from sklearn.base import clone

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.base import Forecaster
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.networks.training import derived_seed
from regime_nas_pipeline.walkforward.folds import Fold
from regime_nas_pipeline.walkforward.forecasts import WalkForwardForecasts, walk_all

Seeded = TypeVar("Seeded", bound=Forecaster)


@dataclass(frozen=True)
class Run:
    """Whose walk it is, and under which of the seeds (counted from 0)."""

    name: str
    seed: int


def with_seed(forecaster: Seeded, seed: int, number: int) -> Seeded:
    """A copy that trains one network, from the ``number``-th of the seeds that ``seed`` gives.

    Args:
        forecaster: With the arguments ``n_seeds`` and ``seed``.
        seed: What the seeds are derived from.
        number: Which of them, from 0.
    """
    copy: Seeded = clone(forecaster)
    return copy.set_params(n_seeds=1, seed=derived_seed(seed, number))  # type: ignore[no-any-return]


def walk_seeds(
    prototypes: Mapping[str, Forecaster],
    market: Market,
    folds: list[Fold],
    *,
    n_seeds: int,
    seed: int,
    cache: PieceCache,
    n_jobs: int = 1,
    name: str = "",
) -> dict[Run, WalkForwardForecasts]:
    """Walk every forecaster forward once per seed; the n-th seed is the same for all of them.

    Args:
        prototypes: Name to forecaster; its own seed and number of networks do not count.
        market: Prices to the end of the sample.
        folds: Who is trained when.
        n_seeds: Seeds.
        seed: What the seeds are derived from.
        cache: Where finished folds are kept.
        n_jobs: Processes.
        name: What the progress bar says; no bar where empty.
    """
    forecasters = {
        Run(key, number): with_seed(prototype, seed, number)
        for key, prototype in prototypes.items()
        for number in range(n_seeds)
    }
    return walk_all(forecasters, market, folds, cache=cache, n_jobs=n_jobs, name=name)


def joined_folds(folds: list[Fold], count: int | None) -> list[Fold]:
    """The same decisions with fewer fits: neighbouring folds keep the first one's fit.

    Args:
        folds: In order.
        count: Folds that are left, about equally long; None, or more than there are, for all.

    Raises:
        ParameterError: ``count`` is below 1.
    """
    if count is None or count >= len(folds):
        return folds
    if count < 1:
        raise ParameterError(f"folds must be at least 1 and is {count}.")
    joined = []
    for number, places in enumerate(np.array_split(np.arange(len(folds)), count)):
        group = [folds[place] for place in places]
        decisions = pd.DatetimeIndex(np.concatenate([fold.decisions for fold in group]))
        joined.append(Fold(number, group[0].train_start, group[0].train_end, decisions))
    return joined
