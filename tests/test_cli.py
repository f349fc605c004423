"""Whatever is mistyped gives one message: what, the nearest name, where to look; no traceback."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from kedro.framework.cli.cli import KedroCLI
from kedro.framework.cli.utils import KedroCliError, find_run_command
from kedro.framework.project import settings

from regime_nas_pipeline.cli import run

PROJECT = Path(__file__).parents[1]

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def kedro() -> KedroCLI:
    """The command line that both ``kedro`` and ``python -m kedro`` start."""
    return KedroCLI(PROJECT)


@pytest.fixture
def command(kedro: KedroCLI, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(PROJECT)
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    monkeypatch.setattr(KedroCliError, "VERBOSE_ERROR", False)

    def invoke(*arguments: str) -> Result:
        # Click looks for a project again unless it is handed over, as Kedro's entry point does.
        return CliRunner().invoke(kedro, ["run", *arguments], obj=kedro._metadata)

    return invoke


def assert_one_message(result: Result, code: int, *words: str) -> None:
    assert result.exit_code == code, result.output
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    lines = result.output.splitlines()
    assert [line.startswith("Error: ") for line in lines].count(True) == 1, result.output
    message = result.output[result.output.index("Error: ") :]
    assert len(message.splitlines()) == 1, message
    for word in words:
        assert word in message, message


MISTYPED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "pipelines": (
        ("--pipelines=ingestion,reportng",),
        ("'--pipelines'", "'reportng'", "did you mean 'reporting'?", "kedro registry list"),
    ),
    "pipelines like no other": (
        ("--pipelines=nosuch",),
        ("'nosuch'", "There are: __default__, ablation", "walk_forward_evaluation"),
    ),
    "pipeline": (("--pipeline=verdct",), ("'--pipeline'", "did you mean 'verdict'?")),
    "environment": (("--env=cripto",), ("'--env'", "'cripto'", "'crypto'", "folder of")),
    "nodes": (
        ("--nodes=write_reprt",),
        ("'--nodes'", "'write_reprt'", "'reporting.write_report'", "kedro registry describe"),
    ),
    "nodes of another pipeline": (
        ("--pipelines=ingestion", "--nodes=trade_strategies"),
        ("there is no node 'trade_strategies'", "There are: "),
    ),
    "from nodes": (("--from-nodes=summarize",), ("'--from-nodes'", "'summarise'")),
    "to nodes": (("--to-nodes=summarize",), ("'--to-nodes'", "'summarise'")),
    "tags": (("--tags=ingestion,verdikt",), ("'--tags'", "'verdict'", "names of pipelines")),
    "namespaces": (("--namespaces=gruu",), ("'--namespaces'", "did you mean 'gru'?")),
    "from inputs": (("--from-inputs=weihgts",), ("'--from-inputs'", "'weights'", "catalog")),
    "to outputs": (("--to-outputs=sumary",), ("'--to-outputs'", "'summary'", "catalog")),
    "nothing left": (
        ("--tags=ingestion", "--namespaces=gru"),
        ("leave no node",),
    ),
    "runner": (("--runner=ParalelRunner",), ("'--runner'", "did you mean 'ParallelRunner'?")),
    "module of a runner": (("--runner=no.such",), ("'no.such'", "There are: ", "SequentialRunner")),
    "no runner": (("--runner=pathlib.Path",), ("there is no runner 'pathlib.Path'",)),
    "argument of a runner": (
        ("--runner=ThreadRunner", "--runner-params=max_wrokers=2"),
        ("'--runner-params'", "ThreadRunner", "'max_wrokers'", "'max_workers'"),
    ),
    "parameter without a value": (("--params=garbage",), ("params", "garbage", "=")),
    "parameter of broken YAML": (("--params=search.budget=[1",), ("'--params'", "expected")),
    "version": (("--load-versions=prices",), ("'--load-versions'", "prices")),
    "version of nothing": (("--load-versions=pryces:x",), ("'--load-versions'", "'prices'")),
    "source of the configuration": (("--conf-source=/no/such",), ("'--conf-source'", "/no/such")),
    "option": (("--nods=x",), ("--nods", "--nodes")),
    "argument": (("ingestion",), ("ingestion",)),
}


@pytest.mark.parametrize("case", MISTYPED)
def test_a_mistyped_word_is_a_fault_of_usage(case: str, command: Command) -> None:
    arguments, words = MISTYPED[case]
    assert_one_message(command(*arguments), 2, *words)


def test_a_mistyped_environment_variable_is_named(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEDRO_ENV", "tset")
    assert_one_message(command(), 2, "KEDRO_ENV", "did you mean 'test'?")


def test_a_file_of_options_is_read_and_refused_like_options(
    command: Command, tmp_path: Path
) -> None:
    path = tmp_path / "run.yml"
    path.write_text("run: {tags: ingestoin}\n")
    assert_one_message(command(f"--config={path}"), 2, "'--tags'", "'ingestion'")
    path.write_text("run: {tagz: x}\n")
    assert_one_message(command(f"--config={path}"), 2, "'--config'", "tagz", "tags")
    path.write_text("walk: {}\n")
    assert_one_message(command(f"--config={path}"), 2, "'--config'", "run")
    path.write_text("run: [\n")
    assert_one_message(command(f"--config={path}"), 2, "'--config'", "expected")


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A copy of the configuration whose environment ``test`` writes below ``tmp_path``."""
    shutil.copytree(PROJECT / "conf", tmp_path / "conf")
    root = tmp_path / "output"
    (tmp_path / "conf" / "test" / "globals.yml").write_text(f"root: {root}\n")
    return tmp_path / "conf"


def ingestion(command: Command, conf: Path, *arguments: str) -> Result:
    return command("--env=test", "--pipelines=ingestion", f"--conf-source={conf}", *arguments)


def test_an_unparsable_file_is_named_with_its_line(command: Command, conf: Path) -> None:
    path = conf / "test" / "parameters.yml"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, "search: [1, 2"]))
    # The fault shows where the file ends: on its last line, after what it holds.
    place = f"parameters.yml, line {len(lines) + 1}, column 14: "
    assert_one_message(ingestion(command, conf), 1, str(conf / "test"), place, "expected")
    assert not (conf.parent / "output").exists()


def test_an_unknown_dataset_class_is_named_with_its_neighbour(command: Command, conf: Path) -> None:
    kind = "regime_nas_pipeline.datasets.csv_prices.CsvPricesDataset"
    path = conf / "test" / "catalog.yml"
    path.write_text(f"raw_prices: {{type: {kind.replace('Prices', 'Price')}, filepath: x}}\n")
    assert_one_message(
        ingestion(command, conf), 1, "'raw_prices'", str(path), f"Did you mean '{kind}'?"
    )
    assert not (conf.parent / "output").exists()


def broken(**_: Any) -> None:
    numbers: list[int] = []
    numbers[3] += 1


def test_an_error_that_nobody_thought_of_is_one_message_with_its_place(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings.SESSION_CLASS, "create", broken)
    line = broken.__code__.co_firstlineno + 2
    bare = command("--pipelines=ingestion")
    place = f"(tests/test_cli.py, line {line})"
    assert_one_message(bare, 1, "IndexError: list index out of range", place, "--verbose")
    verbose = command("--pipelines=ingestion", "--verbose")
    assert verbose.exit_code == 1
    assert "Traceback (most recent call last)" in verbose.output
    assert "numbers[3] += 1" in verbose.output
    assert bare.output in verbose.output


def test_kedros_own_errors_are_one_message(command: Command) -> None:
    both = command("--pipelines=ingestion", "--pipeline=ingestion")
    assert_one_message(both, 1, "cannot be used together")


def test_both_ways_to_start_a_run_take_this_command(kedro: KedroCLI) -> None:
    assert kedro.get_command(None, "run") is run  # type: ignore[arg-type]
    assert find_run_command("regime_nas_pipeline") is run
