"""One writer at a time to a folder, which says who it is."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from regime_nas_pipeline.core.errors import FileError, FolderInUseError

LOCK_NAME = ".lock"


class FolderLock:
    """Holds a folder for this process until it is released or the process ends, however it ends.

    The system frees the lock of a process that was killed, so a file that one left is taken over.
    The file says who holds it: ``env``, ``process`` and ``since``, as JSON.

    Args:
        folder: What is held; made where it is missing.
        env: Name of the environment, for the message to others.

    Raises:
        FolderInUseError: Another process holds it; the message says which and since when.
        FileError: The folder cannot be made or written to.
    """

    def __init__(self, folder: Path, *, env: str) -> None:
        self._folder = folder
        self._path = folder / LOCK_NAME
        self._lock = FileLock(self._path)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise FolderInUseError(
                f"Another run is writing to '{folder}'{_holder(self._path)}. Wait for it to end, "
                "or run another environment beside it."
            ) from error
        except OSError as error:
            raise FileError(
                f"'{folder}' cannot be written to: {error.strerror}. Mend the cause, or choose "
                "another folder with 'root' in the environment's globals.yml."
            ) from error
        since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        holder = {"env": env, "process": os.getpid(), "since": since}
        with suppress(OSError):  # a full disk; the lock holds without words
            self._path.write_text(json.dumps(holder))

    def release(self) -> None:
        """Let others in; a folder to which nothing was written goes."""
        # While it is held: afterwards it could be another's.
        self._path.unlink(missing_ok=True)
        self._lock.release()
        with suppress(OSError):  # something was written
            self._folder.rmdir()


def _holder(path: Path) -> str:
    """Who holds the lock, as far as its file tells: it may be empty for a moment."""
    try:
        held = json.loads(path.read_text())
        return (
            f": environment {held['env']}, process {held['process']}, running since {held['since']}"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ""
