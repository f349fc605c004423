"""Whatever ends a run, the same command goes on from what was finished, to the same result."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from broken_runs import Breaker, moments
from kedro.runner import SequentialRunner
from project_runs import PROJECT, Case, copy_of, make_case

from regime_nas_pipeline.core import files
from regime_nas_pipeline.core.bundle import bundle_from_bytes
from regime_nas_pipeline.core.folder_lock import FolderLock

NODES = ["validate_prices", "label_regimes", "gru.search", "gru.train", "momentum.train"]
PROCESSES = (2, 1, 1)
ENDS = (signal.SIGKILL, signal.SIGINT, signal.SIGKILL)
SMALL = {
    "training": {"n_seeds": 1, "max_samples": 200},
    "search": {"budget": 1200},
    "walk_forward": {"refit_every": 63},
}
TRIAL_COLUMNS = ["trial_id", "score", "choices", "parameters", "facts"]


def manifests(case: Case) -> list[dict[str, Any]]:
    paths = sorted((case.output / "08_reporting" / "run_manifests").glob("*.json"))
    return [json.loads(path.read_text()) for path in paths]


def counts(case: Case, what: str) -> int:
    """Pieces that the last run reused or made."""
    return sum(pieces[what] for pieces in manifests(case)[-1]["pieces"].values())


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def assert_gone(workers: set[int]) -> None:
    for _ in range(400):
        if not any(map(is_running, workers)):
            return
        time.sleep(0.05)
    raise AssertionError("workers outlive their run")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Case:
    case = make_case(tmp_path_factory.mktemp("unbroken"), parameters=SMALL)
    case.run(node_names=NODES)
    return case


def assert_same_results(case: Case, other: Case) -> None:
    for name in ("regimes", "gru.forecasts", "momentum.forecasts"):
        pd.testing.assert_frame_equal(case.load(name), other.load(name), check_exact=True)
    trials, expected = (each.load("gru.trials")[TRIAL_COLUMNS] for each in (case, other))
    pd.testing.assert_frame_equal(trials, expected, check_exact=True)
    assert case.load("gru.tuned") == other.load("gru.tuned")
    found, fitted = case.load("gru.checkpoints"), other.load("gru.checkpoints")
    assert found.facts == fitted.facts
    assert set(found.arrays) == set(fitted.arrays)
    for name, array in fitted.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array, name)


@pytest.mark.slow
def test_a_run_that_is_broken_off_again_and_again_ends_with_the_same_bits(
    unbroken: Case, tmp_path: Path
) -> None:
    total = counts(unbroken, "made")
    case = make_case(tmp_path, parameters=SMALL)
    breaker = Breaker(case, [f"--nodes={','.join(NODES)}"])
    finished: set[Path] = set()
    for number, pieces, n_jobs in zip(
        ENDS, moments(total, len(ENDS), seed=3), PROCESSES, strict=True
    ):
        ended = breaker.end(number, pieces=pieces, n_jobs=n_jobs)
        assert ended.returncode == (1 if number is signal.SIGINT else -number)
        assert "Traceback" not in ended.said
        assert ("the same command goes on" in ended.said) == (number is signal.SIGINT)
        # A run that was killed leaves its lock, and the next one takes it over.
        assert (case.output / ".lock").exists() == (number is signal.SIGKILL)
        assert_gone(ended.workers)
        assert finished <= set(breaker.kept)
        finished = set(breaker.kept)
        for piece in finished:
            bundle_from_bytes(piece.read_bytes())
    begun = len(breaker.begun)

    case.run(node_names=NODES)

    assert len(breaker.kept) == total
    assert counts(case, "reused") == len(finished)
    assert counts(case, "made") == total - len(finished)
    # What a process had under way when it was ended is done again, and nothing else is.
    assert begun + counts(case, "made") <= total + sum(PROCESSES)
    assert_same_results(case, unbroken)


@pytest.mark.slow
def test_another_parameter_of_momentum_makes_its_pieces_anew_and_no_others(
    unbroken: Case, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case = copy_of(unbroken, tmp_path / "copy")
    folds = len(unbroken.load("momentum.training_log"))
    trials, total = len(unbroken.load("gru.trials")), counts(unbroken, "made")
    assert total == 2 * folds + trials
    choice = {"forecaster": {"params": {"lookback": 30}}}
    with caplog.at_level(logging.INFO):
        case.run(node_names=NODES, runtime_params={"momentum": choice})
    run = manifests(case)[-1]
    assert run["pieces"] == {
        "nas_search": {"reused": trials, "made": 0},
        "baseline_training": {"reused": folds, "made": folds},
    }
    lines = (case.output / "run_facts.jsonl").read_text().splitlines()
    nodes = [entry for entry in map(json.loads, lines) if entry["run_id"] == run["run_id"]]
    made = {entry["node"]: entry["made"] for entry in nodes if entry["made"]}
    assert made == {"momentum.train": folds}
    assert (
        f"Reused {trials + folds} of {total} finished pieces (folds, trials, decisions): "
        f"nas_search {trials} of {trials}, baseline_training {folds} of {2 * folds}."
    ) in caplog.messages


class StoppedRunner(SequentialRunner):
    """A system that goes down after the last node."""

    def _run(self, *args: Any, **kwargs: Any) -> None:
        super()._run(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)


def test_a_run_that_is_told_to_end_leaves_a_manifest_and_lets_the_next_one_in(
    tmp_path: Path,
) -> None:
    case = make_case(tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        case.run(pipelines=["ingestion"], runner=StoppedRunner())
    assert ended.value.code == 128 + signal.SIGTERM
    case.run(pipelines=["ingestion"])
    assert [run["outcome"] for run in manifests(case)] == ["interrupted", "finished"]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
@pytest.mark.parametrize("full_from", [0, 4])
def test_a_full_disk_is_told_and_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_from: int
) -> None:
    case = make_case(tmp_path)
    command = "--nodes=validate_prices,label_regimes,momentum.train"
    written = 0
    original: Callable[[int], None] = os.fsync

    def fsync(handle: int) -> None:
        nonlocal written
        written += 1
        if written > full_from:
            raise OSError(28, "No space left on device")
        original(handle)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", fsync)
        result = case.command(command)
    assert result.exit_code != 0
    assert result.output.count("Error:") == 1
    assert "cannot be written: No space left on device" in result.output
    assert "Traceback" not in result.output
    left = case.written
    assert not [path for path in left if path.suffix == ".part" or path.name == ".lock"]

    result = case.command(command)

    assert result.exit_code == 0, result.output
    assert set(left) <= set(case.written)
    assert len(case.load("momentum.forecasts"))


def test_one_environment_is_held_by_one_run_and_others_run_beside_it(tmp_path: Path) -> None:
    held, beside = (make_case(tmp_path / name) for name in ("held", "beside"))
    lock = FolderLock(held.output, env="case")
    result = held.command("--pipelines=ingestion")
    beside.run(pipelines=["ingestion"])
    lock.release()
    assert result.exit_code != 0
    told = f"'{held.output}': environment case, process {os.getpid()}, running since 20"
    assert told in result.output
    assert "Traceback" not in result.output
    assert manifests(beside)[-1]["outcome"] == "finished"
    assert not held.written


@pytest.mark.slow
def test_a_traceback_is_shown_to_those_who_ask_for_it(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    command = [sys.executable, "-m", "kedro", "run", "--env=case"]
    command += [f"--conf-source={tmp_path / 'conf'}", "--params=universe.max_gap=-1"]

    def said(*options: str) -> str:
        done = subprocess.run(
            [*command, *options], cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        return done.stdout + done.stderr

    bare, verbose = said(), said("--verbose")
    assert bare.splitlines() == [
        "Error: parameter 'universe.max_gap': Input should be greater than or equal to 0; got -1."
    ]
    assert "Traceback (most recent call last)" in verbose
    assert bare in verbose
    assert not case.output.exists()


def test_an_unknown_environment_is_told_without_a_traceback(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    shutil.rmtree(tmp_path / "conf" / "case")
    result = case.command()
    assert result.exit_code != 0
    [line] = [line for line in result.output.splitlines() if line.startswith("Error:")]
    assert "'case'" in line
    assert str(tmp_path / "conf") in line
    assert "Traceback" not in result.output
