"""How the cost of every stage grows with the number of assets and of years.

Run from the repository: ``python benchmarks/scaling.py``. Prices are simulated. Each stage of a
walk forward (``scaling_stages.py``) is timed in a process of its own, on one core, for every number
of assets and of years. Prints JSON: processor seconds and memory of every stage and size, and the
exponents b of cost ~ size^b:

- ``assets`` and ``years``: least squares in logarithms, along the largest number of years and
  along the largest number of assets;
- ``last_assets`` and ``last_years``: between the two largest sizes alone. Nothing is subtracted,
  so that a cost that depends on no size pulls the first two down, and the last two show better
  where a stage is going; ``constant`` lists stages of whose smallest cost that is more than half.

Networks make a fixed number of passes over windows that grow with the data; a run with a fixed
budget (``training.max_samples``) spends the same on any data. ``covariance`` and
``quadratic program`` grow faster than the number of assets by their nature, and what reads all
bars so far at every refit or decision (``every_bar``) faster than the years.

Of ``--repeats`` runs the least time counts: whatever disturbs a run adds to it, the clearing of new
memory by the system above all. Other options: ``--assets 20 100 500``, ``--years 5 10 20``,
``--stages features windows`` for some stages, ``--passes`` (of networks), ``--resamples`` (in
tests), ``--output``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from scaling_cell import Cell
from scaling_stages import STAGES, write_inputs
from threadpoolctl import threadpool_limits

BY_NATURE = ("covariance", "quadratic program")
"""Stages that grow faster than the assets whatever the code, and are stated apart."""

EVERY_BAR = ("labels, all refits", "walk, expanding")
"""Stages that read all bars so far again and again: square in the years, and stated apart."""

Measured = dict[str, float]


def in_own_process(name: str | None, cell: Cell) -> Measured:
    """Time one stage, or write the inputs of all where there is no name.

    Raises:
        RuntimeError: The process failed.
    """
    # Libraries are imported already: a forked process starts with them and with nothing else.
    fork = multiprocessing.get_context("fork")
    near, far = fork.Pipe()
    process = fork.Process(target=_measure, args=(name, cell, far))
    process.start()
    far.close()
    try:
        found: Measured = near.recv()
    except EOFError:
        found = {}
    process.join()
    if process.exitcode or not found:
        raise RuntimeError(f"'{name}' failed on {cell.assets} assets and {cell.years} years.")
    return found


def _measure(name: str | None, cell: Cell, answer: Connection) -> None:
    with threadpool_limits(1):
        if name is None:
            write_inputs(cell)
            answer.send({"peak_gb": _peak()})
            return
        work = STAGES[name](cell)
        _forget_peak()
        before, started = _peak(), time.process_time()
        work()
        seconds = time.process_time() - started
        answer.send({"cpu_seconds": seconds, "before_gb": before, "peak_gb": _peak()})


def _forget_peak() -> None:
    """Let the peak of memory start anew, where the kernel can: inputs are not part of a stage."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _peak() -> float:
    """Largest resident memory of this process (Linux counts in kilobytes), in gigabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def summed_up(found: list[Measured]) -> Measured:
    """The least time, and the most memory, of several runs."""
    most = {key: max(one[key] for one in found) for key in found[0]}
    times = [one["cpu_seconds"] for one in found]
    return {key: round(value, 4) for key, value in {**most, "cpu_seconds": min(times)}.items()}


def exponent(sizes: list[int], costs: list[float]) -> float | None:
    """Slope of log cost on log size; None where there is one size or no cost."""
    if len(sizes) < 2 or min(costs) <= 0.0:
        return None
    return round(float(np.polyfit(np.log(sizes), np.log(costs), 1)[0]), 3)


def exponents_of(table: dict[tuple[int, int], float]) -> dict[str, Any]:
    """Exponents of one stage, and whether most of its smallest cost depends on no size.

    Args:
        table: (assets, years) to cost.
    """
    assets, years = (sorted({size[axis] for size in table}) for axis in (0, 1))
    by_assets = [table[n, years[-1]] for n in assets]
    by_years = [table[assets[-1], n] for n in years]
    smallest, largest = table[assets[0], years[0]], table[assets[-1], years[-1]]
    growth = assets[-1] * years[-1] / (assets[0] * years[0])
    # With cost = fixed + slope x size, this is the fixed part of the smallest cell.
    fixed = (smallest - largest / growth) / (1.0 - 1.0 / growth) if growth > 1.0 else 0.0
    return {
        "assets": exponent(assets, by_assets),
        "years": exponent(years, by_years),
        "last_assets": exponent(assets[-2:], by_assets[-2:]),
        "last_years": exponent(years[-2:], by_years[-2:]),
        "constant": bool(fixed > 0.5 * smallest),
    }


def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    """Every stage on every size."""
    costs: dict[str, dict[tuple[int, int], Measured]] = {name: {} for name in chosen.stages}
    for assets in sorted(chosen.assets, reverse=True):
        for years in sorted(chosen.years, reverse=True):
            with tempfile.TemporaryDirectory() as folder:
                cell = Cell(Path(folder), assets, years, chosen.passes, chosen.resamples)
                in_own_process(None, cell)
                for name in chosen.stages:
                    found = [in_own_process(name, cell) for _ in range(chosen.repeats)]
                    costs[name][assets, years] = summed_up(found)
                    print(name, assets, years, costs[name][assets, years], file=sys.stderr)
    exponents = {}
    for name, table in costs.items():
        seconds = {size: found["cpu_seconds"] for size, found in table.items()}
        exponents[name] = exponents_of(seconds)
    return {
        "assets": sorted(chosen.assets),
        "years": sorted(chosen.years),
        "passes": chosen.passes,
        "resamples": chosen.resamples,
        "cells": [
            {"stage": name, "assets": size[0], "years": size[1], **found}
            for name, table in costs.items()
            for size, found in table.items()
        ],
        "exponents": exponents,
        "by_nature": [name for name in BY_NATURE if name in costs],
        "every_bar": [name for name in EVERY_BAR if name in costs],
        "constant": [name for name, found in exponents.items() if found["constant"]],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, nargs="+", default=[20, 100, 500])
    parser.add_argument("--years", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--stages", nargs="+", choices=list(STAGES), default=list(STAGES))
    parser.add_argument("--passes", type=float, default=1.0)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--output", type=Path)
    chosen = parser.parse_args()
    result = json.dumps(measure(chosen), indent=1)
    if chosen.output is not None:
        chosen.output.write_text(result + "\n")
    print(result)


if __name__ == "__main__":
    main()
