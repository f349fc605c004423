"""Run the project in a folder of its own: another environment, other prices, other parameters."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from click.testing import CliRunner, Result
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog
from kedro.runner import AbstractRunner

from regime_nas_pipeline.cli import cli

PROJECT = Path(__file__).parents[2]
STAGES = (
    "ingestion",
    "regime_labelling",
    "nas_search",
    "baseline_training",
    "walk_forward_evaluation",
    "verdict",
    "reporting",
)
"""Of the default pipeline, in order."""
CSV_TYPE = "regime_nas_pipeline.datasets.csv_prices.CsvPricesDataset"
ONE_PROCESS = {"compute": {"n_jobs": 1}}
"""What a case does unless it is told otherwise: a tiny run ends before other processes are up."""
FEW_STEPS = {"training": {"max_samples": 300}, "search": {"budget": 2400}}
"""For runs that are held against each other, whatever the networks learned in them."""


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with the values of ``over``, block by block."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


@dataclass(frozen=True)
class Case:
    """An environment of its own, made from ``conf/test`` and kept under ``folder``."""

    folder: Path

    @property
    def output(self) -> Path:
        return self.folder / "output"

    @property
    def written(self) -> list[Path]:
        return [path for path in self.output.rglob("*") if path.is_file()]

    def run(
        self,
        *,
        pipelines: list[str] | None = None,
        runner: AbstractRunner | None = None,
        runtime_params: dict[str, Any] | None = None,
        **selection: Any,
    ) -> None:
        self._forget()
        bootstrap_project(PROJECT)
        with KedroSession.create(
            PROJECT,
            env="case",
            conf_source=str(self.folder / "conf"),
            runtime_params=runtime_params,
            save_on_close=False,
        ) as session:
            session.run(pipeline_names=pipelines, runner=runner, **selection)

    def command(self, *arguments: str) -> Result:
        """What a user's ``kedro run`` prints and returns."""
        self._forget()
        metadata = bootstrap_project(PROJECT)
        conf = str(self.folder / "conf")
        return CliRunner().invoke(
            cli,
            ["run", "--env=case", f"--conf-source={conf}", *arguments],
            obj=metadata,
        )

    def process(self, *arguments: str) -> str:
        """The same in a process of its own; returns what it printed to standard error."""
        done = subprocess.run(
            self._process_command(*arguments),
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The same without waiting for its end; :attr:`said` is what it prints."""
        with self._said.open("wb") as said:
            return subprocess.Popen(
                self._process_command(*arguments), cwd=PROJECT, stdout=said, stderr=said
            )

    @property
    def said(self) -> str:
        """What the run that was started last has printed until now."""
        return self._said.read_text()

    @property
    def _said(self) -> Path:
        return self.folder / "said.txt"

    def _process_command(self, *arguments: str) -> list[str]:
        self._forget()
        run = [sys.executable, "-m", "kedro", "run", "--env=case"]
        return [*run, f"--conf-source={self.folder / 'conf'}", *arguments]

    def catalog(self) -> DataCatalog:
        """A new catalog, to read from and to write to."""
        self._forget()
        bootstrap_project(PROJECT)
        conf = str(self.folder / "conf")
        with KedroSession.create(
            PROJECT, env="case", conf_source=conf, save_on_close=False
        ) as session:
            return session.load_context().catalog

    def load(self, name: str) -> Any:
        """A dataset as the last run left it."""
        return self._at_hand.load(name)

    @cached_property
    def _at_hand(self) -> DataCatalog:
        """The catalog, kept until something may write: to read the parameters takes a second."""
        return self.catalog()

    def _forget(self) -> None:
        vars(self).pop("_at_hand", None)


def make_case(
    folder: Path,
    *,
    env: str = "test",
    parameters: Mapping[str, Any] | None = None,
    catalog: Mapping[str, Any] | None = None,
) -> Case:
    """An environment ``case``: that of ``env`` with other parameters, catalog and output folder.

    It runs in one process where ``parameters`` do not say otherwise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(PROJECT / "conf" / "base", folder / "conf" / "base")
    own = folder / "conf" / "case"
    own.mkdir()
    (folder / "conf" / "local").mkdir()
    for name, changes in (
        ("parameters.yml", merged(ONE_PROCESS, parameters or {})),
        ("catalog.yml", catalog),
        ("globals.yml", {"root": str(folder / "output")}),
    ):
        source = PROJECT / "conf" / env / name
        stated = yaml.safe_load(source.read_text()) if source.exists() else {}
        (own / name).write_text(yaml.safe_dump(merged(stated, changes or {})))
    return Case(folder)


def copy_of(case: Case, folder: Path) -> Case:
    """The same environment with all that its runs have made, in another folder."""
    shutil.copytree(case.folder, folder)
    config = folder / "conf" / "case" / "globals.yml"
    config.write_text(config.read_text().replace(str(case.folder), str(folder)))
    return Case(folder)


def stock_case(folder: Path, prices: pd.DataFrame, **parameters: Any) -> Case:
    """A case on ``prices`` with the budgets of the finished run, and other blocks if given."""
    return csv_case(folder, prices, parameters=merged(FEW_STEPS, parameters))


def csv_case(folder: Path, prices: pd.DataFrame, **changes: Any) -> Case:
    """A case that reads ``prices`` (date x asset) from a wide CSV file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "prices.csv"
    prices.rename_axis(index="Date").to_csv(path)
    return make_case(
        folder,
        catalog={"raw_prices": {"type": CSV_TYPE, "filepath": str(path)}},
        **changes,
    )
