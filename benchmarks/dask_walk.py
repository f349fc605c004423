"""How well a walk forward is shared by the workers of a Dask cluster, and by local processes.

Run from the repository: ``python benchmarks/dask_walk.py``. A GRU is walked forward over a
simulated market with nothing kept: by this process alone, and by 1, 2, 4, ... workers and
processes, in turn. Prints the least seconds of ``--repeats`` rounds, speed-up and efficiency (over
one process, by the number of workers), and all of it as JSON. Ends with an error if a forecast has
other bits, or if the efficiency of the most workers lies under ``--least``. Workers are started
here, or with ``--address`` those of a running cluster are used, all of them.
Options: ``--most-workers``, ``--folds``, ``--samples``, ``--repeats``, ``--least``, ``--address``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable

import pandas as pd
from distributed import LocalCluster

from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.core.cluster import Cluster, check_workers, connected
from regime_nas_pipeline.core.cluster_place import use_cluster
from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.market.synthetic import regime_switching_market
from regime_nas_pipeline.networks.training import TrainingPlan
from regime_nas_pipeline.walkforward.folds import make_folds
from regime_nas_pipeline.walkforward.forecasts import walk_forward

REFIT_EVERY = 126
FIRST_FIT = 1000

Walk = Callable[[int], str]


def make_walk(n_folds: int, max_samples: int) -> Walk:
    """A walk forward in so many processes, as a hash of its forecasts."""
    n_bars = FIRST_FIT + n_folds * REFIT_EVERY + 2
    market, _ = regime_switching_market(n_assets=20, n_bars=n_bars, seed=1)
    folds = make_folds(
        market,
        first_oos=market.dates[FIRST_FIT],
        refit_every=REFIT_EVERY,
        rebalance_every=21,
        execution_lag=1,
    )
    forecaster = GRUForecaster(training=TrainingPlan(max_samples=max_samples), device="cpu")

    def walk(n_jobs: int) -> str:
        walked = walk_forward(forecaster, market, folds, cache=PieceCache(None), n_jobs=n_jobs)
        rows = pd.util.hash_pandas_object(walked.forecasts).to_numpy()
        return hashlib.sha256(rows.tobytes()).hexdigest()

    return walk


def warm_up() -> None:
    """Load what a piece needs: the walk's seconds are not those of starting."""
    make_walk(1, 500)(1)


def timed(walk: Walk, n_jobs: int) -> tuple[float, str]:
    """Seconds of a walk, and its hash."""
    started = time.perf_counter()
    found = walk(n_jobs)
    return time.perf_counter() - started, found


def on_cluster(walk: Walk, cluster: Cluster) -> tuple[float, str]:
    """The same on a cluster, whose workers have imported what they need."""
    with connected(cluster) as client:
        check_workers(client, folder=None)
        client.run(warm_up)
    use_cluster(cluster)
    try:
        return timed(walk, -1)
    finally:
        use_cluster(None)


def measured(walk: Walk, options: argparse.Namespace) -> dict[str, list[tuple[float, str]]]:
    """Every way of every round, in turn, so that a busy spell slows them all."""
    found: dict[str, list[tuple[float, str]]] = {}
    sizes = [2**n for n in range(options.most_workers.bit_length())]
    for _ in range(options.repeats):
        found.setdefault("processes 1", []).append(timed(walk, 1))
        if options.address:
            with connected(Cluster(options.address)) as client:
                n_workers = len(client.nthreads())
            made = on_cluster(walk, Cluster(options.address, n_workers))
            found.setdefault(f"workers {n_workers}", []).append(made)
            continue
        for size in sizes:
            with LocalCluster(
                n_workers=size, threads_per_worker=1, dashboard_address=None
            ) as local:
                made = on_cluster(walk, Cluster(local.scheduler_address, size))
            found.setdefault(f"workers {size}", []).append(made)
            if size > 1:
                found.setdefault(f"processes {size}", []).append(timed(walk, size))
    return found


def main() -> None:
    """Read the options, measure, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most-workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--folds", type=int, default=16)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--least", type=float, default=0.0)
    parser.add_argument("--address")
    options = parser.parse_args()
    found = measured(make_walk(options.folds, options.samples), options)
    seconds = {name: min(each for each, _ in made) for name, made in found.items()}
    hashes = {hashed for made in found.values() for _, hashed in made}
    alone = seconds["processes 1"]
    rows = []
    print(f"{'':<16}{'seconds':>10}{'speed-up':>10}{'efficiency':>12}")
    for name, took in seconds.items():
        size = int(name.split()[1])
        rows.append({"way": name, "seconds": took, "efficiency": alone / took / size})
        print(f"{name:<16}{took:10.2f}{alone / took:10.2f}{alone / took / size:12.1%}")
    print("every forecast has the same bits" if len(hashes) == 1 else "forecasts differ")
    print(json.dumps({"folds": options.folds, "samples": options.samples, "rows": rows}))
    most = [row for row in rows if row["way"].startswith("workers")][-1]
    if len(hashes) > 1:
        sys.exit("forecasts differ")
    if most["efficiency"] < options.least:
        sys.exit(f"{most['way']}: efficiency {most['efficiency']:.1%}")


if __name__ == "__main__":
    main()
