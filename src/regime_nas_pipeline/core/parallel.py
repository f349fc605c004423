"""The same work on one process, several, or a cluster's, with progress, results in order."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from regime_nas_pipeline.core.cache import PieceCounts, count_pieces, take_counts
from regime_nas_pipeline.core.cluster_place import is_lent, pieces_leave
from regime_nas_pipeline.core.stopping import end_with_parent

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
    workers: dict[str, Any] = {"initializer": end_with_parent, "initargs": (os.getpid(),)}
    with parallel_config(backend="loky", inner_max_num_threads=1, **workers):
        calls = (delayed(_call_and_count)(function, task) for task in tasks)
        for result, counts in Parallel(n_jobs=jobs, return_as="generator")(calls):
            count_pieces(counts)
            yield result


def _by_cluster(
    function: Callable[..., Result], tasks: Sequence[tuple[Any, ...]], n_jobs: int
) -> Iterator[Result]:
    from regime_nas_pipeline.core import cluster_pieces  # noqa: PLC0415 - an optional extra

    at_once = n_jobs if n_jobs > 0 else None
    for result, counts in cluster_pieces.results_of(
        _call_and_count, function, tasks, at_once=at_once
    ):
        count_pieces(counts)
        yield result
