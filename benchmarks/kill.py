"""Kill a run at random moments and look whether the same command goes on to the same results.

Run from the repository: ``python benchmarks/kill.py``. Each moment begins with an empty output
folder of its own in a temporary copy of the project: ``kedro run --env=test`` is started, sent
SIGKILL at the moment, and started again. Every dataset that the default job stores is compared,
without what the clock measured. Prints a table, and ends with an error if anything differed.
Options: ``--moments``, ``--env``, ``--seed``, ``--n-jobs``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from project_copy import Copy, differing

PATIENCE = 10.0
"""Seconds within which the workers of a killed run must have ended."""


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


def kill_after(copied: Copy, moment: float) -> int:
    """Start the job and kill it after ``moment`` seconds; workers that outlived it."""
    process = copied.start()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=moment)
    workers = _children(process.pid)
    process.kill()
    process.wait()
    ending = time.perf_counter() + PATIENCE
    while any(map(_computes, workers)) and time.perf_counter() < ending:
        time.sleep(0.1)
    return sum(map(_computes, workers))


def finish(copied: Copy) -> float:
    """Run the job to its end; seconds that it took."""
    started = time.perf_counter()
    copied.finish()
    return time.perf_counter() - started


def kept_by(copied: Copy) -> int:
    """Finished pieces on disk."""
    return sum(1 for _ in (copied.output / "cache").rglob("*.safetensors"))


def pieces_of(copied: Copy) -> tuple[int, int]:
    """Pieces that the last run that ended in order reused and made."""
    manifests = sorted((copied.output / "08_reporting" / "run_manifests").glob("*.json"))
    counts = json.loads(manifests[-1].read_text())["pieces"].values()
    return sum(c["reused"] for c in counts), sum(c["made"] for c in counts)


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
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:

        def copy(name: str) -> Copy:
            return Copy(Path(folder) / name, options.env, options.n_jobs)

        unbroken = copy("unbroken")
        length = finish(unbroken)
        expected, total = unbroken.stored(), sum(pieces_of(unbroken))
        print(f"unbroken: {length:.1f} s, {total} pieces, {len(expected)} datasets compared")
        print("  moment  kept  reused  made  lost  again (s)  workers left  same bits")
        rows = []
        for number in range(options.moments):
            moment = np.random.default_rng((options.seed, number)).uniform(0.0, length)
            broken = copy(f"moment {number}")
            outlived, kept = kill_after(broken, moment), kept_by(broken)
            seconds = finish(broken)
            reused, made = pieces_of(broken)
            other = differing(expected, broken.stored())
            row = Row(moment, kept, reused, made, seconds, outlived, not other)
            rows.append(row)
            print(
                f"{row.moment:8.1f}{row.kept:6d}{row.reused:8d}{row.made:6d}{row.lost:6d}"
                f"{row.seconds:11.1f}{row.outlived:14d}  {f'NO: {other}' if other else 'yes'}",
                flush=True,
            )
            shutil.rmtree(broken.folder)
    failed = [row for row in rows if row.lost or row.outlived or not row.same]
    print(f"{len(rows) - len(failed)} of {len(rows)} moments lost nothing")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
