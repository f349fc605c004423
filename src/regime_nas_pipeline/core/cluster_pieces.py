"""Pieces of work sent to the workers of a Dask cluster, and their results in order.

Only what this module itself has packed is unpacked, and only from a worker's or the scheduler's
connection, never from a file. Whoever can speak to the scheduler can run code in its workers: see
``docs/clusters.md``.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any
from weakref import WeakKeyDictionary

import dask
from cloudpickle import dumps, loads
from distributed import KilledWorker

from regime_nas_pipeline.core.cache import code_version
from regime_nas_pipeline.core.cluster import refuse_other_code
from regime_nas_pipeline.core.cluster_place import (
    client_here,
    refuse_if_dropped,
    waiting,
    working_as,
)
from regime_nas_pipeline.core.errors import ClusterError

SMALL = 10_000
"""Bytes up to which an argument is sent with every piece that needs it."""

KEPT = 8
"""Larger arguments that stay with the workers from one batch of pieces to the next."""

PER_WORKER = 2
"""Pieces that are sent ahead for each worker, so that none waits for this process."""

BEFORE_NODES = 10
"""Priority of pieces: nodes that run wait for them, other nodes can wait."""

LOOKED_EVERY = 1.0
"""Seconds after which a result is looked for that nobody announced."""

LARGE = "1 GiB"
"""Dask warns of messages over 10 MB. Markets are larger, and the large ones are sent once."""

DROPPED = (
    "the cluster dropped the work: its scheduler ended, or the connection to it did. "
    "What is finished is kept: the same command goes on from there."
)

_kept: WeakKeyDictionary[Any, OrderedDict[str, Any]] = WeakKeyDictionary()


def results_of(
    call: Callable[[Any, tuple[Any, ...]], Any],
    function: Callable[..., Any],
    tasks: Iterable[tuple[Any, ...]],
    *,
    at_once: int | None,
    ahead: int | None = None,
    shared: tuple[Any, ...] = (),
) -> Iterator[Any]:
    """``call(function, task)`` of every task by workers; in the tasks' order, as they finish.

    A piece whose worker is lost is done again by another one. Where the caller stops, or a piece
    fails, the others are cancelled.

    Args:
        call: Module-level function.
        function: What it calls.
        tasks: One tuple of arguments each, taken as they are sent.
        at_once: Pieces that may be under way; None for as many as there are workers.
        ahead: Tasks that may be taken before the result of the first of them was asked for; None
            for any number.
        shared: Arguments that many tasks have, where ``tasks`` is no sequence in which they can be
            counted.

    Raises:
        ClusterError: The cluster is lost, or a piece ends every worker that it is given to.
    """
    repeated = {id(argument) for argument in shared}
    if isinstance(tasks, Sequence):
        counts = Counter(id(argument) for task in tasks for argument in task)
        repeated |= {known for known, count in counts.items() if count > 1}
    sender = _Sender(client_here(), call, function, at_once, repeated)
    try:
        yield from sender.results(iter(tasks), ahead)
    finally:
        sender.cancel()


def run_piece(code: str, call: bytes, *arguments: bytes) -> bytes:
    """One piece, in a worker: unpack, call, pack."""
    refuse_other_code(code)
    with working_as("piece"):
        # Packed arguments are unpacked for each piece: none can change what another one reads.
        called, function = loads(call)
        packed: bytes = dumps(called(function, tuple(loads(each) for each in arguments)))
    return packed


def keep(image: bytes) -> bytes:
    """An argument of several pieces, as a task: Dask makes it again where a worker is lost."""
    return image


@contextmanager
def losses_told(what: str) -> Iterator[None]:
    """Say in the project's words what Dask raises where workers or the scheduler are lost.

    Args:
        what: What the workers did: "piece", or "node 'label_regimes'".

    Raises:
        ClusterError: The cluster dropped the work, or it ended every worker that it was given to.
    """
    try:
        yield
    except KilledWorker as error:
        raise ClusterError(
            f"{error.allowed_failures + 1} workers ended while they did the same {what}, the "
            f"last at {error.last_worker.address}. Look into their logs: too little memory is "
            "the usual cause. Finished pieces are kept."
        ) from error
    except CancelledError as error:
        raise ClusterError(DROPPED) from error


class _Sender:
    def __init__(
        self,
        client: Any,
        call: Callable[..., Any],
        function: Callable[..., Any],
        at_once: int | None,
        repeated: set[int],
    ) -> None:
        self._client, self._at_once = client, at_once
        self._name = getattr(function, "__name__", "piece")
        self._call = dumps((call, function))
        self._repeated = repeated
        self._packed: dict[int, Any] = {}
        self._futures: list[Any] = []
        self._running: list[Any] = []
        self._finished: SimpleQueue[None] = SimpleQueue()
        self._all_sent = False

    def results(self, tasks: Iterator[tuple[Any, ...]], ahead: int | None) -> Iterator[Any]:
        place = 0
        while True:
            end = None if ahead is None else place + ahead
            self._send_ahead(tasks, end)
            if place == len(self._futures):
                return
            while not self._futures[place].done():
                self._wait_for_any()
                refuse_if_dropped()
                self._send_ahead(tasks, end)
            yield loads(self._result(place))
            place += 1

    def cancel(self) -> None:
        left = [future for future in self._running if not future.done()]
        if left and self._client.status == "running":
            self._client.cancel(left)

    def _send_ahead(self, tasks: Iterator[tuple[Any, ...]], end: int | None) -> None:
        if self._all_sent:
            return
        self._running = [future for future in self._running if not future.done()]
        allowed = self._at_once or PER_WORKER * max(1, self._n_workers())
        while len(self._running) < allowed and (end is None or len(self._futures) < end):
            task = next(tasks, None)
            if task is None:
                self._all_sent = True
                return
            self._futures.append(self._sent(task))
            self._running.append(self._futures[-1])
            self._futures[-1].add_done_callback(lambda _: self._finished.put(None))

    def _n_workers(self) -> int:
        try:
            return len(self._client.nthreads())
        except OSError as error:  # of the connection
            raise ClusterError(DROPPED) from error

    def _sent(self, task: tuple[Any, ...]) -> Any:
        packed = [self._pack(argument) for argument in task]
        key = f"{self._name}-{uuid.uuid4()}"
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": LARGE}):
            return self._client.submit(
                run_piece, code_version(), self._call, *packed, key=key, priority=BEFORE_NODES
            )

    def _pack(self, argument: Any) -> Any:
        if id(argument) not in self._repeated:
            return dumps(argument)
        if id(argument) not in self._packed:
            image = dumps(argument)
            self._packed[id(argument)] = image if len(image) <= SMALL else self._placed(image)
        return self._packed[id(argument)]

    def _placed(self, image: bytes) -> Any:
        """A future of the packed argument: sent once, to all workers, and kept for next batches."""
        known = _kept.setdefault(self._client, OrderedDict())
        digest = hashlib.sha256(image).hexdigest()
        future = known.pop(digest, None)
        if future is None or future.status in {"cancelled", "error"}:
            key = f"argument-{uuid.uuid4()}"
            with dask.config.set({"distributed.admin.large-graph-warning-threshold": LARGE}):
                future = self._client.submit(keep, image, key=key, priority=BEFORE_NODES)
        # Before pieces begin: a worker that computes is slow to pass data on to others. It only
        # saves time: where a worker is lost just now, the scheduler may fail in any way (it draws
        # more workers than it has left, for one), and the pieces fetch or make the argument again.
        # Where the scheduler is lost, they say so.
        with waiting(), suppress(Exception):
            self._client.replicate([future])
        known[digest] = future
        while len(known) > KEPT:
            known.popitem(last=False)
        return future

    def _wait_for_any(self) -> None:
        # A result that is lost with its worker is made again, and is not announced again.
        with waiting(), suppress(Empty):
            self._finished.get(timeout=LOOKED_EVERY)

    def _result(self, place: int) -> bytes:
        future, self._futures[place] = self._futures[place], None
        with losses_told("piece"), waiting():
            found: bytes = future.result()
        return found
