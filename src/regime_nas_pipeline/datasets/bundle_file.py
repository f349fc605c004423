"""Checkpoints: arrays and facts in a safetensors file, versioned by Kedro."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io.core import AbstractVersionedDataset, Version

from regime_nas_pipeline.core.bundle import Bundle, bundle_from_bytes, bundle_to_bytes
from regime_nas_pipeline.core.files import write_whole


class BundleDataset(AbstractVersionedDataset[Bundle, Bundle]):
    """Reads and writes a :class:`~regime_nas_pipeline.core.bundle.Bundle`.

    Nothing in such a file is executed on reading. It is written whole or not at all.

    Args:
        filepath: The safetensors file.
        version: Set by Kedro for versioned datasets.
        metadata: For Kedro plugins; ignored.
    """

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=PurePosixPath(filepath), version=version)
        self.metadata = metadata

    def load(self) -> Bundle:
        """The bundle of the latest (or asked for) version."""
        return bundle_from_bytes(Path(self._get_load_path()).read_bytes())

    def save(self, data: Bundle) -> None:
        """Write a new version."""
        write_whole(Path(self._get_save_path()), bundle_to_bytes(data))

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version}
