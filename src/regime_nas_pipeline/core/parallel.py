"""The same work on one process, several, or a cluster's, with progress, results in order."""

from __future__ import annotations

import importlib
import itertools
import multiprocessing
import os
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from regime_nas_pipeline.core.cache import PieceCounts, count_pieces, take_counts
from regime_nas_pipeline.core.cluster_place import is_lent, pieces_leave
from regime_nas_pipeline.core.stopping import end_with_parent

# loky replaces a worker that has grown by 300 MB since its first piece, as it does when large
# pieces follow on small ones. Nothing is lost by it, and nobody has to do anything.
warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)

LARGE_LIBRARIES = ("torch", "torch._dynamo")
"""Loaded by workers as they begin if this process has the first; optimisers bring the second."""

Result = TypeVar("Result")


def resolve_jobs(n_jobs: int) -> int:
    """Number of processes: ``n_jobs`` itself, or every core of this process for -1.

    A process that is itself a worker (of Kedro's ParallelRunner, for instance) starts no others:
    the cores are taken already, and it could not end before its idle children do.
    """
    if multiprocessing.parent_process() is not None or is_lent():
        return 1
    if n_jobs > 0:
        return n_jobs
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _call(function: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
    # One BLAS thread everywhere: sums split over threads round differently, and the same
    # result is promised whatever the number of processes.
    with threadpool_limits(limits=1):
        return function(*arguments)


def _call_and_count(
    function: Callable[..., Result], arguments: tuple[Any, ...]
) -> tuple[Result, PieceCounts]:
    """The result, and what another process reused and made on the way to it."""
    take_counts()
    return _call(function, arguments), take_counts()


def parallel_map(
    function: Callable[..., Result],
    tasks: Sequence[tuple[Any, ...]],
    *,
    n_jobs: int = 1,
    description: str = "",
    unit: str = "it",
) -> list[Result]:
    """Call ``function(*task)`` for every task and return the results in the tasks' order.

    Args:
        function: Module-level function; it must not depend on shared state.
        tasks: One tuple of arguments for each call.
        n_jobs: Processes; -1 for all cores. Where a cluster is in use, see
            :mod:`~regime_nas_pipeline.core.cluster_place`: calls under way at once, -1 for all of
            its workers; 1 is always this process.
        description: What the progress bar says; no bar where empty.
        unit: What one task is called in the progress bar.
    """
    results = []
    with tqdm(
        total=len(tasks), desc=description, unit=unit, disable=not description, miniters=1
    ) as bar:
        for result in parallel_stream(function, tasks, n_jobs=n_jobs):
            results.append(result)
            bar.update()
    return results


def parallel_stream(
    function: Callable[..., Result], tasks: Sequence[tuple[Any, ...]], *, n_jobs: int = 1
) -> Iterator[Result]:
    """Call ``function(*task)`` for every task; results come in the tasks' order, as they finish.

    Args:
        function: Module-level function; it must not depend on shared state.
        tasks: One tuple of arguments for each call.
        n_jobs: Processes; -1 for all cores. Where a cluster is in use, see
            :mod:`~regime_nas_pipeline.core.cluster_place`: calls under way at once, -1 for all of
            its workers; 1 is always this process.
    """
    if n_jobs != 1 and tasks and pieces_leave():
        yield from _by_cluster(function, tasks, n_jobs)
        return
    jobs = min(resolve_jobs(n_jobs), len(tasks))
    if jobs <= 1:
        for task in tasks:
            yield _call(function, task)
        return
    with _workers(), _ended_quietly():
        calls = (delayed(_call_and_count)(function, task) for task in tasks)
        for result, counts in Parallel(n_jobs=jobs, return_as="generator")(calls):
            count_pieces(counts)
            yield result


def parallel_flow(
    function: Callable[..., Result],
    tasks: Iterable[tuple[Any, ...]],
    *,
    ahead: int,
    shared: tuple[Any, ...] = (),
    n_jobs: int = 1,
) -> Iterator[Result]:
    """Call ``function(*shared, *task)`` for tasks that may depend on earlier results.

    A task is taken from ``tasks`` in this thread, and not before the caller has asked for what
    follows the result ``ahead`` places before it. So whoever makes the tasks may use these results,
    and while it does, the others are under way.

    Args:
        function: Module-level function; it must not depend on shared state.
        tasks: One tuple of arguments for each call.
        ahead: Tasks that may be under way or finished and not asked for, at most.
        shared: First arguments of every call.
        n_jobs: As for :func:`parallel_stream`.

    Yields:
        Results in the tasks' order, as they finish.
    """
    calls = ((*shared, *task) for task in tasks)
    if n_jobs != 1 and pieces_leave():
        yield from _by_cluster(function, calls, n_jobs, ahead=ahead, shared=shared)
        return
    jobs = min(resolve_jobs(n_jobs), ahead)
    if jobs <= 1:
        for call in calls:
            yield _call(function, call)
        return
    begun: deque[Generator[tuple[Result, PieceCounts]]] = deque()
    try:
        while True:
            for call in itertools.islice(calls, ahead - len(begun)):
                begun.append(_begin(function, call, jobs))
            if not begun:
                return
            [(result, counts)] = begun.popleft()
            count_pieces(counts)
            yield result
    finally:
        with warnings.catch_warnings(), _ended_quietly():
            # Whoever stops early knows that results are lost.
            warnings.simplefilter("ignore")
            for left in begun:
                left.close()


def _begin(
    function: Callable[..., Result], task: tuple[Any, ...], jobs: int
) -> Generator[tuple[Result, PieceCounts]]:
    """One call, begun at once by the workers that all calls share; its result when asked for."""
    with _workers():
        begun: Generator[tuple[Result, PieceCounts]] = Parallel(
            n_jobs=jobs, return_as="generator", pre_dispatch="all", batch_size=1
        )([delayed(_call_and_count)(function, task)])
    return begun


def _workers() -> parallel_config:
    # loky takes a worker that has grown by 300 MB since its first piece for one that leaks, and
    # starts another in its place. Libraries that only later pieces need would be such a growth.
    brought = LARGE_LIBRARIES if LARGE_LIBRARIES[0] in sys.modules else ()
    begins: dict[str, Any] = {"initializer": _begin_worker, "initargs": (os.getpid(), brought)}
    return parallel_config(backend="loky", inner_max_num_threads=1, **begins)


@contextmanager
def _ended_quietly() -> Iterator[None]:
    """Say nothing of the thread of loky's that stumbles over a call which it has just given up.

    That happens where workers are ended between the submission of a call and its handing on. The
    workers are gone by then, and the error that they are ended for is told by whoever caught it.
    """
    told = threading.excepthook

    def tell(failed: threading.ExceptHookArgs) -> None:
        thread = "" if failed.thread is None else failed.thread.name
        if not (issubclass(failed.exc_type, KeyError) and thread == "ExecutorManagerThread"):
            told(failed)

    threading.excepthook = tell
    try:
        yield
    finally:
        threading.excepthook = told


def _begin_worker(parent: int, libraries: tuple[str, ...]) -> None:
    end_with_parent(parent)
    for name in libraries:
        importlib.import_module(name)


def _by_cluster(
    function: Callable[..., Result],
    tasks: Iterable[tuple[Any, ...]],
    n_jobs: int,
    *,
    ahead: int | None = None,
    shared: tuple[Any, ...] = (),
) -> Iterator[Result]:
    from regime_nas_pipeline.core import cluster_pieces  # noqa: PLC0415 - an optional extra

    at_once = n_jobs if n_jobs > 0 else None
    for result, counts in cluster_pieces.results_of(
        _call_and_count, function, tasks, at_once=at_once, ahead=ahead, shared=shared
    ):
        count_pieces(counts)
        yield result
