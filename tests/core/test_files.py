from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core import files
from regime_nas_pipeline.core.errors import FileError
from regime_nas_pipeline.core.files import clear_parts, whole_file, write_whole

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_a_file_comes_with_its_folders_and_can_be_read_by_all(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "piece"
    write_whole(path, b"all of it")
    assert path.read_bytes() == b"all of it"
    assert path.stat().st_mode & 0o777 == 0o644
    assert everything(tmp_path) == {"a", "a/b", "a/b/piece"}


@settings(max_examples=20, deadline=None)
@given(images=st.lists(st.binary(max_size=50), min_size=1, max_size=4))
def test_the_last_of_several_writes_is_there_and_nothing_else(
    images: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("writes")
    for image in images:
        write_whole(folder / "piece", image)
    assert (folder / "piece").read_bytes() == images[-1]
    assert everything(folder) == {"piece"}


def test_the_file_is_not_there_before_the_block_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "version" / "piece"
    with whole_file(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists()
        assert temporary.parent == path.parent  # a rename within one file system is atomic
    assert path.read_bytes() == b"half"


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    old, new = tmp_path / "folder" / "piece", tmp_path / "another" / "version" / "piece"
    write_whole(old, b"old")
    fails: Callable[..., None] = lambda *_: (_ for _ in ()).throw(FULL)  # noqa: E731
    monkeypatch.setattr(*((files.os, "fsync") if broken == "fsync" else (Path, "replace")), fails)
    for path in (old, new):
        with pytest.raises(FileError, match=f"{path.as_posix()}.*No space left on device"):
            write_whole(path, b"newer")
    assert old.read_bytes() == b"old"
    assert everything(tmp_path) == {"folder", "folder/piece"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_any_other_end_of_the_block_leaves_nothing_and_stays_what_it_is(
    tmp_path: Path, error: type[BaseException]
) -> None:
    def breaks() -> None:
        with whole_file(tmp_path / "version" / "piece") as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        breaks()
    assert everything(tmp_path) == set()


def test_a_folder_that_another_process_filled_meanwhile_stays(tmp_path: Path) -> None:
    def breaks() -> None:
        with whole_file(tmp_path / "ab" / "piece") as temporary:
            (temporary.parent / "of another").touch()
            raise RuntimeError("this writer")

    with pytest.raises(RuntimeError, match="this writer"):
        breaks()
    assert everything(tmp_path) == {"ab", "ab/of another"}


def test_a_file_in_place_of_a_folder_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "piece").write_bytes(b"unversioned")
    with pytest.raises(NotADirectoryError):
        write_whole(tmp_path / "piece" / "version" / "piece", b"new")
    assert (tmp_path / "piece").read_bytes() == b"unversioned"


def test_a_killed_writer_leaves_the_old_file_and_a_rest_that_can_be_cleared(
    tmp_path: Path,
) -> None:
    old, new = tmp_path / "old", tmp_path / "version" / "new"
    write_whole(old, b"old")
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from regime_nas_pipeline.core.files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as a, whole_file(Path(sys.argv[2])) as b:\n"
        "    a.write_bytes(b'half'), b.write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, old, new], check=False)
    assert done.returncode == -signal.SIGKILL
    assert old.read_bytes() == b"old"
    assert not new.exists()
    assert clear_parts(tmp_path) == 0  # they could be of a process that still writes
    for part in tmp_path.rglob("*.part"):
        os.utime(part, (0, 0))
    assert clear_parts(tmp_path) == 2
    assert everything(tmp_path) == {"old"}
    assert clear_parts(tmp_path) == 0
