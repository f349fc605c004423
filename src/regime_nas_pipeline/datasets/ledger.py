"""A ledger on disk: append-only, so that nothing that was tried is ever forgotten."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError
from pyarrow import ArrowException

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.files import write_whole

_REMEDY = "bring back the ledger's folder as it was written: it is only ever added to."


class LedgerDataset(AbstractDataset[pd.DataFrame, pd.DataFrame]):
    """A folder of Parquet files; saving adds rows that are not there yet and removes none.

    A row is known by its ``key``. New rows are written in one file, whole or not at all, which is
    named by their keys; what two runs add at the same time is there once.

    Args:
        filepath: The folder.
        key: Column that names a row for good. Files and messages are named by it: those of
            ``trial_id`` are ``trials-….parquet``.
        metadata: For Kedro plugins; ignored.
    """

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        key: str = "trial_id",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._filepath = Path(filepath)
        self._key = key
        self._noun = key.removesuffix("_id")
        self.metadata = metadata

    def _files(self) -> list[Path]:
        return sorted(self._filepath.glob("*.parquet"))

    def load(self) -> pd.DataFrame:
        """Every row of every run once, sorted by key.

        Raises:
            DataError: A file cannot be read, or is none of this ledger; the message names it.
        """
        files = self._files()
        if not files:
            raise DatasetError(
                f"The ledger {self._filepath.as_posix()} holds no {self._noun} yet. Run the "
                "pipeline that writes it first."
            )
        table = pd.concat([self._read(file) for file in files], ignore_index=True)
        return table.drop_duplicates(self._key).sort_values(self._key, ignore_index=True)

    def _read(self, file: Path) -> pd.DataFrame:
        try:
            table = pd.read_parquet(file)
        except (OSError, ArrowException) as error:
            raise DataError(
                f"this file of the ledger cannot be read ({error})",
                source=file.as_posix(),
                remedy=_REMEDY,
            ) from error
        if self._key not in table:
            raise DataError(
                f"this file lies in a ledger of {self._noun}s and is none of it",
                source=file.as_posix(),
                column=self._key,
                remedy="move it out of the folder.",
            )
        return table

    def save(self, data: pd.DataFrame) -> None:
        """Append the rows that the ledger does not hold yet."""
        known = set(self.load()[self._key]) if self._files() else set()
        new = data[~data[self._key].isin(known)].drop_duplicates(self._key)
        if new.empty:
            return
        image = io.BytesIO()
        new.to_parquet(image, index=False)
        digest = hashlib.sha256("\n".join(sorted(new[self._key])).encode()).hexdigest()
        name = f"{self._noun}s-{digest[:16]}.parquet"
        write_whole(self._filepath / name, image.getvalue())

    def _exists(self) -> bool:
        return bool(self._files())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath.as_posix(), "key": self._key}
