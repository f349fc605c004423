"""A Dask cluster that does pieces of work, and what its workers must have to do them alike."""

from __future__ import annotations

import os
import platform
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import regime_nas_pipeline
from regime_nas_pipeline.core.cache import NUMERICAL_LIBRARIES, code_version
from regime_nas_pipeline.core.errors import ClusterError, in_one_line
from regime_nas_pipeline.core.files import PART_SUFFIX

TRANSPORT_LIBRARIES = ("cloudpickle", "dask", "distributed")
"""Libraries by which processes of a cluster understand each other."""

FOLDER_APPEARS_WITHIN = 2.0
"""Seconds after which a file must be seen by every machine that shares its folder."""

_MISSING = "none"


@dataclass(frozen=True)
class Cluster:
    """Where a cluster is.

    Attributes:
        address: Of its scheduler, ``tcp://host:8786`` or ``tls://host:8786``.
        workers: How many must be there before work starts.
        timeout: Seconds to wait for the scheduler, and for the workers.
    """

    address: str
    workers: int = 1
    timeout: float = 30.0


@contextmanager
def connected(cluster: Cluster) -> Iterator[Any]:
    """A ``distributed.Client`` of the cluster, closed afterwards; see :func:`connect`."""
    client = connect(cluster)
    try:
        yield client
    finally:
        client.close()


def connect(cluster: Cluster) -> Any:
    """A ``distributed.Client`` of a cluster that has its workers; to be closed by the caller.

    Raises:
        ClusterError: Dask is not installed, no scheduler answers, or workers are missing.
    """
    try:
        from distributed import Client  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise ClusterError(
            f"a cluster needs the packages of the extra 'dask', and {error.name} is not "
            "installed: pip install 'regime_nas_pipeline[dask]'."
        ) from error
    try:
        client = Client(cluster.address, timeout=cluster.timeout, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ClusterError(
            f"no scheduler of Dask answers at '{cluster.address}' within {cluster.timeout:g} "
            f"seconds ({in_one_line(error)}). Start one with 'dask scheduler', or mend the address."
        ) from error
    try:
        client.wait_for_workers(cluster.workers, timeout=cluster.timeout)
    except TimeoutError as error:
        there = len(client.nthreads())
        client.close()
        raise ClusterError(
            f"the cluster at '{cluster.address}' has {there} of {cluster.workers} workers after "
            f"{cluster.timeout:g} seconds. Start more with 'dask worker', or ask for fewer."
        ) from error
    return client


def check_workers(
    client: Any, *, folder: Path | None, also: Mapping[str, Callable[[], str]] | None = None
) -> None:
    """Refuse workers that could give other results than this process, or none.

    They must have the same Python, processor family, code and releases of
    :data:`~regime_nas_pipeline.core.cache.NUMERICAL_LIBRARIES` and :data:`TRANSPORT_LIBRARIES`,
    one thread each (thread limits and random states belong to a whole process), and see the
    folder of the results under the same name.

    Args:
        client: A ``distributed.Client``.
        folder: Where results and finished pieces are kept; None where nothing is.
        also: What else must be the same, by its name; module-level functions.

    Raises:
        ClusterError: Names the first such worker, what is wrong with it, and how many more.
    """
    questions = dict(also or {})
    with _token(folder) as token:
        answers = client.run(answer, token, questions, on_error="return")
    here = facts(questions)
    faults = {at: _fault(found, here, folder) for at, found in sorted(answers.items())}
    unfit = {at: fault for at, fault in faults.items() if fault}
    if not answers:
        raise ClusterError("the cluster has lost its workers. Start some with 'dask worker'.")
    if unfit:
        at, fault = next(iter(unfit.items()))
        more = f" Nor are {len(unfit) - 1} more of {len(faults)} fit." if len(unfit) > 1 else ""
        raise ClusterError(f"worker {at} {fault}{more}")


@contextmanager
def _token(folder: Path | None) -> Iterator[str | None]:
    """An empty file that every machine which shares the folder sees."""
    if folder is None:
        yield None
        return
    path = folder.resolve() / f"cluster-{uuid.uuid4().hex}{PART_SUFFIX}"
    path.touch()
    try:
        yield str(path)
    finally:
        path.unlink(missing_ok=True)


def facts(questions: Mapping[str, Callable[[], str]]) -> dict[str, str]:
    """What must be the same in every process that does pieces of one job, by its name."""
    return {
        "Python": platform.python_version(),
        "processor family": platform.machine(),
        "regime_nas_pipeline": regime_nas_pipeline.__version__,
        **{name: _version(name) for name in (*NUMERICAL_LIBRARIES, *TRANSPORT_LIBRARIES)},
        **{name: ask() for name, ask in questions.items()},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return _MISSING


def _is_installed(name: str) -> bool:
    return _version(name) != _MISSING


def answer(
    token: str | None, questions: Mapping[str, Callable[[], str]], dask_worker: Any
) -> dict[str, Any]:
    """What a worker says of itself; run inside it, Dask adds the last argument."""
    found = facts(questions)
    return {
        "facts": found,
        "code": code_version() if all(map(_is_installed, NUMERICAL_LIBRARIES)) else None,
        "threads": dask_worker.state.nthreads,
        "limit": os.environ.get("OMP_NUM_THREADS"),
        "sees_folder": token is None or _appears(Path(token)),
    }


def _appears(path: Path) -> bool:
    last = time.monotonic() + FOLDER_APPEARS_WITHIN
    while not path.exists():
        if time.monotonic() > last:
            return False
        time.sleep(0.1)
    return True


def _fault(found: Any, here: Mapping[str, str], folder: Path | None) -> str | None:
    """What is wrong with a worker, if anything, and what to do."""
    if isinstance(found, ModuleNotFoundError):
        return f"has no package '{found.name}'. Install this project and its lock file there."
    if isinstance(found, BaseException):
        return f"does not answer: {type(found).__name__}: {in_one_line(found)}."
    return next(_faults(found, here, folder), None)


def _faults(
    found: Mapping[str, Any], here: Mapping[str, str], folder: Path | None
) -> Iterator[str]:
    known = found["facts"]
    other = [f"{n} {known[n]} (here {value})" for n, value in here.items() if known[n] != value]
    if other:
        yield f"has {', '.join(other)}. Install the same lock file there and start it again."
    if found["code"] != code_version():
        yield "runs other source code of this project. Bring the same there and start it again."
    if found["threads"] != 1:
        yield (
            f"has {found['threads']} threads, and pieces need a process each: start it with "
            "'dask worker --nthreads=1' and as many --nworkers as it has cores."
        )
    if found["limit"] != "1":
        yield (
            f"has OMP_NUM_THREADS={found['limit']}, and sums split over threads round differently: "
            "start it with OMP_NUM_THREADS=1, which Dask's nannies do."
        )
    if not found["sees_folder"]:
        yield (
            f"does not see the folder '{folder}'. Results and finished pieces must lie on storage "
            "that all machines share under one name: see 'root' in globals.yml."
        )


def refuse_other_code(code: str) -> None:
    """Refuse work of a process whose code is not that of this one.

    A worker that joins later was never asked by :func:`check_workers`.

    Args:
        code: The other's :func:`~regime_nas_pipeline.core.cache.code_version`.

    Raises:
        ClusterError: It differs.
    """
    if code != code_version():
        raise ClusterError(
            f"a worker on {platform.node()} that joined during the run has other code or libraries "
            "than the run. Bring the same there, start it again, and give the same command."
        )
