"""How much freed memory a process keeps for the next use, where Dask has made that too little."""

from __future__ import annotations

import ctypes
import os
from functools import cache

NANNY_KEEPS = "65536"
"""``MALLOC_TRIM_THRESHOLD_`` that Dask's nannies give to their workers."""

LARGEST_FROM_HEAP = 32 * 2**20
"""Bytes up to which glibc comes to serve requests from its heap if left alone; its own limit."""

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


@cache
def keep_freed_memory() -> bool:
    """Let this process keep freed memory as one does that no nanny has started.

    Dask's nannies set a threshold at which freed memory goes back to the system at once, against
    tables that grow and shrink. It also ends glibc's way of raising thresholds by what it sees, so
    every tensor from 128 KiB on is new memory, which the system clears page by page: training a
    network took a fifth longer. A threshold that somebody chose otherwise is left as it is.

    Returns:
        Whether anything was changed; asked for again, what was true the first time.

    Source: ``mallopt(3)`` of glibc, notes on ``M_MMAP_THRESHOLD``; the configuration
    ``distributed.nanny.pre-spawn-environ`` of Dask.
    """
    if os.environ.get("MALLOC_TRIM_THRESHOLD_") != NANNY_KEEPS:
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    set_option.argtypes = [ctypes.c_int, ctypes.c_int]
    set_option.restype = ctypes.c_int
    wanted = ((_M_MMAP_THRESHOLD, LARGEST_FROM_HEAP), (_M_TRIM_THRESHOLD, 2 * LARGEST_FROM_HEAP))
    return all(set_option(option, value) == 1 for option, value in wanted)
