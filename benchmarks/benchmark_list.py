"""The benchmarks of ``make bench``, and what is kept of them in ``results.json``.

A benchmark is a script whose output ends with its result as JSON. It runs in a process of its
own. What is kept of it says when, on what machine and from which code it was made, and where it
could not run, why.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from regime_nas_pipeline.datasets.run_facts import git_sha

FOLDER = Path(__file__).parent
REPORTED = (
    "arch",
    "cvxpy-base",
    "daqp",
    "distributed",
    "neuralforecast",
    "numpy",
    "optuna",
    "pandas",
    "quadprog",
    "scipy",
    "skfolio",
    "statsforecast",
    "torch",
)
"""Packages whose versions are kept with a result, those of them that are installed."""


@dataclass(frozen=True)
class Benchmark:
    """One entry of the list.

    Attributes:
        name: In ``results.json``, and in the comments that its table stands between.
        script: In this folder.
        options: Of the run that is published.
        quick: Of a run that shows in a minute or two whether everything works.
        needs: Modules without which it cannot run at all.
        cuda: Whether it needs a GPU.
    """

    name: str
    script: str
    options: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    cuda: bool = False

    def obstacle(self) -> str | None:
        """Why it cannot run here; None where it can."""
        if not (FOLDER / self.script).is_file():
            return f"`benchmarks/{self.script}` is not there"
        absent = [name for name in self.needs if importlib.util.find_spec(name) is None]
        if absent:
            return f"{', '.join(absent)} is not installed"
        if self.cuda and not torch.cuda.is_available():
            return "the machine has no CUDA device"
        return None

    def command(self, *, quick: bool) -> list[str]:
        """What is typed, without the interpreter."""
        return [f"benchmarks/{self.script}", *(self.quick if quick else self.options)]


BENCHMARKS = (
    Benchmark(
        "training",
        "training.py",
        options=("--windows", "24000", "--repeats", "3"),
        quick=("--windows", "640", "--repeats", "2", "--batches", "160"),
    ),
    Benchmark("products", "products.py", quick=("--repeats", "1", "--seconds", "0.02")),
    Benchmark("training_options", "training_options.py", quick=("--networks", "gru")),
    Benchmark(
        "side_by_side",
        "side_by_side.py",
        options=("--device", "cpu"),
        quick=("--device", "cpu", "--samples", "1000", "--repeats", "1"),
    ),
    Benchmark(
        "gpu",
        "side_by_side.py",
        options=("--device", "cuda"),
        quick=("--device", "cuda", "--samples", "2000", "--repeats", "1"),
        cuda=True,
    ),
    Benchmark("garch", "garch.py", quick=("--stocks", "2", "--refits", "2")),
    Benchmark(
        "allocation",
        "allocation.py",
        quick=("--assets", "60", "--problems", "2", "--decisions", "3", "--rebalances", "4"),
    ),
    Benchmark("proposals", "proposals.py", quick=("--trials", "8", "--seeds", "1")),
    Benchmark("startup", "startup.py", quick=("--repeats", "1")),
    Benchmark(
        "scaling",
        "scaling.py",
        options=("--passes", "0.25", "--resamples", "200", "--repeats", "3"),
        quick=("--assets", "5", "10", "--years", "3", "5"),
    ),
    Benchmark(
        "dask_walk",
        "dask_walk.py",
        quick=("--folds", "2", "--samples", "300", "--repeats", "1", "--most-workers", "2"),
        needs=("distributed",),
    ),
)


def cpu_model() -> str:
    """What the processor calls itself."""
    described = Path("/proc/cpuinfo")
    if described.is_file():
        for line in described.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Installed versions of :data:`REPORTED`, and of Python."""
    found = {"python": platform.python_version()}
    for name in REPORTED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def provenance(benchmark: Benchmark, *, quick: bool) -> dict[str, Any]:
    """When, where and from what a result is made."""
    return {
        "command": " ".join(["python", *benchmark.command(quick=quick)]),
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="minutes"),
        "git_sha": git_sha(FOLDER),
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions(),
    }


def last_json(text: str) -> dict[str, Any]:
    """The JSON object that a text ends with.

    Raises:
        ValueError: It ends with none.
    """
    lines = text.rstrip().splitlines()
    for first in range(len(lines) - 1, -1, -1):
        if lines[first].startswith("{"):
            try:
                found = json.loads("\n".join(lines[first:]))
            except json.JSONDecodeError:
                continue
            if isinstance(found, dict):
                return found
    raise ValueError("the output does not end with a JSON object")


def run_benchmark(benchmark: Benchmark, *, quick: bool) -> dict[str, Any]:
    """Run one in a process of its own.

    Returns:
        ``made`` (see :func:`provenance`) and one of ``result``, ``missing`` (why it cannot run
        here) and ``failed`` (the last line of what it said).
    """
    made = provenance(benchmark, quick=quick)
    obstacle = benchmark.obstacle()
    if obstacle is not None:
        return {"made": made, "missing": obstacle}
    started = time.perf_counter()
    run = subprocess.run(  # noqa: S603 - a script of this folder
        [sys.executable, *benchmark.command(quick=quick)],
        cwd=FOLDER.parent,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    made["seconds"] = round(time.perf_counter() - started, 1)
    made["exit_code"] = run.returncode  # some end with an error because of what they found
    try:
        return {"made": made, "result": last_json(run.stdout)}
    except ValueError as error:
        return {"made": made, "failed": f"exit code {run.returncode}: {error}"}
