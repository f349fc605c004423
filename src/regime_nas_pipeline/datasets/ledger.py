"""The trial ledger on disk: append-only, so that no trial is ever forgotten."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from regime_nas_pipeline.core.bundle import write_whole


class LedgerDataset(AbstractDataset[pd.DataFrame, pd.DataFrame]):
    """A folder of Parquet files; saving adds rows that are not there yet and removes none.

    A row is known by its ``trial_id``; the file that holds new rows is named by their content.

    Args:
        filepath: The folder.
        metadata: For Kedro plugins; ignored.
    """

    def __init__(
        self, *, filepath: str | os.PathLike[str], metadata: dict[str, Any] | None = None
    ) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def _files(self) -> list[Path]:
        return sorted(self._filepath.glob("*.parquet"))

    def load(self) -> pd.DataFrame:
        """Every trial of every run, sorted by trial."""
        files = self._files()
        if not files:
            raise DatasetError(f"The ledger {self._filepath.as_posix()} holds no trial yet.")
        table = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
        return table.sort_values("trial_id", ignore_index=True)

    def save(self, data: pd.DataFrame) -> None:
        """Append the trials that the ledger does not hold yet."""
        known = set(self.load()["trial_id"]) if self._files() else set()
        new = data[~data["trial_id"].isin(known)].drop_duplicates("trial_id")
        if new.empty:
            return
        image = io.BytesIO()
        new.to_parquet(image, index=False)
        digest = hashlib.sha256("\n".join(sorted(new["trial_id"])).encode()).hexdigest()
        write_whole(self._filepath / f"trials-{digest[:16]}.parquet", image.getvalue())

    def _exists(self) -> bool:
        return bool(self._files())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath.as_posix()}
