"""Ending in order: signals that end a process, and workers whose parent has ended."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType

PARENT_CHECKED_EVERY = 1.0
"""Seconds between two looks of a worker at whether its parent still lives."""

_STOPPING = ("SIGTERM", "SIGHUP")


class OrderlyStop:
    """While it is held, ``SIGTERM`` and ``SIGHUP`` end this process as Ctrl-C does.

    They come from a system that goes down or takes its machine back, and from a connection that
    is lost; by default they end a process without its exit handlers. One that is ignored, as
    under ``nohup``, stays so. Only the main thread can set this up; in others nothing changes.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._set: list[int] = []
        if threading.current_thread() is threading.main_thread():
            known = [getattr(signal, name) for name in _STOPPING if hasattr(signal, name)]
            self._set = [each for each in known if signal.getsignal(each) is signal.SIG_DFL]
        for number in self._set:
            signal.signal(number, self._stop)

    def _stop(self, number: int, _: FrameType | None) -> None:
        if os.getpid() == self._process:
            raise SystemExit(128 + number)
        # A forked worker: whoever ends it does not expect it to wind up its work.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def release(self) -> None:
        """Let the signals do again what they do by default."""
        for number in self._set:
            signal.signal(number, signal.SIG_DFL)
        self._set = []


def end_with_parent(parent: int) -> None:
    """End this process soon after ``parent``, of which it is a child, has ended.

    A process that is killed cannot tell its workers to stop: they would go on computing for
    nobody, beside the run that takes its place.

    Args:
        parent: Its process number.
    """
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECKED_EVERY)
    os._exit(1)
