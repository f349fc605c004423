"""Finished pieces of work (one fold's fit, one search trial) kept under what they depend on."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import regime_nas_pipeline
from regime_nas_pipeline.core.bundle import Bundle, bundle_from_bytes, bundle_to_bytes
from regime_nas_pipeline.core.files import write_whole

NUMERICAL_LIBRARIES = (
    "arch",
    "clarabel",
    "cvxpy-base",
    "daqp",
    "numpy",
    "optuna",
    "pandas",
    "scikit-learn",
    "scipy",
    "skfolio",
    "torch",
)
"""Libraries whose release can change a number."""

PAGES = ("report/", "pipelines/reporting/")
"""Code that draws and words results. Nothing that makes a number imports it, which a contract in
``pyproject.toml`` holds, so no piece depends on it."""


@cache
def code_version() -> str:
    """Hash of the package's source files but :data:`PAGES`, and of the libraries' versions.

    A piece made by other code is never reused; another colour in a figure is no other code.
    """
    digest = hashlib.sha256()
    for library in NUMERICAL_LIBRARIES:
        digest.update(f"{library} {version(library)}\n".encode())
    root = Path(regime_nas_pipeline.__file__).parent
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if not name.startswith(PAGES):
            digest.update(name.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def content_hash(*parts: Any) -> str:
    """sha256 over JSON values and arrays, in order."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(str((part.dtype.str, part.shape)).encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(json.dumps(part, sort_keys=True, default=str).encode())
        digest.update(b"\0")
    return digest.hexdigest()


@dataclass(frozen=True)
class PieceCounts:
    """How many pieces were found finished, and how many were made and kept.

    Attributes:
        reused: Found finished: in a cache, or in the journal of a search.
        made: Made and kept.
    """

    reused: int = 0
    made: int = 0

    def __add__(self, other: PieceCounts) -> PieceCounts:
        return PieceCounts(self.reused + other.reused, self.made + other.made)


_counts = PieceCounts()
_counting = threading.Lock()


def count_pieces(counts: PieceCounts) -> None:
    """Add to what this process has reused and made, from any thread."""
    global _counts  # noqa: PLW0603 - one tally per process, like the log
    with _counting:
        _counts += counts


def take_counts() -> PieceCounts:
    """What this process has reused and made since this was last asked."""
    global _counts
    with _counting:
        taken, _counts = _counts, PieceCounts()
    return taken


@dataclass(frozen=True)
class PieceCache:
    """A folder of finished pieces, one safetensors file each, named by their key.

    Attributes:
        directory: Where pieces are kept; None switches the cache off.
    """

    directory: str | None

    def holds(self, key: str | None) -> bool:
        """Whether the piece under ``key`` is finished; never where the key is None."""
        return key is not None and self.directory is not None and self._path(key).exists()

    def get_or_make(self, key: str, make: Callable[[], Bundle]) -> Bundle:
        """The piece under ``key``, made and kept if it is not there yet.

        Either is counted, see :func:`take_counts`, unless nothing is kept.

        Raises:
            FileError: The piece cannot be written.
        """
        if self.directory is None:
            return make()
        path = self._path(key)
        if path.exists():
            piece = bundle_from_bytes(path.read_bytes())
            count_pieces(PieceCounts(reused=1))
            return piece
        piece = make()
        write_whole(path, bundle_to_bytes(piece))
        count_pieces(PieceCounts(made=1))
        return piece

    def _path(self, key: str) -> Path:
        return Path(self.directory or "") / key[:2] / f"{key}.safetensors"
