"""Finished pieces of work (one fold's fit, one search trial) kept under what they depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import regime_nas_pipeline
from regime_nas_pipeline.core.bundle import (
    Bundle,
    bundle_from_bytes,
    bundle_to_bytes,
    write_whole,
)

NUMERICAL_LIBRARIES = (
    "arch",
    "clarabel",
    "cvxpy-base",
    "numpy",
    "optuna",
    "pandas",
    "scikit-learn",
    "scipy",
    "skfolio",
    "torch",
)
"""Libraries whose release can change a number."""


@cache
def code_version() -> str:
    """Hash of the package's source files and of the numerical libraries' versions.

    A piece made by other code is never reused.
    """
    digest = hashlib.sha256()
    for library in NUMERICAL_LIBRARIES:
        digest.update(f"{library} {version(library)}\n".encode())
    root = Path(regime_nas_pipeline.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
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
class PieceCache:
    """A folder of finished pieces, one safetensors file each, named by their key.

    Attributes:
        directory: Where pieces are kept; None switches the cache off.
    """

    directory: str | None

    def get_or_make(self, key: str, make: Callable[[], Bundle]) -> Bundle:
        """The piece under ``key``, made and kept if it is not there yet."""
        if self.directory is None:
            return make()
        path = Path(self.directory) / key[:2] / f"{key}.safetensors"
        if path.exists():
            return bundle_from_bytes(path.read_bytes())
        piece = make()
        write_whole(path, bundle_to_bytes(piece))
        return piece
