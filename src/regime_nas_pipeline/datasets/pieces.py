"""The folder of finished pieces of work, as something that the catalog places."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from regime_nas_pipeline.core.cache import PieceCache


class PieceCacheDataset(AbstractDataset[None, PieceCache]):
    """Gives nodes the cache in which finished folds and trials are kept.

    Args:
        filepath: Folder; made when the first piece is kept.
        enabled: False makes every piece anew.
        metadata: For Kedro plugins; ignored.
    """

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        enabled: bool = True,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._filepath = Path(filepath)
        self._enabled = enabled
        self.metadata = metadata

    def load(self) -> PieceCache:
        """The cache."""
        return PieceCache(self._filepath.as_posix() if self._enabled else None)

    def save(self, data: None) -> None:
        """Pieces are kept one by one while work goes on, never through the catalog."""
        raise DatasetError("The cache of finished pieces cannot be saved as a whole.")

    def _exists(self) -> bool:
        # The folder is made with its first piece; an empty cache is as good a cache.
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath.as_posix(), "enabled": self._enabled}
