"""Training windows a second: this package beside plain torch and neuralforecast.

Run from the repository: ``python benchmarks/training.py``. One refit of the default run (20 stocks
from 2000 to 2014, windows of 60 bars, forecasts of 21) is trained by every contender, a GRU and a
Transformer of the same shape each, with the same budget in windows. Package and plain torch train
in one process of one thread on each core at the same time, plain torch one seed in each, the
package one or as many as it averages over; neuralforecast trains in one process on all cores, or
likewise. First, on a twelfth of the budget, each contender's fastest setting is found, in float32
and with products in bfloat16; then its default and its fastest ones take turns, round after round,
so that a busy spell slows all of them. Prints JSON: windows a second of the whole machine, windows
a processor second, validation error after the budget, and ratios of the package's best to each
peer's best in the same precision.
Options: ``--windows``, ``--repeats``, ``--jobs`` (cores), ``--networks``, ``--batches``,
``--contenders``.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import multiprocessing
import os
import sys
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import torch
import yaml
from training_contenders import prepare
from training_work import (
    FIRST_OOS,
    NETWORKS,
    SPEC,
    Network,
    Setting,
    Work,
    make_work,
)

BATCHES = (160, 512, 1024)
"""Windows in a step that are tried, beside each contender's default."""

CONFIGURED = Path(__file__).parents[1] / "conf" / "base" / "parameters_baseline_training.yml"
"""Where the package's default batch and number of seeds stand."""

NEURALFORECAST_BATCH: dict[Network, int] = {"gru": 128, "transformer": 1024}
"""Its own defaults of ``windows_batch_size``."""

FEW_SERIES = 2
"""Series that a step of neuralforecast draws from, beside its default of all: it copies all their
windows in every step."""

OWN = "project"

SCOUT = 12
PATIENCE_SECONDS = 900.0

_started: Barrier
_work: Work


@dataclass(frozen=True)
class Run:
    """One training run on the whole machine.

    Attributes:
        windows: That passed through a loss, over all processes.
        seconds: From the first process' first step to the last one's last.
        processor_seconds: Of all processes and threads.
        errors: Validation error of every process' network.
        parameters: Weights of one network.
    """

    windows: int
    seconds: float
    processor_seconds: float
    errors: list[float]
    parameters: int

    @property
    def rate(self) -> float:
        """Windows a second."""
        return self.windows / self.seconds


def begin(started: Barrier) -> None:
    """Set a worker up: all of them wait for each other before a first step."""
    global _started, _work
    _started, _work = started, make_work()


def trained(setting: Setting, windows: int, seed: int, threads: int) -> tuple[Any, ...]:
    """Train in a worker; returns when it began and ended, what it spent and what came of it."""
    torch.set_num_threads(threads)
    try:
        prepared = prepare(_work, setting, windows, seed)
    except BaseException:
        _started.abort()
        raise
    if not setting.alone:
        _started.wait(PATIENCE_SECONDS)
    begun, spent = time.perf_counter(), time.process_time()
    done = prepared.run()
    spent, ended = time.process_time() - spent, time.perf_counter()
    torch.set_num_threads(1)
    errors = [_work.error(each) for each in prepared.forecasts()]
    return begun, ended, spent, done, errors, prepared.parameters


def run(pool: ProcessPoolExecutor, setting: Setting, windows: int, seed: int, jobs: int) -> Run:
    """Train on the whole machine."""
    processes, threads = (1, jobs) if setting.alone else (jobs, 1)
    made = [
        pool.submit(trained, setting, windows, seed * jobs + number, threads)
        for number in range(processes)
    ]
    begun, ended, spent, done, errors, parameters = zip(
        *(each.result() for each in made), strict=True
    )
    every = [error for of_process in errors for error in of_process]
    return Run(sum(done), max(ended) - min(begun), sum(spent), every, parameters[0])


def candidates(
    contender: str, network: Network, batches: tuple[int, ...], n_assets: int
) -> list[Setting]:
    """Settings of a contender; the first is its default, where it has one."""
    if contender == "torch":
        return [Setting(contender, network, batch) for batch in batches]
    if contender == OWN:
        configured = yaml.safe_load(CONFIGURED.read_text())["training"]
        tried = tuple(max(1, batch // n_assets) for batch in batches)
        return [
            Setting(contender, network, n_assets * dates, seeds=seeds)
            for seeds in dict.fromkeys((configured["n_seeds"], 1))
            for dates in dict.fromkeys((configured["batch_dates"], *tried))
        ]
    default = NEURALFORECAST_BATCH[network]
    sizes = dict.fromkeys((default, *batches[1:]))
    return [
        Setting(contender, network, batch, alone, series)
        for batch in sizes
        for series in (None, FEW_SERIES)
        for alone in (True, False)
    ]


def chosen_settings(
    pool: ProcessPoolExecutor, options: argparse.Namespace, n_assets: int
) -> dict[str, list[Setting]]:
    """Default and fastest setting of every contender, and its fastest in bfloat16, by network."""
    chosen: dict[str, list[Setting]] = defaultdict(list)
    for network, mixed in itertools.product(options.networks, (False, True)):
        for contender in options.contenders:
            tried = [
                replace(setting, mixed=mixed)
                for setting in candidates(contender, network, tuple(options.batches), n_assets)
            ]
            # Libraries import more at their first step, which no contender is to pay for.
            run(pool, tried[0], tried[0].batch, 0, options.jobs)
            rates = {}
            for setting in tried:
                windows = max(options.windows // SCOUT, setting.batch)
                rates[setting] = run(pool, setting, windows, 0, options.jobs).rate
                print(f"{setting} {rates[setting]:.0f} windows/s", file=sys.stderr)
            best = max(rates, key=lambda each: rates[each])
            chosen[network] += [best] if mixed else dict.fromkeys((tried[0], best))
    return chosen


def spread(values: list[float]) -> dict[str, float]:
    """Median and percentiles."""
    low, middle, high = np.percentile(values, [5, 50, 95])
    return {"median": float(middle), "p5": float(low), "p95": float(high)}


def told(setting: Setting, runs: list[Run]) -> dict[str, Any]:
    """A setting and what it reached over all rounds."""
    return {
        **asdict(setting),
        "parameters": runs[0].parameters,
        "windows": runs[0].windows,
        "windows_per_second": spread([each.rate for each in runs]),
        "windows_per_processor_second": spread(
            [each.windows / each.processor_seconds for each in runs]
        ),
        "validation_error": spread([error for each in runs for error in each.errors]),
    }


def ratios(network: str, runs: dict[Setting, list[Run]]) -> list[dict[str, Any]]:
    """Windows a second of the package over those of each peer, round by round, best of each.

    Each precision by itself.
    """
    best: dict[tuple[bool, str], list[Run]] = {}
    for setting, made in runs.items():
        who = setting.mixed, setting.contender
        known = best.get(who)
        if known is None or np.median([r.rate for r in made]) > np.median([r.rate for r in known]):
            best[who] = made
    return [
        {
            "group": f"{network}, mixed precision" if mixed else network,
            "peer": contender,
            "of": "windows a second",
            **spread(
                [mine.rate / its.rate for mine, its in zip(best[mixed, OWN], theirs, strict=True)]
            ),
        }
        for (mixed, contender), theirs in best.items()
        if contender != OWN and (mixed, OWN) in best
    ]


def measured(options: argparse.Namespace, n_assets: int) -> dict[str, Any]:
    """Every contender of every network, round after round."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(options.jobs)
    rows, found = [], []
    with ProcessPoolExecutor(
        options.jobs, mp_context=context, initializer=begin, initargs=(barrier,)
    ) as pool:
        for network, settings in chosen_settings(pool, options, n_assets).items():
            runs: dict[Setting, list[Run]] = {each: [] for each in settings}
            for number in range(options.repeats):
                # Every second round backwards: nobody always follows the same contender.
                for setting in settings[:: 1 if number % 2 == 0 else -1]:
                    runs[setting].append(run(pool, setting, options.windows, number, options.jobs))
            rows += [told(setting, made) for setting, made in runs.items()]
            found += ratios(network, runs)
    return {"rows": rows, "ratios": found}


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=72_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--batches", nargs="+", type=int, default=list(BATCHES))
    known = [OWN, "torch", "neuralforecast"]
    parser.add_argument("--contenders", nargs="+", choices=known, default=known)
    options = parser.parse_args()
    missing = {}
    if importlib.util.find_spec("neuralforecast") is None:
        options.contenders = [each for each in options.contenders if each != "neuralforecast"]
        missing["neuralforecast"] = "not installed"
    work = make_work()
    zeros = np.zeros((len(work.split.validation), work.n_assets))
    result = {
        "work": {
            "assets": work.n_assets,
            "channels": work.channels().shape[-1],
            "lookback": SPEC.lookback,
            "horizon": SPEC.horizon,
            "training_bars": len(work.split.training),
            "validation_rows": len(work.split.validation),
            "until": str(FIRST_OOS.date()),
            "windows": options.windows,
            "repeats": options.repeats,
            "jobs": options.jobs,
            "error_of_no_change": work.error(zeros),
        },
        "missing": missing,
        **measured(options, work.n_assets),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
