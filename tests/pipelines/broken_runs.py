"""Runs that are ended from outside, and a count of the pieces that they began."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from project_runs import PROJECT, Case

NOTE = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
if "loky.backend.resource_tracker" not in " ".join(sys.orig_argv):
    from regime_nas_pipeline.core.cache import PieceCache

    original = PieceCache.get_or_make

    def noted(cache, key, make):
        def begin():
            handle = os.open(os.environ["BEGUN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(handle, f"{os.environ['RUN']} {os.getpid()} {key}\\n".encode())
            os.close(handle)
            made = make()
            kept = pathlib.Path(os.environ["KEPT"])
            while len(list(kept.rglob("*.safetensors"))) >= int(os.environ["ENOUGH"]):
                time.sleep(0.01)
            return made

        return original(cache, key, begin)

    PieceCache.get_or_make = noted
"""
"""What every Python process of a run does first: note each piece that it begins.

Where enough pieces are kept, one that is made waits to be ended: small runs are over in a moment.
Ctrl-C counts as at a terminal, also where tests are a job in the background of a shell, which
ignores it.
"""


@dataclass(frozen=True)
class BrokenRun:
    """How a run was ended.

    Attributes:
        returncode: Of the command.
        said: What it wrote to standard error.
        workers: Processes that began a piece.
    """

    returncode: int
    said: str
    workers: set[int]


class Breaker:
    """Starts the command of a case again and again and ends it while it trains.

    Args:
        case: What is run.
        arguments: Of ``kedro run``.
    """

    def __init__(self, case: Case, arguments: Sequence[str]) -> None:
        self._case, self._arguments = case, arguments
        self._runs = 0
        self._kept = case.output / "cache"
        self._begun = case.folder / "begun"
        site = case.folder / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(NOTE)
        told = {"PYTHONPATH": site, "BEGUN": self._begun, "KEPT": self._kept}
        self._environment = {**os.environ, **{name: str(value) for name, value in told.items()}}

    @property
    def begun(self) -> list[list[str]]:
        """Run, process and key of every piece that was begun, over all runs."""
        lines = self._begun.read_text().splitlines() if self._begun.exists() else []
        return [line.split() for line in lines]

    def _workers(self) -> set[int]:
        """Processes of the last run that began a piece; those of a killed one may be late."""
        return {int(process) for run, process, _ in self.begun if int(run) == self._runs}

    @property
    def kept(self) -> list[Path]:
        """Finished pieces on disk."""
        return sorted(self._kept.rglob("*.safetensors"))

    def end(self, number: signal.Signals, *, pieces: int, n_jobs: int) -> BrokenRun:
        """Start the command and send it a signal as soon as so many pieces are on disk."""
        self._runs += 1
        errors = self._case.folder / "errors"
        command = [sys.executable, "-m", "kedro", "run", "--env=case", *self._arguments]
        command += [f"--conf-source={self._case.folder / 'conf'}"]
        command += [f"--params=compute.n_jobs={n_jobs}"]
        with errors.open("wb") as stream:
            process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env={**self._environment, "ENOUGH": str(pieces), "RUN": str(self._runs)},
                stdout=subprocess.DEVNULL,
                stderr=stream,
                start_new_session=True,
            )
        try:
            while len(self.kept) < pieces or not self._workers():
                assert process.poll() is None, errors.read_text()
                time.sleep(0.01)
            if number is signal.SIGINT:
                _press_ctrl_c(process)
            else:
                process.send_signal(number)
            process.wait(timeout=120)
        finally:
            process.kill()
            process.wait()
        return BrokenRun(process.returncode, errors.read_text(), self._workers())


def _press_ctrl_c(process: subprocess.Popen[bytes]) -> None:
    """As a person at a terminal does it, which sends the signal to all processes.

    Python loses one that arrives while an import drops its lock ("Exception ignored in"), about
    once in fifty times where a run imports most: whoever sees nothing happen presses again.
    """
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(timeout=40)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT)


def moments(pieces: int, ends: int, *, seed: int) -> list[int]:
    """Random numbers of finished pieces at which a run of ``pieces`` is ended, in order."""
    drawn = np.random.default_rng(seed).choice(pieces - 2, ends, replace=False)
    return sorted(drawn.tolist())
