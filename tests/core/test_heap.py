"""A worker of Dask keeps freed memory; every other process is left alone."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from regime_nas_pipeline.core.heap import LARGEST_FROM_HEAP, NANNY_KEEPS

FAULTS = f"""
import resource
import numpy as np
from regime_nas_pipeline.core.heap import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        np.ones({LARGEST_FROM_HEAP} // 2, dtype=np.int8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first = faults()
changed = keep_freed_memory()
faults()
print(first, changed, keep_freed_memory(), faults())
"""

on_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")


def measured(threshold: str | None) -> tuple[int, bool, bool, int]:
    """Pages that 50 arrays took before and after, and what the two calls said."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    if threshold is not None:
        environment["MALLOC_TRIM_THRESHOLD_"] = threshold
    done = subprocess.run(
        [sys.executable, "-c", FAULTS], env=environment, capture_output=True, text=True, check=True
    )
    first, changed, again, last = done.stdout.split()
    return int(first), changed == "True", again == "True", int(last)


@on_glibc
def test_under_a_nannys_threshold_memory_comes_back_from_the_system_no_more() -> None:
    first, changed, again, last = measured(NANNY_KEEPS)
    assert changed
    assert again
    assert first > 1000
    assert last < first / 20


@on_glibc
@pytest.mark.parametrize("threshold", [None, "131072"])
def test_what_nobody_or_somebody_else_has_set_stays(threshold: str | None) -> None:
    _, changed, again, _ = measured(threshold)
    assert not changed
    assert not again


def test_nannies_still_set_that_threshold() -> None:
    config = pytest.importorskip("dask").config
    pytest.importorskip("distributed")
    given = config.get("distributed.nanny.pre-spawn-environ")
    assert str(given["MALLOC_TRIM_THRESHOLD_"]) == NANNY_KEEPS
