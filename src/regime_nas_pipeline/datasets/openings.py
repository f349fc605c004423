"""The ledger of openings of the sealed part on disk: append-only, each line tied to the last."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.files import write_whole

FACTS = (
    "sealed_from",
    "last_date",
    "n_bars",
    "data_sha256",
    "sealed_sha256",
    "parameters_sha256",
    "git_sha",
)
"""What is written about an opening."""

COLUMNS = ("number", "opened_at", *FACTS, "previous_sha256")
"""Columns of the ledger: ``number`` from 1, ``opened_at`` in UTC, the facts, and the hash of the
line before (of nothing before the first), by which a line that was taken out or altered shows."""


class OpeningsDataset(AbstractDataset[dict[str, Any], pd.DataFrame]):
    """A JSON Lines file, one line per opening; saving adds one and removes none.

    The file is written whole or not at all. Whether the last lines were cut off, or the file was
    removed, cannot be seen from it.

    Args:
        filepath: The file.
        metadata: For Kedro plugins; ignored.
    """

    def __init__(
        self, *, filepath: str | os.PathLike[str], metadata: dict[str, Any] | None = None
    ) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def _lines(self) -> list[bytes]:
        """The lines without their ends, each checked against the one before."""
        if not self._filepath.exists():
            return []
        lines = self._filepath.read_bytes().splitlines()
        for number, line in enumerate(lines, start=1):
            before = lines[number - 2] if number > 1 else b""
            try:
                entry = json.loads(line)
                honest = (
                    set(entry) == set(COLUMNS)
                    and entry["number"] == number
                    and entry["previous_sha256"] == _sha256(before)
                )
            except (ValueError, TypeError):
                honest = False
            if not honest:
                raise DataError(
                    f"line {number} of the ledger of openings, or the one before it, was altered",
                    source=self._filepath.name,
                    remedy="bring back the file as it was written: it is only ever added to.",
                )
        return lines

    def load(self) -> pd.DataFrame:
        """Every opening in order, with :data:`COLUMNS`; no row where nothing was opened yet."""
        table = pd.DataFrame([json.loads(line) for line in self._lines()], columns=list(COLUMNS))
        return table.astype({"number": "int64", "n_bars": "int64"})

    def save(self, data: dict[str, Any]) -> None:
        """Add one opening; its number, time and tie to the line before are added here.

        Raises:
            ParameterError: ``data`` are not exactly the :data:`FACTS`.
        """
        if set(data) != set(FACTS):
            raise ParameterError(f"an opening is described by {', '.join(FACTS)}; got {set(data)}.")
        lines = self._lines()
        entry = {
            "number": len(lines) + 1,
            "opened_at": datetime.now(UTC).isoformat(timespec="seconds"),
            **data,
            "previous_sha256": _sha256(lines[-1] if lines else b""),
        }
        write_whole(self._filepath, b"".join(x + b"\n" for x in [*lines, _image(entry)]))

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath.as_posix()}


def _sha256(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _image(entry: dict[str, Any]) -> bytes:
    return json.dumps({name: entry[name] for name in COLUMNS}).encode()
