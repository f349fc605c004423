"""Do cheap evaluations rank candidates as full ones do?

Candidates drawn uniformly from a space are evaluated in full on several seeds, and by every
shortcut on a seed of its own. A shortcut is compared with each full evaluation as the full ones
are with one another, so that the agreement of two full evaluations is its ceiling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.search.outer import trial_seed
from regime_nas_pipeline.search.space import Space
from regime_nas_pipeline.search.surrogate import predict_scores
from regime_nas_pipeline.search.tried import Candidates, Tried
from regime_nas_pipeline.walkforward.comparison_beds import (
    Bed,
    evaluated,
    single_evaluation,
    task_on,
)
from regime_nas_pipeline.walkforward.comparison_parameters import SearchComparison
from regime_nas_pipeline.walkforward.comparison_ranks import agreement, regret_of_pick
from regime_nas_pipeline.walkforward.parameters import Compute
from regime_nas_pipeline.walkforward.proxy import check_proxy
from regime_nas_pipeline.walkforward.search_parameters import Proxy
from regime_nas_pipeline.walkforward.subnetwork_scores import subnetwork_scores
from regime_nas_pipeline.walkforward.tuning import task_hash

FULL = "full"
"""A second full evaluation: the ceiling."""
SHARED = "weight_sharing"
SURROGATE = "surrogate"


@dataclass(frozen=True, eq=False)
class Measured:
    """Scores of all K candidates by one way to evaluate them.

    Attributes:
        name: Of the way.
        scores: Lower is better, (K,).
        gradient_samples: Spent on all candidates together.
        seconds: Of one process, likewise.
        groups: Candidates with equal labels may be compared, (K,); None for all.
    """

    name: str
    scores: np.ndarray
    gradient_samples: int
    seconds: float
    groups: np.ndarray | None = None


def drawn_candidates(space: Space, n: int, seed: int) -> list[dict[str, Any]]:
    """Candidates drawn uniformly without replacement."""
    candidates, generator = Candidates(space), np.random.default_rng(seed)
    chosen: list[dict[str, Any]] = []
    for _ in range(n):
        chosen.append(Tried(candidates, chosen).random(generator))
    return chosen


def measure_shortcuts(
    bed: Bed, settings: SearchComparison, compute: Compute, cache: PieceCache
) -> tuple[list[Measured], list[Measured]]:
    """Evaluate candidates in full and by every shortcut.

    Args:
        bed: Where they are evaluated.
        settings: Candidates, seeds and shortcuts.
        compute: Seed and processes.
        cache: Where finished evaluations are kept.

    Returns:
        The full evaluations, one per seed, and the shortcuts.

    Raises:
        ParameterError: A shortcut does not fit the forecaster, or a budget pays for no batch.
    """
    wanted = settings.shortcuts
    task = task_on(bed, wanted, single_evaluation(settings, wanted.budget))
    for proxy in wanted.proxies.values():
        check_proxy(task, wanted.space, proxy)
    choices = drawn_candidates(wanted.space, wanted.candidates, compute.seed)
    own_seed = trial_seed(compute.seed, wanted.seeds)
    ways: list[tuple[str, int, Proxy | None]] = [
        (FULL, trial_seed(compute.seed, number), None) for number in range(wanted.seeds)
    ]
    ways += [(name, own_seed, proxy) for name, proxy in wanted.proxies.items()]
    task_id = task_hash(task)
    found = parallel_map(
        evaluated,
        [(task, task_id, each, seed, proxy, cache) for _, seed, proxy in ways for each in choices],
        n_jobs=compute.n_jobs,
        description="shortcuts",
        unit="evaluation",
    )
    n = len(choices)
    measured = [
        _measured(name, found[place * n : (place + 1) * n])
        for place, (name, _, _) in enumerate(ways)
    ]
    full, others = measured[: wanted.seeds], measured[wanted.seeds :]
    if wanted.weight_sharing is not None:
        budget = int(wanted.weight_sharing * wanted.budget)
        facts = subnetwork_scores(task, task_id, choices, budget, own_seed, cache)
        others.append(
            Measured(SHARED, np.array(facts["scores"]), facts["gradient_samples"], facts["seconds"])
        )
    others.append(_by_surrogate(wanted.space, choices, full, compute.seed))
    return full, others


def _measured(name: str, found: Sequence[Mapping[str, Any]]) -> Measured:
    return Measured(
        name,
        np.array([facts["score"] for facts in found]),
        sum(facts["gradient_samples"] for facts in found),
        sum(facts["seconds"] for facts in found),
    )


def _by_surrogate(
    space: Space, choices: Sequence[dict[str, Any]], full: Sequence[Measured], seed: int
) -> Measured:
    """Each half of the candidates, predicted from full scores of the other half.

    Leaving one out at a time would not do: the mean of the others falls where the one left out is
    high, so that a regressor that has learned nothing ranks perfectly the wrong way round.
    """
    order = np.random.default_rng([seed, 1]).permutation(len(choices))
    groups = np.zeros(len(choices), dtype=int)
    groups[order[: len(choices) // 2]] = 1
    scores = np.empty(len(choices))
    for label in (0, 1):
        asked = np.flatnonzero(groups == label).tolist()
        known = np.flatnonzero(groups != label).tolist()
        scores[asked] = predict_scores(
            space,
            [choices[row] for row in known],
            full[0].scores[known].tolist(),
            [choices[row] for row in asked],
        )
    # Half of the candidates are evaluated in full, the others for nothing.
    return Measured(SURROGATE, scores, full[0].gradient_samples // 2, full[0].seconds / 2.0, groups)


def shortcut_table(
    full: Sequence[Measured], others: Sequence[Measured], *, draws: int, seed: int
) -> pd.DataFrame:
    """What every shortcut saves and how far it agrees with a full evaluation of another seed.

    Args:
        full: Full evaluations, one per seed, two at least.
        others: Shortcuts.
        draws: Bootstrap draws.
        seed: Of the draws.

    Returns:
        One row per way, the full one first: ``samples_saved`` and ``seconds_saved`` (share of a
        full evaluation), ``kendall`` and ``spearman`` with intervals, and ``regret`` of picking
        the best candidate by it: mean full score of the pick less the lowest, in units of the
        score. The first row is the ceiling: full evaluations against one another.
    """
    truth = np.mean([each.scores for each in full], axis=0)
    samples = np.mean([each.gradient_samples for each in full])
    seconds = np.mean([each.seconds for each in full])
    ceiling = agreement(
        [(first.scores, second.scores) for first, second in combinations(full, 2)],
        draws=draws,
        seed=seed,
    )
    rows = [
        {
            "shortcut": FULL,
            "samples_saved": 0.0,
            "seconds_saved": 0.0,
            **asdict(ceiling),
            "regret": float(
                np.mean([_regret_of_seed(full, number) for number in range(len(full))])
            ),
        }
    ]
    for each in others:
        # The surrogate has seen the first seed's scores, of other candidates.
        found = agreement(
            [(each.scores, seed_.scores) for seed_ in full],
            groups=each.groups,
            draws=draws,
            seed=seed,
        )
        rows.append(
            {
                "shortcut": each.name,
                "samples_saved": 1.0 - each.gradient_samples / samples,
                "seconds_saved": 1.0 - each.seconds / seconds,
                **asdict(found),
                "regret": regret_of_pick(each.scores, truth, each.groups),
            }
        )
    return pd.DataFrame(rows).astype({name: float for name in rows[0] if name != "shortcut"})


def _regret_of_seed(full: Sequence[Measured], number: int) -> float:
    """Regret of picking by one full evaluation, judged by the others."""
    others = [each.scores for place, each in enumerate(full) if place != number]
    return regret_of_pick(full[number].scores, np.mean(others, axis=0))


def shortcut_scores(full: Sequence[Measured], others: Sequence[Measured]) -> pd.DataFrame:
    """Score of every candidate by every way: shortcut, candidate, score, full_score."""
    truth = np.mean([each.scores for each in full], axis=0)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "shortcut": each.name,
                    "candidate": np.arange(len(truth)),
                    "score": each.scores,
                    "full_score": truth,
                }
            )
            for each in others
        ],
        ignore_index=True,
    )
