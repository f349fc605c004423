"""The ledger of openings on disk."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DatasetError

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.datasets.openings import COLUMNS, OpeningsDataset


def facts(**changes: Any) -> dict[str, Any]:
    return {
        "sealed_from": "2021-01-01",
        "last_date": "2022-12-28",
        "n_bars": 502,
        "data_sha256": "d" * 64,
        "sealed_sha256": "s" * 64,
        "parameters_sha256": "p" * 64,
        "git_sha": None,
        **changes,
    }


def test_without_a_file_nothing_was_opened(tmp_path: Path) -> None:
    dataset = OpeningsDataset(filepath=tmp_path / "openings.jsonl")
    assert not dataset.exists()
    table = dataset.load()
    assert (len(table), tuple(table.columns)) == (0, COLUMNS)
    assert not list(tmp_path.iterdir())


def test_openings_are_numbered_dated_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "openings.jsonl"
    before = datetime.now(UTC).replace(microsecond=0)
    OpeningsDataset(filepath=path).save(facts())
    first = path.read_bytes()
    OpeningsDataset(filepath=path).save(facts(parameters_sha256="q" * 64, git_sha="abc"))
    # What was written stays, to the byte.
    assert path.read_bytes().startswith(first)
    table = OpeningsDataset(filepath=path).load()
    assert list(table["number"]) == [1, 2]
    assert list(table["parameters_sha256"]) == ["p" * 64, "q" * 64]
    assert table["git_sha"].isna().tolist() == [True, False]
    assert all(
        before <= datetime.fromisoformat(when) <= datetime.now(UTC) for when in table["opened_at"]
    )
    tie = hashlib.sha256(first.rstrip(b"\n")).hexdigest()
    assert json.loads(path.read_text().splitlines()[1])["previous_sha256"] == tie


@pytest.mark.parametrize("change", ["altered", "taken out", "added twice", "cut off"])
def test_a_changed_ledger_is_refused(change: str, tmp_path: Path) -> None:
    path = tmp_path / "openings.jsonl"
    dataset = OpeningsDataset(filepath=path)
    for number in range(3):
        dataset.save(facts(n_bars=number))
    lines = path.read_text().splitlines()
    changed = {
        "altered": [lines[0].replace("2022-12-28", "2021-12-28"), *lines[1:]],
        "taken out": [lines[0], lines[2]],
        "added twice": [*lines, lines[2]],
        "cut off": [*lines[:2], lines[2][:20]],
    }[change]
    path.write_text("\n".join(changed) + "\n")
    for use in (dataset.load, lambda: dataset.save(facts())):
        with pytest.raises(DatasetError) as error:
            use()
        assert isinstance(error.value.__cause__, DataError)
        assert "altered" in str(error.value.__cause__)
    assert path.read_text() == "\n".join(changed) + "\n"


def test_a_write_that_breaks_off_leaves_the_ledger_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "openings.jsonl"
    dataset = OpeningsDataset(filepath=path)
    dataset.save(facts())
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DatasetError):
        dataset.save(facts())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("wrong", [{}, {**facts(), "number": 7}])
def test_an_opening_is_described_in_full_and_by_nothing_else(
    wrong: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="described by"):
        OpeningsDataset(filepath=tmp_path / "openings.jsonl").save(wrong)
    assert not list(tmp_path.iterdir())
