"""Names cost nothing: the libraries are loaded by what uses them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]

HEAVY = (
    "arch",
    "cvxpy",
    "dask",
    "distributed",
    "empyrical",
    "jumpmodels",
    "matplotlib",
    "optuna",
    "pandas",
    "pandera",
    "plotly",
    "pyarrow",
    "pybit",
    "scipy",
    "skfolio",
    "sklearn",
    "statsmodels",
    "torch",
    "yfinance",
)

COMMAND = """
import json, sys
from pathlib import Path
from click.testing import CliRunner
from kedro.framework.cli.cli import KedroCLI
kedro = KedroCLI(Path.cwd())
result = CliRunner().invoke(kedro, sys.argv[1:], obj=kedro._metadata)
print(json.dumps([result.exit_code, result.output, sorted(sys.modules)]))
"""
LIBRARY = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(sys.modules)))
"""


def said_by(program: str, *arguments: str) -> list[object]:
    """What a fresh process says last, read as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: list[object] = json.loads(done.stdout.splitlines()[-1])
    return said


@pytest.mark.parametrize(
    ("command", "words"),
    [(("registry", "list"), "- __default__\n- ablation\n"), (("run", "--help"), "--pipelines")],
)
def test_a_command_that_needs_names_alone_loads_no_library(
    command: tuple[str, ...], words: str
) -> None:
    code, output, modules = said_by(COMMAND, *command)
    assert code == 0, output
    assert isinstance(output, str)
    assert words in output
    assert isinstance(modules, list)
    assert "regime_nas_pipeline.hooks" in modules
    assert not set(HEAVY) & set(modules)


def test_importing_the_registry_loads_no_library() -> None:
    modules = said_by(LIBRARY, "regime_nas_pipeline.pipeline_registry")
    assert "regime_nas_pipeline.pipeline_registry" in modules
    assert not set(HEAVY) & set(modules)


def test_a_session_loads_neither_a_client_of_a_source_nor_matplotlib() -> None:
    rooms = ("regime_nas_pipeline.run_checks", "regime_nas_pipeline.closing_lines")
    modules = said_by(LIBRARY, *rooms)
    assert "torch" in modules
    assert not {"arch", "empyrical", "matplotlib", "pybit", "yfinance"} & set(modules)
