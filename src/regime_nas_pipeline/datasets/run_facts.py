"""Facts of the run in progress: what runs, on what code, and how long its nodes took."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from regime_nas_pipeline.core.cache import PieceCounts
from regime_nas_pipeline.core.files import write_whole

RUN_KEYS = ("run_id", "env", "started")

REPORTED_VERSIONS = (
    "arch",
    "kedro",
    "numpy",
    "optuna",
    "pandas",
    "regime_nas_pipeline",
    "scikit-learn",
    "skfolio",
    "torch",
)


class RunFactsDataset(AbstractDataset[None, dict[str, Any]]):
    """Reads the lines that the project's hooks append while a run goes on.

    Args:
        filepath: JSON Lines file: one line per finished node, with the run that it belongs to.
        metadata: For Kedro plugins; ignored.
    """

    def __init__(
        self, *, filepath: str | os.PathLike[str], metadata: dict[str, Any] | None = None
    ) -> None:
        self.filepath = Path(filepath)
        self.metadata = metadata
        self._current: dict[str, Any] = {}

    def begin(self, run: dict[str, Any]) -> None:
        """From now on the facts are those of this run, though no node of it has finished yet.

        Args:
            run: Its ``run_id``, ``env`` and ``started``.
        """
        self._current = run

    def load(self) -> dict[str, Any]:
        """``run_id``, ``env``, ``started``, ``git_sha``, ``versions``, ``seconds`` per pipeline.

        They are those of the run in progress, and where there is none, of the run that finished a
        node last. ``longest_seconds`` of each node are
        those of all runs: a node that finds its work done already takes almost none.
        """
        entries = self._entries()
        last = self._current or (entries[-1] if entries else {})
        facts = {name: last.get(name) for name in RUN_KEYS}
        seconds: dict[str, float] = {}
        longest: dict[str, float] = {}
        for entry in entries:
            longest[entry["node"]] = max(longest.get(entry["node"], 0.0), entry["seconds"])
            if entry["run_id"] == facts["run_id"]:
                name = entry["pipeline"]
                seconds[name] = seconds.get(name, 0.0) + entry["seconds"]
        return {
            **facts,
            "git_sha": git_sha(self.filepath.parent),
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
            "longest_seconds": {name: round(value, 3) for name, value in longest.items()},
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in REPORTED_VERSIONS},
            },
        }

    def _entries(self) -> list[dict[str, Any]]:
        if not self.filepath.exists():
            return []
        lines = self.filepath.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if _is_whole(line)]

    def node_seconds(self, run_id: str) -> dict[str, float]:
        """Seconds of every node that a run has finished."""
        return {
            entry["node"]: round(entry["seconds"], 3)
            for entry in self._entries()
            if entry["run_id"] == run_id
        }

    def pipeline_pieces(self, run_id: str) -> dict[str, PieceCounts]:
        """Finished pieces of work that a run reused and made, by pipeline; those with any."""
        pieces: dict[str, PieceCounts] = {}
        for entry in self._entries():
            counts = PieceCounts(entry.get("reused", 0), entry.get("made", 0))
            if entry["run_id"] == run_id and counts != PieceCounts():
                name = entry["pipeline"]
                pieces[name] = pieces.get(name, PieceCounts()) + counts
        return pieces

    def append(self, entry: dict[str, Any]) -> None:
        """Add one finished node; any process of the run may do so."""
        line = json.dumps(entry) + "\n"
        # One write of a short line in append mode is not torn by other processes.
        handle = os.open(self.filepath, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                # A full disk had cut the last line short: it is lost, and this one is not.
                line = "\n" + line
            os.write(handle, line.encode())
        finally:
            os.close(handle)

    def note(self, node: str, pipeline: str, seconds: float, pieces: PieceCounts) -> None:
        """Add a node that the run in progress has finished; see :meth:`append`."""
        entry = {"node": node, "pipeline": pipeline, "seconds": seconds, **asdict(pieces)}
        self.append({**self._current, **entry})

    def write_manifest(self, manifest: dict[str, Any]) -> Path:
        """Write what a run was to ``08_reporting/run_manifests`` beside the facts.

        Args:
            manifest: ``run_id`` and anything that JSON can hold; dates become text.
        """
        folder = self.filepath.parent / "08_reporting" / "run_manifests"
        path = folder / f"{manifest['run_id']}.json"
        write_whole(path, json.dumps(manifest, indent=2, default=str).encode())
        return path

    def save(self, data: None) -> None:
        """Only the hooks write run facts."""
        raise DatasetError("Run facts are written by the project's hooks.")

    def _exists(self) -> bool:
        return self.filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self.filepath.as_posix()}


def _is_whole(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:  # empty, or cut short
        return False


def git_sha(folder: Path) -> str | None:
    """Commit of the checkout that holds ``folder``, with ``-dirty`` where files differ from it."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],  # noqa: S607 - git of the PATH
            cwd=folder if folder.exists() else None,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()
