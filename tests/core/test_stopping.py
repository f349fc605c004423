from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from regime_nas_pipeline.core.stopping import OrderlyStop

HELD = (
    "import atexit, os, sys, time; from regime_nas_pipeline.core.stopping import OrderlyStop\n"
    "atexit.register(print, 'wound up', flush=True)\n"
    "OrderlyStop()\n"
    "if sys.argv[1] == 'forked' and os.fork() != 0:\n"
    "    os.wait(); print('child gone', flush=True); os._exit(0)\n"
    "print(os.getpid(), flush=True); time.sleep(60)\n"
)

PARENT = (
    "import os, sys, time; from regime_nas_pipeline.core.parallel import parallel_map\n"
    "def work(folder):\n"
    "    open(f'{folder}/{os.getpid()}', 'w').close(); time.sleep(60)\n"
    "parallel_map(work, [(sys.argv[1],)] * 4, n_jobs=2)\n"
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_process_that_is_told_to_end_winds_up(number: signal.Signals) -> None:
    process = subprocess.Popen([sys.executable, "-c", HELD, "alone"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    assert process.communicate(timeout=30)[0] == b"wound up\n"
    assert process.returncode == 128 + number


def test_a_forked_worker_ends_at_once() -> None:
    process = subprocess.Popen([sys.executable, "-c", HELD, "forked"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    os.kill(int(process.stdout.readline()), signal.SIGTERM)
    assert process.communicate(timeout=30)[0] == b"child gone\n"


def test_ignored_signals_stay_ignored_and_the_rest_is_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        stop = OrderlyStop()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        stop.release()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, before)


def test_in_another_thread_nothing_changes() -> None:
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=OrderlyStop)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before


def test_workers_of_a_killed_process_end(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    folder = tmp_path / "workers"
    folder.mkdir()
    parent = subprocess.Popen([sys.executable, script, folder])
    try:
        workers = awaited(lambda: [int(p.name) for p in folder.iterdir()], 2)
    finally:
        parent.kill()
        parent.wait()
    awaited(lambda: [pid for pid in workers if not is_running(pid)], 2)


def awaited(look, count: int) -> list[int]:
    for _ in range(600):
        found = look()
        if len(found) >= count:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{found} in place of {count}")


def is_running(pid: int) -> bool:
    """Whether a process computes; one that has ended may wait for its parent to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
