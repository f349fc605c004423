"""What a run left, read from its files without Kedro."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class FinishedRun:
    """The folder that a run wrote to."""

    folder: Path

    @property
    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = json.loads(self._latest("summary.json").read_text())
        return summary

    @property
    def report(self) -> str:
        return self._latest("report.html").read_text()

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self._latest(f"{name}.parquet"))

    def _latest(self, file: str) -> Path:
        return sorted(self.folder.glob(f"*/{file}/*/{file}"))[-1]
