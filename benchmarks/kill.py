"""Kill a run at random moments and look whether the same command goes on to the same results.

Run from the repository: ``python benchmarks/kill.py``. Each moment begins with an empty output
folder of its own in a temporary folder: ``kedro run --env=test`` is started, sent SIGKILL at the
moment, and started again. Prints a table, and ends with an error if anything differed. Options:
``--moments``, ``--env``, ``--seed``, ``--n-jobs``; further arguments go to ``kedro run``, such as
``--pipelines=ingestion,regime_labelling,nas_search``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

PROJECT = Path(__file__).parents[1]
PATIENCE = 10.0
"""Seconds within which the workers of a killed run must have ended."""

TABLES = ("regimes", "_forecasts", "strategy_returns", "gross_returns", "weights", "decisions")
"""Parquet files that hold no measured time, by name or by its ending."""

VALUES = {"architecture": (), "_tuned": (), "strategy_figures": (), "summary": ("strategies",)}
"""JSON files, likewise, and the keys of them to be compared; all keys where there is none."""


@dataclass(frozen=True)
class Row:
    """What came of one moment; counts are of finished pieces of work, times in seconds."""

    moment: float
    kept: int
    reused: int
    made: int
    seconds: float
    outlived: int
    same: bool

    @property
    def lost(self) -> int:
        """Pieces that had been finished and were made again."""
        return self.kept - self.reused


class Environment:
    """A copy of the configuration that writes to a folder of its own."""

    def __init__(self, folder: Path, env: str, arguments: Sequence[str], n_jobs: int) -> None:
        shutil.copytree(PROJECT / "conf", folder / "conf")
        (folder / "conf" / env).mkdir(exist_ok=True)
        self.output = folder / "output"
        own = folder / "conf" / env / "globals.yml"
        stated = yaml.safe_load(own.read_text()) if own.exists() else {}
        own.write_text(yaml.safe_dump({**stated, "root": str(self.output)}))
        self._command = [sys.executable, "-m", "kedro", "run", f"--env={env}", *arguments]
        self._command += [f"--conf-source={folder / 'conf'}", f"--params=compute.n_jobs={n_jobs}"]

    def start(self) -> subprocess.Popen[bytes]:
        """Start the command, quietly."""
        return subprocess.Popen(  # noqa: S603
            self._command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def finish(self) -> float:
        """Run the command to its end; seconds that it took."""
        started = time.perf_counter()
        if self.start().wait() != 0:
            raise RuntimeError(f"failed: {' '.join(self._command)}")
        return time.perf_counter() - started

    def kill_after(self, moment: float) -> int:
        """Start the command and kill it after ``moment`` seconds; workers that outlived it."""
        process = self.start()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=moment)
        workers = _children(process.pid)
        process.kill()
        process.wait()
        ending = time.perf_counter() + PATIENCE
        while any(map(_computes, workers)) and time.perf_counter() < ending:
            time.sleep(0.1)
        return sum(map(_computes, workers))

    @property
    def kept(self) -> int:
        """Finished pieces on disk."""
        return sum(1 for _ in (self.output / "cache").rglob("*.safetensors"))

    def pieces(self) -> tuple[int, int]:
        """Pieces that the last run that ended in order reused and made."""
        manifests = sorted((self.output / "08_reporting" / "run_manifests").glob("*.json"))
        counts = json.loads(manifests[-1].read_text())["pieces"].values()
        return sum(c["reused"] for c in counts), sum(c["made"] for c in counts)

    def results(self) -> dict[str, Any]:
        """What must be the same to the bit: file name to its bytes, or to its values."""
        files = [path for path in self.output.rglob("*.*") if path.is_file()]
        latest = {path.name: path for path in sorted(files)}
        found: dict[str, Any] = {}
        for name, path in latest.items():
            if path.suffix == ".parquet" and path.stem.endswith(TABLES):
                found[name] = path.read_bytes()
            for ending, keys in VALUES.items():
                if path.suffix == ".json" and path.stem.endswith(ending):
                    value = json.loads(path.read_text())
                    found[name] = [value[key] for key in keys] if keys else unmeasured(value)
        return found


def unmeasured(value: Any) -> Any:
    """A JSON value without what was measured by the clock."""
    if isinstance(value, dict):
        clock = ("seconds", "latency")
        return {k: unmeasured(v) for k, v in value.items() if not k.endswith(clock)}
    return [unmeasured(each) for each in value] if isinstance(value, list) else value


def _children(pid: int) -> list[int]:
    """Processes that ``pid`` started, and those that these did (Linux)."""
    lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    own = [int(child) for each in lists for child in each.split()]
    return own + [each for child in own for each in _children(child)]


def _computes(pid: int) -> bool:
    """Whether a process is there and is no mere record of one that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def main() -> None:
    """Read the options, run, kill, run again, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--env", default="test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n-jobs", type=int, default=2)
    options, arguments = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:

        def environment(name: str) -> Environment:
            return Environment(Path(folder) / name, options.env, arguments, options.n_jobs)

        unbroken = environment("unbroken")
        length = unbroken.finish()
        expected, total = unbroken.results(), sum(unbroken.pieces())
        print(f"unbroken: {length:.1f} s, {total} pieces, {len(expected)} results compared")
        print("  moment  kept  reused  made  lost  again (s)  workers left  same bits")
        rows = []
        for number in range(options.moments):
            moment = np.random.default_rng((options.seed, number)).uniform(0.0, length)
            broken = environment(f"moment {number}")
            outlived, kept = broken.kill_after(moment), broken.kept
            seconds = broken.finish()
            reused, made = broken.pieces()
            same = broken.results() == expected
            row = Row(moment, kept, reused, made, seconds, outlived, same)
            rows.append(row)
            print(
                f"{row.moment:8.1f}{row.kept:6d}{row.reused:8d}{row.made:6d}{row.lost:6d}"
                f"{row.seconds:11.1f}{row.outlived:14d}  {'yes' if row.same else 'NO'}",
                flush=True,
            )
            shutil.rmtree(broken.output)
    failed = [row for row in rows if row.lost or row.outlived or not row.same]
    print(f"{len(rows) - len(failed)} of {len(rows)} moments lost nothing")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
