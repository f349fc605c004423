"""Whether pieces of work leave this process, and whose turn it is in a worker of a cluster."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from regime_nas_pipeline.core.cache import count_pieces, take_counts
from regime_nas_pipeline.core.cluster import Cluster, connect
from regime_nas_pipeline.core.errors import ClusterError
from regime_nas_pipeline.core.heap import keep_freed_memory


class _Here(threading.local):
    """What this thread does in a worker: a node of the pipeline, one piece, or neither."""

    role: Literal["node", "piece"] | None = None
    has_left_queue = False


_here = _Here()
_turn = threading.Lock()
_chosen: Cluster | None = None
_clients: dict[int, Any] = {}
_connecting = threading.Lock()


def use_cluster(cluster: Cluster | None) -> None:
    """From now on this process sends its pieces of work to a cluster, or with None, does not."""
    global _chosen  # noqa: PLW0603 - one per process, like the cores that it takes the place of
    _chosen = cluster
    client = _clients.pop(os.getpid(), None)
    if client is not None:
        client.close()


def pieces_leave() -> bool:
    """Whether pieces of this thread's work go to a cluster. Those of a piece never do."""
    return _here.role == "node" or (_here.role is None and _chosen is not None)


def is_lent() -> bool:
    """Whether this thread works for a cluster: the other cores of its machine are, too."""
    return _here.role is not None


def client_here() -> Any:
    """The ``distributed.Client`` by which this thread sends its pieces.

    A node in a worker makes room for them: they may need the very worker that it runs in.

    Raises:
        ClusterError: The cluster does not answer, or has lost its workers.
    """
    if _here.role == "node":
        from distributed import get_client, secede  # noqa: PLC0415 - an optional extra

        client = get_client()
        if not _here.has_left_queue:
            secede()
            _here.has_left_queue = True
        return client
    assert _chosen is not None  # noqa: S101 - pieces_leave() says so
    with _connecting:
        client = _clients.get(os.getpid())  # a forked process makes its own
        if client is None or client.status != "running":
            client = _clients[os.getpid()] = connect(_chosen)
    return client


def refuse_if_dropped() -> None:
    """In a node whose run has ended: end it, too, and not only after its last piece.

    Nothing can stop a thread; a run that is given again would work beside it.

    Raises:
        ClusterError: The scheduler has cancelled the node.
    """
    if _here.role != "node":
        return
    from distributed import get_worker  # noqa: PLC0415 - an optional extra

    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    if task is None or task.state == "cancelled":
        raise ClusterError("the run that this node belongs to has ended.")


@contextmanager
def working_as(role: Literal["node", "piece"]) -> Iterator[None]:
    """In a worker: do a node or a piece while no other thread of the process does one.

    Thread limits, random states and the tally of pieces belong to the whole process. A node that
    waits for its pieces passes the turn on, see :func:`waiting`.
    """
    keep_freed_memory()
    with _turn:
        _here.role, _here.has_left_queue = role, False
        try:
            yield
        finally:
            _here.role = None


@contextmanager
def waiting() -> Iterator[None]:
    """Let others of the same worker work meanwhile; what this one has counted stays its own."""
    if _here.role is None:
        yield
        return
    counted = take_counts()
    _turn.release()
    try:
        yield
    finally:
        _turn.acquire()
        count_pieces(counted)
