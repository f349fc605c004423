"""What the default search finds with a fifth of random search's gradient samples.

Run from the repository: ``python benchmarks/search_found.py``. ``search_speed.py`` judges a search
by its candidates as their trials have trained them. Here what was found is trained as the planted
experiment trains it (``conf/base/parameters_planted.yml``: six networks, averaged) and judged by
its oracle efficiency on bars that no search has seen, inputs ``raw``, on one market for each of
``--markets``. Three searches on each, or those of ``--ways``:

- ``random``: random choices, random cells, with ``--budget`` gradient samples, by default the
  experiment's, in ``--random-trials`` trials;
- ``default``: Bayesian choices, cells by gradient, with ``--part`` of it in ``--trials`` trials;
- ``random, less``: random search with the budget and number of trials of ``default``, which says
  what the search has to do with it.

Prints JSON: every efficiency, the medians, and whether the default's is as high as random's. With
``--budget 2000000 --random-trials 10 --trials 2`` the default has the experiment's budget. Markets
below 10 were used in development, 11 to 15 are those of the experiment. Other options:
``--n-jobs``, ``--output``.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from search_speed import read_parameters

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.parallel import parallel_map
from regime_nas_pipeline.verdict.efficiency import r2_zero
from regime_nas_pipeline.walkforward.planted.cells import Cell, oracle_outcome, run_cell
from regime_nas_pipeline.walkforward.planted.markets import simulate

RANDOM, DEFAULT, LESS = "random", "default", "random, less"
WAYS = (RANDOM, DEFAULT, LESS)


def found(way: str, market_seed: int, trials: int, budget: int) -> dict[str, Any]:
    """Search in one of the ways, train what was found, and judge it on later bars."""
    planted, compute = read_parameters(trials=trials, budget=budget)
    name = "regime_nas" if way == DEFAULT else "random_search"
    began = time.process_time()
    piece = run_cell(Cell("planted", market_seed, "raw", name), planted, compute, PieceCache(None))
    seconds = time.process_time() - began
    simulated = simulate(planted.markets, "planted", market_seed)
    oracle = oracle_outcome(planted.markets, simulated)
    best_possible = r2_zero(oracle.arrays["mean"], simulated.target)
    return {
        "way": way,
        "market": market_seed,
        "samples": sum(row["budget_spent"] for row in piece.facts["trials"]),
        "seconds": seconds,
        "efficiency": r2_zero(piece.arrays["mean"], simulated.target) / best_possible,
    }


def summed_up(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the markets of each way, and whether the default's is as high as random's."""
    medians = {
        way: {
            name: float(np.median([row[name] for row in rows if row["way"] == way]))
            for name in ("samples", "seconds", "efficiency")
        }
        for way in dict.fromkeys(row["way"] for row in rows)
    }
    if not {RANDOM, DEFAULT} <= set(medians):
        return {"medians": medians}
    random, default = medians[RANDOM], medians[DEFAULT]
    return {
        "medians": medians,
        "samples of default over random": default["samples"] / random["samples"],
        "as good as random": default["efficiency"] >= random["efficiency"],
    }


def main() -> None:
    """Read the options, search, compare, print."""
    usual = read_parameters()[0].search
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markets", type=int, nargs="+", default=[21, 22, 23, 24, 25])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--budget", type=int, default=usual.budget)
    parser.add_argument("--random-trials", type=int, default=usual.trials)
    parser.add_argument("--part", type=float, default=0.2)
    parser.add_argument("--trials", type=int, default=1)
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    less = (options.trials, round(options.part * options.budget))
    sizes = dict.fromkeys(options.ways, less) | {RANDOM: (options.random_trials, options.budget)}
    tasks = [(way, market, *sizes[way]) for market in options.markets for way in options.ways]
    rows = parallel_map(found, tasks, n_jobs=options.n_jobs, description="searches", unit="search")
    result = {
        "options": {"trials and budget": sizes},
        "rows": rows,
        **summed_up(rows),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
