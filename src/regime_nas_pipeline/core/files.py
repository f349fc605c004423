"""Files that are written whole or not at all: temporary file, fsync, rename."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from regime_nas_pipeline.core.errors import FileError

PART_SUFFIX = ".part"
"""Ending of a temporary file. A process that is killed leaves it; nothing reads it."""

PART_LIVES = 3600.0
"""Seconds after its last change for which a temporary file may still be in use."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Gives the path of an empty temporary file, which becomes ``path`` if the block ends well.

    A reader sees all of the file or none, whatever ends the writer. If the block fails, what was
    at ``path`` stays, and the temporary file and the folders that were made for it go.

    Args:
        path: The file to be written; its folder is made.

    Raises:
        FileError: The disk is full, or the file may not be written.
        NotADirectoryError: A file stands where a folder is needed.
    """
    made = [folder for folder in path.parents if not folder.exists()]
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".", suffix=PART_SUFFIX)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        with suppress(OSError):  # not made yet, or another process put something there
            for folder in made:
                folder.rmdir()
        if isinstance(error, OSError) and not isinstance(error, NotADirectoryError):
            raise _named(path, error) from error
        raise


def _named(path: Path, error: OSError) -> FileError:
    return FileError(
        f"'{path.as_posix()}' cannot be written: {error.strerror or error}. Make room, or mend "
        "the cause, and give the same command again: it goes on from what is finished."
    )


def write_whole(path: Path, image: bytes) -> None:
    """Write a file so that a reader sees all of it or none; see :func:`whole_file`.

    Raises:
        FileError: The disk is full, or the file may not be written.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(image)


def clear_parts(folder: Path) -> int:
    """Remove the temporary files that processes left which were killed; how many there were.

    What was written to within :data:`PART_LIVES` stays: another process may be at it.

    Args:
        folder: Looked through at any depth.
    """
    dead = time.time() - PART_LIVES
    cleared = 0
    # Unlike rglob, walk bears with folders that another run removes meanwhile.
    for place, _, names in os.walk(folder):
        for part in (Path(place) / name for name in names if name.endswith(PART_SUFFIX)):
            with suppress(OSError):  # renamed meanwhile, or something else is in the folder
                if part.stat().st_mtime < dead:
                    part.unlink()
                    cleared += 1
                    part.parent.rmdir()
    return cleared
