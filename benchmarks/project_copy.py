"""A copy of the project in which a benchmark runs, and what its runs leave behind."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io.core import AbstractVersionedDataset

REPOSITORY = Path(__file__).parents[1]
COPIED = ("src", "conf", "pyproject.toml", ".telemetry")
CLOCK = frozenset({"pareto_front_figure", "report", "run_facts"})
"""Datasets that show the time of the run as words, lines or dots; of others it is left out."""

OF_THE_CLOCK = ("latency", "run_id", "seconds", "started")
"""Endings of keys and columns that tell when something ran, or how long it took."""


class Copy:
    """A copy of the project that nobody else edits, with an output folder of its own.

    Attributes:
        folder: Where the copy lies.
        output: Where its runs write.
    """

    def __init__(self, folder: Path, env: str | None, n_jobs: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in COPIED:
            source = REPOSITORY / name
            if source.is_dir():
                unused = shutil.ignore_patterns("local", "__pycache__")
                shutil.copytree(source, folder / name, ignore=unused)
            else:
                shutil.copy(source, folder / name)
        (folder / "conf" / "local").mkdir()
        self.folder, self.output = folder, folder / "output"
        own = folder / "conf" / (env or "local") / "globals.yml"
        stated = yaml.safe_load(own.read_text()) if own.exists() else {}
        own.write_text(yaml.safe_dump({**stated, "root": str(self.output)}))
        self._env, self._shared = env, f"compute.n_jobs={n_jobs}"

    def start(self, change: str | None = None) -> subprocess.Popen[str]:
        """Start the job, with one parameter as ``change`` says; nothing is read from it yet."""
        params = self._shared if change is None else f"{self._shared},{change}"
        command = [sys.executable, "-m", "kedro", "run", f"--params={params}"]
        if self._env is not None:
            command.append(f"--env={self._env}")
        said = self.folder / "said.txt"
        with said.open("w") as written:
            return subprocess.Popen(  # noqa: S603
                command,
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(self.folder / "src")},
                stdout=written,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def finish(self, change: str | None = None) -> None:
        """Run the job to its end.

        Raises:
            RuntimeError: It failed.
        """
        if self.start(change).wait() != 0:
            raise RuntimeError(f"failed: {(self.folder / 'said.txt').read_text()[-3000:]}")

    def stored(self) -> dict[str, str]:
        """Every dataset that the default job stores, by a hash of its newest version."""
        bootstrap_project(self.folder)
        with KedroSession.create(self.folder, env=self._env, save_on_close=False) as session:
            catalog = session.load_context().catalog
            hashes = {}
            for name in sorted(pipelines["__default__"].all_outputs() - CLOCK):
                entry: Any = catalog[name]
                path = Path(getattr(entry, "_filepath", None) or entry.filepath)
                if isinstance(entry, AbstractVersionedDataset) and entry._version is not None:
                    path = Path(entry._get_load_path())
                hashes[name] = _hash_of(path)
        return hashes


def unmeasured(value: Any) -> Any:
    """A JSON value without what was measured by the clock, and without the names of runs."""
    if isinstance(value, dict):
        return {k: unmeasured(v) for k, v in value.items() if not k.endswith(OF_THE_CLOCK)}
    return [unmeasured(each) for each in value] if isinstance(value, list) else value


def unmeasured_table(table: pd.DataFrame) -> pd.DataFrame:
    """The same of a table, some of whose columns may hold JSON."""
    kept = table[[name for name in table.columns if not str(name).endswith(OF_THE_CLOCK)]].copy()
    if "objectives" in kept:
        kept["objectives"] = [json.dumps(unmeasured(json.loads(o))) for o in kept["objectives"]]
    return kept


def differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Names of datasets whose stored content differs."""
    return [name for name, hashed in one.items() if other[name] != hashed]


def _hash_of(path: Path) -> str:
    """sha256 of a file, or of all files below a folder, without what a clock measured."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            content = file.read_bytes()
            if file.suffix == ".json":
                content = json.dumps(unmeasured(json.loads(content)), sort_keys=True).encode()
            if file.suffix == ".parquet":
                content = unmeasured_table(pd.read_parquet(file)).to_parquet()
            digest.update(file.name.encode() + content)
    return digest.hexdigest()
