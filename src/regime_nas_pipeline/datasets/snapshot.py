"""Fetched prices, frozen: what came over the network once is read from disk ever after."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock

from regime_nas_pipeline.core.cache import content_hash
from regime_nas_pipeline.core.dates import date_text
from regime_nas_pipeline.core.files import write_whole
from regime_nas_pipeline.datasets.source_error import PriceSourceError
from regime_nas_pipeline.market.raw import DATE_DTYPE, TABLE_COLUMNS

_FORMAT = 1
_FACTS = ("format", "source", "query", "sha256", "facts_sha256")


@dataclass(frozen=True, eq=False)
class Fetched:
    """What one fetch brought.

    Attributes:
        table: Tidy: date (tz-naive), asset, close and optional open, high, low, volume, float64;
            in any row order, closed bars only.
        notes: About the bars themselves, from :func:`~regime_nas_pipeline.market.raw.make_note`;
            kept as long as the bars are.
        moment_notes: About the moment of the fetch, such as an open bar that was left out; the
            next fetch replaces them.
        missing: Assets of which the source has no bar, and what it says about them.

    Raises:
        PriceSourceError: A (date, asset) pair occurs twice.
    """

    table: pd.DataFrame
    notes: list[dict[str, Any]] = field(default_factory=list)
    moment_notes: list[dict[str, Any]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what could not be compared or merged later."""
        twice = self.table[self.table.duplicated(["date", "asset"])]
        if not twice.empty:
            first = twice.sort_values(["date", "asset"]).iloc[0]
            raise PriceSourceError(
                "the source gives more than one bar for the same time",
                asset=str(first["asset"]),
                date=first["date"],
                remedy="try again later, or leave the asset out.",
            )


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One version of frozen prices.

    Attributes:
        fetched: The prices, sorted by asset and date, and what is to be said about them.
        number: Version, from 1.
        place: Folder and Parquet file, without what lies above, for messages and reports.
        facts: What the JSON file beside the Parquet file says.
    """

    fetched: Fetched
    number: int
    place: str
    facts: dict[str, Any]


class SnapshotStore:
    """The versions of one query to one source: ``0001.parquet`` and ``0001.json``, ``0002`` ...

    A version exists once its JSON file does, and that is written last; both are written whole or
    not at all. Versions are only ever added.

    Args:
        folder: Where all snapshots lie; this store is the folder ``{source}-{key}`` in it.
        source: Short name of the source ("bybit"), part of the folder's name.
        query: What is asked for, JSON values only. Another query is another store.
        libraries: Installed packages that shaped what came; their versions are written down.
    """

    def __init__(
        self,
        folder: Path,
        *,
        source: str,
        query: Mapping[str, Any],
        libraries: Sequence[str] = (),
    ) -> None:
        self.source = source
        self.query: dict[str, Any] = json.loads(json.dumps(query))
        self.libraries = tuple(libraries)
        self.directory = folder / f"{source}-{content_hash(source, self.query)[:16]}"

    def lock(self) -> FileLock:
        """Held while fetching, so that two processes do not fetch the same."""
        self.directory.mkdir(parents=True, exist_ok=True)
        return FileLock(self.directory / ".lock")

    def numbers(self) -> list[int]:
        """The versions there are, in order."""
        names = [path.stem for path in self.directory.glob("*.json")]
        return sorted(int(name) for name in names if name.isdigit())

    def latest(self) -> Snapshot | None:
        """The newest version; None where nothing was fetched yet.

        Raises:
            PriceSourceError: See :meth:`read`.
        """
        numbers = self.numbers()
        return self.read(numbers[-1]) if numbers else None

    def read(self, number: int) -> Snapshot:
        """One version, checked against its recorded sha256.

        Raises:
            PriceSourceError: A file of it is missing, damaged, altered or of another query.
        """
        facts = self._facts(number)
        path = self.directory / f"{number:04d}.parquet"
        if not path.is_file():
            raise self._fault(path, "the file of a snapshot is missing")
        image = path.read_bytes()
        found = hashlib.sha256(image).hexdigest()
        if found != facts["sha256"]:
            raise self._fault(
                path,
                f"the file was altered or damaged after it was stored: its sha256 is {found} and "
                f"{facts['sha256']} was recorded",
            )
        return Snapshot(
            fetched=Fetched(
                table=pd.read_parquet(io.BytesIO(image)).astype(
                    {"date": DATE_DTYPE, "asset": "str"}
                ),
                notes=facts["notes"],
                moment_notes=facts["moment_notes"],
                missing=facts["missing"],
            ),
            number=number,
            place=self._place(path),
            facts=facts,
        )

    def write(self, fetched: Fetched) -> Snapshot:
        """Store a new version after the last one and read it back.

        Args:
            fetched: Prices and notes.

        Returns:
            The version as every later load will see it.
        """
        number = max(self.numbers(), default=0) + 1
        path = self.directory / f"{number:04d}.parquet"
        columns = [name for name in TABLE_COLUMNS if name in fetched.table.columns]
        table = fetched.table[columns].sort_values(["asset", "date"], ignore_index=True)
        buffer = io.BytesIO()
        table.astype({"date": DATE_DTYPE, "asset": "str"}).to_parquet(buffer, index=False)
        image = buffer.getvalue()
        facts = {
            "format": _FORMAT,
            "source": self.source,
            "query": self.query,
            "fetched_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "libraries": {name: _version(name) for name in (*self.libraries, "pandas", "pyarrow")},
            "parquet": path.name,
            "sha256": hashlib.sha256(image).hexdigest(),
            "rows": len(table),
            "assets": {
                str(asset): {
                    "rows": len(rows),
                    "first": date_text(rows["date"].iloc[0]),
                    "last": date_text(rows["date"].iloc[-1]),
                }
                for asset, rows in table.groupby("asset", sort=True)
            },
            "missing": fetched.missing,
            "notes": fetched.notes,
            "moment_notes": fetched.moment_notes,
        }
        facts["facts_sha256"] = content_hash({**facts, "facts_sha256": None})
        write_whole(path, image)
        write_whole(path.with_suffix(".json"), json.dumps(facts, indent=2).encode())
        return self.read(number)

    def _facts(self, number: int) -> dict[str, Any]:
        path = self.directory / f"{number:04d}.json"
        try:
            facts = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise self._fault(path, f"the file cannot be read ({error})") from error
        if not isinstance(facts, dict) or not set(_FACTS) <= set(facts):
            raise self._fault(path, "the file does not describe a snapshot")
        if facts["format"] != _FORMAT:
            raise self._fault(path, f"format {facts['format']} is not known here")
        if content_hash({**facts, "facts_sha256": None}) != facts["facts_sha256"]:
            raise self._fault(path, "the file was altered or damaged after it was stored")
        if (facts["source"], facts["query"]) != (self.source, self.query):
            raise self._fault(path, "the file describes the answer to another query")
        return facts

    def _place(self, path: Path) -> str:
        return f"{self.directory.name}/{path.name}"

    def _fault(self, path: Path, problem: str) -> PriceSourceError:
        return PriceSourceError(
            problem,
            source=self._place(path),
            remedy="bring back the file as it was stored, or remove this version (its .parquet "
            "and .json); without any version the prices are fetched again and may differ.",
        )


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
