"""What one changed parameter of one forecaster costs, and which results it changes.

Run from the repository: ``python benchmarks/changed_parameter.py``. In a temporary copy of the
project the default job runs three times on one output folder: as configured, with one parameter
changed, and as configured again. Prints seconds, finished pieces of work by node, the datasets
that differ from those of the first run, and all of it as JSON. Ends with an error if a node that
the parameter does not lead to made a piece, if such a dataset changed, or if the second run took
more than ``--most`` of the first. Options: ``--change``, ``--env``, ``--quick`` (the environment
``test``, without ``--most``), ``--n-jobs``, ``--most``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io.core import AbstractVersionedDataset
from kill import unmeasured

REPOSITORY = Path(__file__).parents[1]
COPIED = ("src", "conf", "pyproject.toml", ".telemetry")
CLOCK = frozenset({"report", "run_facts"})
"""Datasets that tell the time of the run as words or lines; of others it is left out."""


@dataclass(frozen=True)
class Node:
    """Seconds of a node, the finished pieces of work that it found, and those that it made."""

    pipeline: str
    seconds: float
    reused: int
    made: int

    @property
    def pieces(self) -> int:
        """Pieces of either kind."""
        return self.reused + self.made


@dataclass(frozen=True)
class Run:
    """What came of one run.

    Attributes:
        seconds: From the start of the process to its end.
        processor_seconds: Of all its processes; what other work on the machine does not stretch.
        nodes: What each node took.
        datasets: Name to a hash of what is stored.
    """

    seconds: float
    processor_seconds: float
    nodes: dict[str, Node]
    datasets: dict[str, str] = field(repr=False)

    @property
    def stages(self) -> dict[str, float]:
        """Pipeline to seconds inside its nodes."""
        found: dict[str, float] = {}
        for node in self.nodes.values():
            found[node.pipeline] = found.get(node.pipeline, 0.0) + node.seconds
        return found


class Copy:
    """A copy of the project that nobody else edits, with an output folder of its own."""

    def __init__(self, folder: Path, env: str | None, n_jobs: int) -> None:
        for name in COPIED:
            source = REPOSITORY / name
            if source.is_dir():
                unused = shutil.ignore_patterns("local", "__pycache__")
                shutil.copytree(source, folder / name, ignore=unused)
            else:
                shutil.copy(source, folder / name)
        (folder / "conf" / "local").mkdir()
        self.output = folder / "output"
        own = folder / "conf" / (env or "local") / "globals.yml"
        stated = yaml.safe_load(own.read_text()) if own.exists() else {}
        own.write_text(yaml.safe_dump({**stated, "root": str(self.output)}))
        self._folder, self._env, self._shared = folder, env, f"compute.n_jobs={n_jobs}"

    def run(self, change: str | None = None) -> Run:
        """Run the default job, with one parameter as ``change`` says, and look what it left."""
        params = self._shared if change is None else f"{self._shared},{change}"
        command = [sys.executable, "-m", "kedro", "run", f"--params={params}"]
        if self._env is not None:
            command.append(f"--env={self._env}")
        started, spent = time.perf_counter(), _processor_seconds()
        done = subprocess.run(  # noqa: S603
            command,
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": str(self._folder / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds, spent = time.perf_counter() - started, _processor_seconds() - spent
        if done.returncode != 0:
            raise RuntimeError(f"failed: {' '.join(command)}\n{done.stderr[-3000:]}")
        text = (self.output / "run_facts.jsonl").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        nodes = {
            line["node"]: Node(*(line[name.name] for name in fields(Node)))
            for line in lines
            if line["run_id"] == lines[-1]["run_id"]
        }
        return Run(seconds, spent, nodes, self._stored())

    def _stored(self) -> dict[str, str]:
        """Every dataset that the default job stores, by a hash of its newest version."""
        bootstrap_project(self._folder)
        with KedroSession.create(self._folder, env=self._env, save_on_close=False) as session:
            catalog = session.load_context().catalog
            hashes = {}
            for name in sorted(pipelines["__default__"].all_outputs() - CLOCK):
                entry: Any = catalog[name]
                path = Path(getattr(entry, "_filepath", None) or entry.filepath)
                if isinstance(entry, AbstractVersionedDataset) and entry._version is not None:
                    path = Path(entry._get_load_path())
                hashes[name] = _hash_of(path)
        return hashes


def _processor_seconds() -> float:
    """Of all processes that have ended below this one."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _hash_of(path: Path) -> str:
    """sha256 of a file, or of all files below a folder; of JSON without what a clock measured."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            content = file.read_bytes()
            if file.suffix == ".json":
                content = json.dumps(unmeasured(json.loads(content)), sort_keys=True).encode()
            digest.update(file.name.encode() + content)
    return digest.hexdigest()


def led_to(parameter: str) -> tuple[set[str], set[str]]:
    """Nodes and datasets of the default job that a parameter leads to."""
    default = pipelines["__default__"]
    parts = parameter.split(".")
    inputs = {f"params:{'.'.join(parts[:end])}" for end in range(1, len(parts) + 1)}
    reached = default.from_inputs(*sorted(inputs & default.inputs()))
    return {node.name for node in reached.nodes}, reached.all_outputs()


def differing(one: Run, other: Run) -> list[str]:
    """Datasets whose content differs."""
    return [name for name, hashed in one.datasets.items() if other.datasets[name] != hashed]


def print_table(runs: dict[str, Run]) -> None:
    """Seconds by pipeline and pieces by node, a column for each run."""
    print(f"{'seconds':<28}" + "".join(f"{name:>12}" for name in runs))
    first = next(iter(runs.values()))
    for stage in first.stages:
        print(f"  {stage:<26}" + "".join(f"{run.stages[stage]:12.1f}" for run in runs.values()))
    print(f"  {'from start to end':<26}" + "".join(f"{r.seconds:12.1f}" for r in runs.values()))
    spent = "".join(f"{run.processor_seconds:12.1f}" for run in runs.values())
    print(f"  {'of processors':<26}{spent}")
    print("pieces reused / made")
    for name in (name for name, node in first.nodes.items() if node.pieces):
        cells = (f"{r.nodes[name].reused} / {r.nodes[name].made}" for r in runs.values())
        print(f"  {name:<26}" + "".join(f"{cell:>12}" for cell in cells))


def main() -> None:
    """Read the options, run three times, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--change", default="momentum.forecaster.params.lookback=21")
    parser.add_argument("--env")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--n-jobs", type=int, default=-1)
    parser.add_argument("--most", type=float, default=0.1)
    options = parser.parse_args()
    env = "test" if options.quick else options.env
    with tempfile.TemporaryDirectory() as folder:
        copied = Copy(Path(folder), env, options.n_jobs)
        first = copied.run()
        runs = {"first": first, "changed": copied.run(options.change), "again": copied.run()}
        nodes, datasets = led_to(options.change.partition("=")[0])
    print_table(runs)
    slow = sorted(runs["changed"].nodes.items(), key=lambda item: -item[1].seconds)[:6]
    print("slowest of the changed run: " + ", ".join(f"{n} {e.seconds:.1f} s" for n, e in slow))
    changed, again = differing(first, runs["changed"]), differing(first, runs["again"])
    made = [name for name, node in runs["changed"].nodes.items() if node.made]
    ratio, rest = (runs[name].seconds / first.seconds for name in ("changed", "again"))
    print(f"second run ÷ first: {ratio:.1%}; third ÷ first: {rest:.1%}")
    print(f"pieces made by the changed run: {', '.join(made)}")
    print(f"changed, {len(changed)} of {len(first.datasets)}: {', '.join(changed)}")
    print(f"still other than the first after the third run: {', '.join(again) or 'none'}")
    faults = [f"{name} made pieces" for name in made if name not in nodes]
    faults += [f"{name} changed" for name in changed if name not in datasets]
    faults += [f"{name} made pieces again" for name, n in runs["again"].nodes.items() if n.made]
    if not options.quick and ratio > options.most:
        faults.append(f"the second run took {ratio:.1%} of the first")
    told = {name: {**asdict(run), "datasets": len(run.datasets)} for name, run in runs.items()}
    print(json.dumps({"runs": told, "changed": changed, "again": again, "faults": faults}))
    sys.exit("; ".join(faults) if faults else 0)


if __name__ == "__main__":
    main()
