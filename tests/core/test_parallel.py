from __future__ import annotations

import importlib
import math
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from joblib._parallel_backends import LokyBackend
from threadpoolctl import threadpool_info

from regime_nas_pipeline.core import parallel
from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache, PieceCounts, content_hash, take_counts
from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.parallel import (
    LARGE_LIBRARIES,
    parallel_flow,
    parallel_map,
    resolve_jobs,
)
from regime_nas_pipeline.core.statistics import known_returns

TASKS = [(float(base), 3.0) for base in range(7)]


def test_results_keep_the_order_of_the_tasks_whatever_the_number_of_processes() -> None:
    expected = [0.0, 1.0, 8.0, 27.0, 64.0, 125.0, 216.0]
    assert parallel_map(math.pow, TASKS, n_jobs=1) == expected
    assert parallel_map(math.pow, TASKS, n_jobs=2) == expected


def test_an_error_of_another_process_is_the_same_error_here() -> None:
    task = (pd.Series([0.1, math.nan], name="fund"),)
    with pytest.raises(DataError) as here:
        parallel_map(known_returns, [task], n_jobs=1)
    with pytest.raises(DataError) as there:
        parallel_map(known_returns, [task, task], n_jobs=2)
    assert str(there.value) == str(here.value)
    assert (there.value.column, there.value.remedy) == ("fund", here.value.remedy)


def test_no_task_is_no_work() -> None:
    assert parallel_map(math.pow, [], n_jobs=4) == []


def test_one_process_runs_here_on_one_blas_thread() -> None:
    pids = parallel_map(os.getpid, [(), ()], n_jobs=1)
    assert pids == [os.getpid()] * 2
    threads = parallel_map(_blas_threads, [()], n_jobs=1)[0]
    assert threads == {1}


def _blas_threads() -> set[int]:
    np.ones((2, 2)) @ np.ones((2, 2))
    return {pool["num_threads"] for pool in threadpool_info()}


def _loaded(name: str) -> tuple[int, bool]:
    return os.getpid(), name in sys.modules


def test_workers_begin_with_the_large_libraries_of_this_process() -> None:
    """Loaded after a small piece, they would look like a leak, which costs the worker its place."""
    importlib.import_module("torch")
    found = parallel_map(_loaded, [(name,) for name in LARGE_LIBRARIES], n_jobs=2)
    assert all(pid != os.getpid() and loaded for pid, loaded in found)


def _piece(folder: str, name: str) -> int:
    PieceCache(folder).get_or_make(content_hash(name), lambda: Bundle({"x": np.ones(1)}))
    return os.getpid()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_pieces_of_other_processes_are_counted_here(tmp_path: Path, n_jobs: int) -> None:
    take_counts()
    folder = str(tmp_path)
    pids = parallel_map(_piece, [(folder, name) for name in "abc"], n_jobs=n_jobs)
    assert (os.getpid() in pids) == (n_jobs == 1)
    assert take_counts() == PieceCounts(made=3)
    parallel_map(_piece, [(folder, name) for name in "abcd"], n_jobs=n_jobs)
    assert take_counts() == PieceCounts(reused=3, made=1)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("ahead", [1, 3, 50])
def test_tasks_may_be_made_of_earlier_results(n_jobs: int, ahead: int) -> None:
    """Each adds 1 to the result ``ahead`` places before it: 0 0 0 1 1 1 2 for three."""
    results: list[float] = []

    def tasks() -> Iterator[tuple[float, float]]:
        for place in range(7):
            yield (1.0, results[place - ahead]) if place >= ahead else (0.0, 0.0)

    flow = parallel_flow(_sum, tasks(), ahead=ahead, shared=("kept",), n_jobs=n_jobs)
    for place, result in enumerate(flow):
        assert len(results) == place
        results.append(result)
    assert results == [float(place // ahead) for place in range(7)]


def _sum(shared: str, one: float, other: float) -> float:
    assert shared == "kept"
    return one + other


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_flow_that_is_left_or_fails_leaves_nothing_behind(n_jobs: int) -> None:
    bad = (pd.Series([0.1, math.nan], name="fund"),)
    good = (pd.Series([0.1, 0.2], name="fund"),)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        left = parallel_flow(known_returns, [good] * 5, ahead=3, n_jobs=n_jobs)
        assert next(left).tolist() == [0.1, 0.2]
        left.close()
        with pytest.raises(DataError, match="fund"):
            list(parallel_flow(known_returns, [good, bad, good, good], ahead=3, n_jobs=n_jobs))
    # The workers that were ended with it are replaced.
    assert parallel_map(math.pow, TASKS[:2], n_jobs=2) == [0.0, 1.0]


@pytest.mark.parametrize("left", [True, False])
def test_only_the_stumbling_of_lokys_thread_is_not_told(
    left: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[type[BaseException], str | None]] = []
    monkeypatch.setattr(
        threading,
        "excepthook",
        lambda failed: told.append((failed.exc_type, failed.thread and failed.thread.name)),
    )
    before = threading.excepthook

    def stumble(*_: Any, **__: Any) -> None:
        for name in ("ExecutorManagerThread", "another"):
            for error in (KeyError(27), ValueError("other")):
                thread = threading.Thread(target=_raise, args=(error,), name=name)
                thread.start()
                thread.join()

    if left:
        monkeypatch.setattr(LokyBackend, "abort_everything", stumble)
        flow = parallel_flow(time.sleep, [(0.0,)] * 4, ahead=3, n_jobs=2)
        next(flow)
        flow.close()
    else:
        monkeypatch.setattr(parallel, "count_pieces", stumble)
        parallel_map(math.pow, TASKS[:2], n_jobs=2)
    assert set(told) == {
        (ValueError, "ExecutorManagerThread"),
        (KeyError, "another"),
        (ValueError, "another"),
    }
    assert threading.excepthook is before


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_pieces_of_a_flow_are_counted_here(tmp_path: Path, n_jobs: int) -> None:
    take_counts()
    pieces = [(name,) for name in "abca"]
    pids = set(parallel_flow(_piece, pieces, ahead=2, shared=(str(tmp_path),), n_jobs=n_jobs))
    assert (os.getpid() in pids) == (n_jobs == 1)
    assert take_counts() == PieceCounts(reused=1, made=3)


def test_the_number_of_processes() -> None:
    assert resolve_jobs(3) == 3
    assert resolve_jobs(-1) == len(os.sched_getaffinity(0))


def test_a_progress_bar_counts_the_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    parallel_map(math.pow, TASKS, n_jobs=1, description="folds", unit="fold")
    shown = capsys.readouterr().err
    assert "folds" in shown
    assert "7/7" in shown
    parallel_map(math.pow, TASKS, n_jobs=1)
    assert capsys.readouterr().err == ""


def test_a_worker_that_is_replaced_is_no_matter_for_a_warning() -> None:
    said = "A worker stopped while some jobs were given to the executor. This can be caused by ..."
    code = (
        "import sys, warnings\n"
        "import regime_nas_pipeline.core.parallel\n"
        "for text in (sys.argv[1], 'another matter'):\n"
        "    warnings.warn_explicit(text, UserWarning, 'process_executor.py', 1)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, said], capture_output=True, text=True, check=True
    ).stderr
    assert "A worker stopped" not in told
    assert "another matter" in told
