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
import json
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from kedro.framework.project import pipelines
from project_copy import Copy, differing


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


def run(copied: Copy, change: str | None = None) -> Run:
    """Run the default job, with one parameter as ``change`` says, and look what it left."""
    started, spent = time.perf_counter(), _processor_seconds()
    copied.finish(change)
    seconds, spent = time.perf_counter() - started, _processor_seconds() - spent
    text = (copied.output / "run_facts.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    nodes = {
        line["node"]: Node(*(line[name.name] for name in fields(Node)))
        for line in lines
        if line["run_id"] == lines[-1]["run_id"]
    }
    return Run(seconds, spent, nodes, copied.stored())


def _processor_seconds() -> float:
    """Of all processes that have ended below this one."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def led_to(parameter: str) -> tuple[set[str], set[str]]:
    """Nodes and datasets of the default job that a parameter leads to."""
    default = pipelines["__default__"]
    parts = parameter.split(".")
    inputs = {f"params:{'.'.join(parts[:end])}" for end in range(1, len(parts) + 1)}
    reached = default.from_inputs(*sorted(inputs & default.inputs()))
    return {node.name for node in reached.nodes}, reached.all_outputs()


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
        first = run(copied)
        runs = {"first": first, "changed": run(copied, options.change), "again": run(copied)}
        nodes, datasets = led_to(options.change.partition("=")[0])
    print_table(runs)
    slow = sorted(runs["changed"].nodes.items(), key=lambda item: -item[1].seconds)[:6]
    print("slowest of the changed run: " + ", ".join(f"{n} {e.seconds:.1f} s" for n, e in slow))
    changed, again = (
        differing(first.datasets, runs[name].datasets) for name in ("changed", "again")
    )
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
