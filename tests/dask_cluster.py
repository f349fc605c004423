"""A scheduler of Dask and its workers, each a process of its own, on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).parent


class DaskCluster:
    """Started with as many workers as asked for; each has one thread and no nanny.

    Args:
        folder: For its files.
        n_workers: How many.
        settings: Of Dask's configuration, below ``distributed``: ``SCHEDULER__ALLOWED_FAILURES``.

    Attributes:
        address: Of the scheduler.
        scheduler: Its process.
        workers: Their processes.
    """

    def __init__(self, folder: Path, n_workers: int, **settings: str) -> None:
        self._folder = folder
        self._settings = {"OMP_NUM_THREADS": "1"} | {
            f"DASK_DISTRIBUTED__{name}": value for name, value in settings.items()
        }
        self._file = folder / "scheduler.json"
        ends = ["--host=127.0.0.1", "--port=0", "--no-dashboard"]
        self.scheduler = self._start("dask_scheduler", *ends)
        self.workers = [self.add_worker() for _ in range(n_workers)]
        self.address = self._wait_for_address()

    def add_worker(self) -> subprocess.Popen[bytes]:
        return self._start(
            "dask_worker",
            "--host=127.0.0.1",
            "--nthreads=1",
            "--no-nanny",
            "--no-dashboard",
            "--death-timeout=600",
            f"--local-directory={self._folder}",
        )

    def _start(self, program: str, *options: str) -> subprocess.Popen[bytes]:
        paths = [str(TESTS.parent / "src"), str(TESTS), os.environ.get("PYTHONPATH", "")]
        with (self._folder / "said.txt").open("ab") as said:
            return subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    f"distributed.cli.{program}",
                    f"--scheduler-file={self._file}",
                    *options,
                ],
                cwd=TESTS.parent,
                env={**os.environ, **self._settings, "PYTHONPATH": os.pathsep.join(paths)},
                stdout=said,
                stderr=said,
            )

    def _wait_for_address(self) -> str:
        while True:
            assert self.scheduler.poll() is None, (self._folder / "said.txt").read_text()
            try:
                return str(json.loads(self._file.read_text())["address"])
            except (OSError, ValueError):
                time.sleep(0.1)

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
        for process in (*self.workers, self.scheduler):
            process.wait()
