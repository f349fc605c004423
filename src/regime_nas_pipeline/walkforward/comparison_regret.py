"""Regret of strategies on spaces of which every candidate has been trained and scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache, code_version, content_hash
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.search.outer import OuterSettings, Strategy, trial_seed
from regime_nas_pipeline.search.regret import Candidate, expected_random_regret, regret_curves
from regime_nas_pipeline.search.space import enumerate_space
from regime_nas_pipeline.walkforward.comparison_beds import (
    evaluated,
    planted_bed,
    single_evaluation,
    task_on,
)
from regime_nas_pipeline.walkforward.comparison_parameters import Landscapes, SearchComparison
from regime_nas_pipeline.walkforward.parameters import Compute
from regime_nas_pipeline.walkforward.tuning import task_hash

RANDOM = "random"
HALF = 0.5
"""Part of the random control's regret that a strategy must stay below to count as better."""


def score_landscapes(
    settings: SearchComparison, compute: Compute, cache: PieceCache
) -> list[dict[Candidate, float]]:
    """Score every candidate of the space on every planted market.

    Args:
        settings: Space, markets and seeds.
        compute: Seed and processes.
        cache: One piece per market, candidate and seed.

    Returns:
        For each market: candidate to its validation score, the mean over seeds.
    """
    wanted = settings.regret
    candidates = list(enumerate_space(wanted.space))
    seeds = [trial_seed(compute.seed, number) for number in range(wanted.seeds)]
    tasks = []
    for number in range(wanted.landscapes):
        bed = planted_bed(settings, number, compute)
        task = task_on(bed, wanted, single_evaluation(settings, wanted.budget))
        task_id = task_hash(task)
        tasks += [
            (task, task_id, choices, seed, None, cache) for choices in candidates for seed in seeds
        ]
    found = parallel_map(
        evaluated, tasks, n_jobs=compute.n_jobs, description="landscapes", unit="evaluation"
    )
    scores = np.array([facts["score"] for facts in found])
    means = scores.reshape(wanted.landscapes, len(candidates), wanted.seeds).mean(axis=2)
    names = [tuple(choices.values()) for choices in candidates]
    return [dict(zip(names, row.tolist(), strict=True)) for row in means]


def replay(
    landscapes: Sequence[Mapping[Candidate, float]],
    settings: Landscapes,
    compute: Compute,
    cache: PieceCache,
) -> pd.DataFrame:
    """Search every landscape with every strategy, by looking scores up.

    Returns:
        ``landscape``, ``strategy``, ``evaluations`` and ``regret``: the mean over replays of what
        the best candidate so far lacks, in units of the score. ``random`` is exact: its
        expectation over all orders.
    """
    tasks = [
        (dict(table), strategy, number, settings, compute.seed, cache)
        for table in landscapes
        for strategy, times in settings.replays.items()
        for number in range(times)
    ]
    found = parallel_map(
        replayed, tasks, n_jobs=compute.n_jobs, description="replays", unit="search"
    )
    curves = iter(found)
    frames = []
    for landscape, table in enumerate(landscapes):
        for strategy, times in settings.replays.items():
            mean = np.mean([next(curves) for _ in range(times)], axis=0)
            frames.append(_frame(landscape, strategy, mean))
        frames.append(_frame(landscape, RANDOM, random_curve(table, settings.fraction)))
    return pd.concat(frames, ignore_index=True)


def replayed(
    table: dict[Candidate, float],
    strategy: str,
    number: int,
    settings: Landscapes,
    seed: int,
    cache: PieceCache,
) -> np.ndarray:
    """Regret of one search after every evaluation; kept when finished."""
    own_seed = trial_seed(seed, number)
    outer = OuterSettings(
        strategy="random",
        trials=1,
        start_up=settings.start_up,
        exploration=settings.exploration,
        batch=settings.batch,
    )

    def make() -> Bundle:
        curves = regret_curves(
            settings.space,
            table,
            cast(Strategy, strategy),
            outer,
            seeds=[own_seed],
            fraction=settings.fraction,
        )
        return Bundle({"regret": curves[0]})

    key = content_hash(
        "replayed",
        code_version(),
        {name: each.model_dump(mode="json") for name, each in settings.space.items()},
        [[list(candidate), score] for candidate, score in table.items()],
        strategy,
        own_seed,
        [settings.start_up, settings.exploration, settings.batch, settings.fraction],
    )
    return cache.get_or_make(key, make).arrays["regret"]


def random_curve(table: Mapping[Candidate, float], fraction: float) -> np.ndarray:
    """Expected regret of the random control after every evaluation, exactly."""
    n_all = len(table)
    n_drawn = max(1, int(fraction * n_all))
    scores = list(table.values())
    # A little more than n / N, so that rounding down gives n.
    return np.array(
        [
            expected_random_regret(scores, min(1.0, (n + 1e-6) / n_all))
            for n in range(1, n_drawn + 1)
        ]
    )


def regret_table(curves: pd.DataFrame) -> pd.DataFrame:
    """Regret at the end of every curve, and its share of the random control's.

    Args:
        curves: Of :func:`replay`.

    Returns:
        ``landscape``, ``strategy``, ``evaluations``, ``regret``, ``ratio`` (to random; blank
        where random has none either).
    """
    last = curves.groupby(["landscape", "strategy"], sort=False, as_index=False).last()
    control = last[last["strategy"] == RANDOM].set_index("landscape")["regret"]
    by = last["landscape"].map(control)
    return last.assign(ratio=(last["regret"] / by.where(by > 0.0)))


def regret_claim(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """In how many landscapes each strategy has at most half of the random control's regret.

    Args:
        table: Of :func:`regret_table`.

    Returns:
        Strategy to ``halved`` (landscapes), ``landscapes`` and ``median_ratio``.
    """
    learners = table[table["strategy"] != RANDOM]
    return {
        str(strategy): {
            "halved": int((own["ratio"] <= HALF).sum()),
            "landscapes": len(own),
            "median_ratio": float(own["ratio"].median()),
        }
        for strategy, own in learners.groupby("strategy", sort=False)
    }


def _frame(landscape: int, strategy: str, regret: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "landscape": landscape,
            "strategy": strategy,
            "evaluations": np.arange(1, len(regret) + 1),
            "regret": regret,
        }
    )
