"""A Kedro runner whose nodes run in the workers of a Dask cluster."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import asdict
from pathlib import PurePosixPath
from types import MethodType
from typing import Any

from kedro.framework import project
from kedro.io import DataCatalog
from kedro.io.core import AbstractVersionedDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import AbstractRunner
from kedro.runner.task import Task

from regime_nas_pipeline.cluster_checks import (
    facts_of,
    refuse_memory_only,
    refuse_two_clusters,
    refuse_unfit_workers,
)
from regime_nas_pipeline.core.cache import PieceCounts, code_version, take_counts
from regime_nas_pipeline.core.cluster import Cluster, connected, refuse_other_code
from regime_nas_pipeline.core.cluster_place import working_as
from regime_nas_pipeline.core.errors import ParameterError, RegimeNasError


class DaskRunner(AbstractRunner):
    """Runs nodes in the workers of a cluster, and their folds, trials and panels beside them.

    ``kedro run --runner=regime_nas_pipeline.dask_runner.DaskRunner
    --runner-params=address=tcp://host:8786``. Every dataset that a node makes must lie on storage
    which all workers share. A node whose worker is lost is run again by another one.

    Args:
        address: Of the scheduler.
        workers: How many must be there before work starts.
        timeout: Seconds to wait for the scheduler, and for the workers.
        is_async: Whether a node's datasets are read and written by threads.

    Raises:
        ParameterError: There is no address.
    """

    def __init__(
        self,
        address: str | None = None,
        workers: int = 1,
        timeout: float = 30.0,
        is_async: bool = False,
    ) -> None:
        super().__init__(is_async=is_async)
        if not address:
            raise ParameterError(
                "DaskRunner needs the address of a scheduler: "
                "--runner-params=address=tcp://host:8786."
            )
        self._cluster = Cluster(str(address), workers, timeout)
        self._nodes: _Nodes | None = None

    def _run(
        self,
        pipeline: Pipeline,
        catalog: Any,
        hook_manager: Any = None,
        run_id: str | None = None,
    ) -> None:
        """Check, connect, check the workers, run.

        Raises:
            ParameterError: A node's result would lie in memory alone, or ``compute.cluster``
                names another cluster.
            ClusterError: The cluster does not answer, or a worker is unfit.
        """
        refuse_memory_only(pipeline, catalog)
        refuse_two_clusters(self._cluster, catalog)
        with connected(self._cluster) as client:
            refuse_unfit_workers(client, catalog, nodes=True)
            self._nodes = _Nodes(client, _noting(catalog))
            super()._run(pipeline, catalog, hook_manager, run_id)

    def _get_executor(self, max_workers: int) -> Executor | None:
        return self._nodes


def _noting(catalog: DataCatalog) -> Callable[[Node, float, PieceCounts], None]:
    """What writes down a finished node, in this process.

    Lines that several machines append to one file of a network file system can be lost.
    """
    facts = facts_of(catalog)

    def note(node: Node, seconds: float, counts: PieceCounts) -> None:
        if facts is not None:
            facts.note(node.name, min(node.tags, default="other"), seconds, counts)

    return note


class _Nodes(Executor):
    """What Kedro's loop hands the nodes to that can run."""

    def __init__(self, client: Any, note: Callable[[Node, float, PieceCounts], None]) -> None:
        self._client, self._note = client, note
        self._sent: set[Any] = set()

    def submit(self, task: Any, /, *_: Any, **__: Any) -> Future[Any]:
        """Send a node to a worker; the result is the node."""
        from cloudpickle import dumps  # noqa: PLC0415 - an optional extra

        from regime_nas_pipeline.core.cluster_pieces import losses_told  # noqa: PLC0415 - as well

        image = dumps((task.node, task.catalog, task.is_async, task.run_id))
        remote = self._client.submit(
            run_node,
            code_version(),
            project.PACKAGE_NAME,
            image,
            key=f"{task.node.name}-{uuid.uuid4()}",
        )
        self._sent.add(remote)
        local: Future[Any] = Future()

        def finish(done: Any) -> None:
            try:
                with losses_told(f"node '{task.node.name}'"):
                    seconds, counts = done.result()
                self._note(task.node, seconds, PieceCounts(**counts))
            except BaseException as error:  # Kedro's loop raises it
                local.set_exception(error)
            else:
                # A finished node that is still held would be run again were its worker lost.
                self._sent.discard(done)
                done.release()
                local.set_result(task.node)

        remote.add_done_callback(finish)
        return local

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Drop what still runs: the run is over, or has failed."""
        self._client.cancel([each for each in self._sent if not each.done()])


def run_node(code: str, package: str | None, image: bytes) -> tuple[float, dict[str, int]]:
    """One node, in a worker: its seconds, and the pieces that it reused and made."""
    from cloudpickle import loads  # noqa: PLC0415 - an optional extra

    refuse_other_code(code)
    with working_as("node"):
        if package is not None and package != project.PACKAGE_NAME:
            project.configure_project(package)
        node, catalog, is_async, run_id = loads(image)
        start_afresh(node, catalog)
        take_counts()
        started = time.perf_counter()
        # "parallel" is Kedro's word for a process that has no hooks yet.
        task = Task(node, catalog, is_async, run_id=run_id, parallel=True)
        try:
            task.execute()
        except Exception as error:
            known = _own(error)
            if known is error:
                raise
            raise known from None
        return time.perf_counter() - started, asdict(take_counts())


def _own(error: BaseException) -> BaseException:
    """The project's own error behind another one: causes may be lost on the way."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, RegimeNasError):
        cause = cause.__cause__ or cause.__context__
    return cause or error


def start_afresh(node: Node, catalog: DataCatalog) -> None:
    """Forget what was known of the node's versions, and let it save its own a second time.

    Kedro refuses that, but a worker that was lost may have saved some already, or all. They are
    replaced, not removed: the next nodes may be reading them.
    """
    for name in {*node.inputs, *node.outputs}:
        dataset = catalog[name]
        if isinstance(dataset, AbstractVersionedDataset):
            dataset.release()
            if name in node.outputs:
                # Bound to the dataset, so that a copy of it has a path of its own.
                setattr(dataset, "_get_save_path", MethodType(_save_path, dataset))  # noqa: B010


def _save_path(dataset: AbstractVersionedDataset[Any, Any]) -> PurePosixPath:
    version = dataset.resolve_save_version()
    return dataset._filepath if version is None else dataset._get_versioned_path(version)
