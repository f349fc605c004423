"""How early in a candidate's training its error tells where it will end.

Run from the repository: ``python benchmarks/early_errors.py``. Halving saves samples where a
candidate that will be good can be told from the others long before its training ends. Random
candidates of the planted experiment (``conf/base/parameters_planted.yml``, inputs ``raw``) are
trained to the end, ``--trials`` of them with ``--samples`` each on every market of ``--markets``.
After each epoch two things are set beside their validation scores at the end: the lowest error so
far on the candidate's own early-stopping tail, which is what halving would judge it by, as a rank
correlation (Spearman), and the place that this gives to the candidate that ends best.

Prints JSON: one row per market and epoch. Markets below 10 were used in development. Other options:
``--seed`` (of the search), ``--n-jobs``, ``--output``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata, spearmanr
from search_speed import RANDOM, trials_of

from regime_nas_pipeline.core.parallel import parallel_map


def told(market_seed: int, seed: int, trials: int, samples: int) -> list[dict[str, Any]]:
    """What every epoch's errors say of the scores at the end, on one market."""
    outcomes = [t.outcome for t in trials_of(RANDOM, market_seed, seed, trials, samples)]
    scores = np.array([outcome.score for outcome in outcomes])
    courses = [outcome.facts["course"] for outcome in outcomes]
    rows = []
    for epoch in range(1, min(map(len, courses)) + 1):
        errors = [min(row["validation_loss"] for row in course[:epoch]) for course in courses]
        spent = float(np.mean([course[epoch - 1]["samples"] for course in courses]))
        places = rankdata(errors, method="min")
        rows.append(
            {
                "market": market_seed,
                "samples": spent,
                "part": spent / samples,
                "rank_correlation": float(spearmanr(errors, scores).statistic),
                "place_of_best": int(places[scores.argmin()]),
                "candidates": len(scores),
            }
        )
    return rows


def main() -> None:
    """Read the options, train, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markets", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--trials", type=int, default=25)
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    tasks = [(market, options.seed, options.trials, options.samples) for market in options.markets]
    found = parallel_map(told, tasks, n_jobs=options.n_jobs, description="markets", unit="market")
    result = {
        "options": {"trials": options.trials, "samples": options.samples, "seed": options.seed},
        "rows": [row for rows in found for row in rows],
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
