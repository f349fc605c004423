from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from regime_nas_pipeline.core.errors import FileError, FolderInUseError
from regime_nas_pipeline.core.folder_lock import FolderLock

HOLD = (
    "import sys, time; from pathlib import Path\n"
    "from regime_nas_pipeline.core.folder_lock import FolderLock\n"
    "lock = FolderLock(Path(sys.argv[1]), env='crypto')\n"
    "print('held', flush=True); time.sleep(60)\n"
)


def test_the_holder_is_named_and_a_killed_one_is_taken_over(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(FolderInUseError) as refused:
            FolderLock(tmp_path, env="crypto")
        said = str(refused.value)
        assert f"'{tmp_path}': environment crypto, process {other.pid}, running since 20" in said
        # Being refused takes nothing away from the holder.
        with pytest.raises(FolderInUseError, match=f"process {other.pid}"):
            FolderLock(tmp_path, env="crypto")
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert (tmp_path / ".lock").exists()
    lock = FolderLock(tmp_path, env="test")
    with pytest.raises(FolderInUseError, match=f"environment test, process {os.getpid()}"):
        FolderLock(tmp_path, env="test")
    lock.release()


def test_two_folders_are_held_side_by_side_and_given_back(tmp_path: Path) -> None:
    one, other = (FolderLock(tmp_path / name, env=name) for name in ("etf", "crypto"))
    (tmp_path / "etf" / "results").touch()
    one.release()
    other.release()
    # Nothing is left of a run that wrote nothing, and everything of one that did.
    assert {path.name for path in tmp_path.rglob("*")} == {"etf", "results"}
    FolderLock(tmp_path / "etf", env="etf").release()


def test_a_lock_without_words_still_refuses(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path, env="test")
    (tmp_path / ".lock").write_text("{half")
    with pytest.raises(FolderInUseError, match=f"writing to '{tmp_path}'. Wait"):
        FolderLock(tmp_path, env="test")
    lock.release()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="file/data' cannot be written to"):
        FolderLock(tmp_path / "file" / "data", env="test")
