from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import kedro
import numpy as np
import pytest
import torch
from kedro.io import DatasetError

from regime_nas_pipeline.core.cache import PieceCounts
from regime_nas_pipeline.datasets.run_facts import RunFactsDataset, git_sha

FIRST = {"run_id": "r1", "env": "base", "started": "2024-01-01T00:00:00+00:00"}
SECOND = {"run_id": "r2", "env": "test", "started": "2024-01-02T00:00:00+00:00"}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository without commits, whatever the user's or a hook's settings are."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", tmp_path.as_posix())
    folder = tmp_path / "repository"
    folder.mkdir()
    _git(folder, "init", "-q")
    return folder


def _git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def _write(path: Path, *lines: dict[str, Any]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_the_last_run_is_reported_and_its_nodes_are_added_up(tmp_path: Path):
    path = tmp_path / "run.jsonl"
    _write(
        path,
        {**FIRST, "node": "a", "pipeline": "ingestion", "seconds": 100.0},
        {**SECOND, "node": "a", "pipeline": "ingestion", "seconds": 0.25},
        {**SECOND, "node": "b", "pipeline": "nas_search", "seconds": 1.0},
        {**SECOND, "node": "c", "pipeline": "nas_search", "seconds": 2.5004},
    )
    facts = RunFactsDataset(filepath=path).load()
    assert {name: facts[name] for name in SECOND} == SECOND
    assert facts["seconds"] == {"ingestion": 0.25, "nas_search": 3.5}
    assert facts["longest_seconds"] == {"a": 100.0, "b": 1.0, "c": 2.5}


def test_a_run_that_has_finished_no_node_yet_is_the_run_in_progress(tmp_path: Path):
    path = tmp_path / "run.jsonl"
    _write(path, {**FIRST, "node": "a", "pipeline": "ingestion", "seconds": 100.0})
    dataset = RunFactsDataset(filepath=path)
    dataset.begin(SECOND)
    facts = dataset.load()
    assert {name: facts[name] for name in SECOND} == SECOND
    assert facts["seconds"] == {}
    assert facts["longest_seconds"] == {"a": 100.0}


def test_the_versions_are_those_that_run(tmp_path: Path):
    versions = RunFactsDataset(filepath=tmp_path / "run.jsonl").load()["versions"]
    assert versions["python"] == platform.python_version()
    assert versions["kedro"] == kedro.__version__
    assert versions["numpy"] == np.__version__
    assert torch.__version__.split("+")[0] == versions["torch"].split("+")[0]


def test_without_a_file_nothing_is_claimed(tmp_path: Path):
    dataset = RunFactsDataset(filepath=tmp_path / "none" / "run.jsonl")
    assert not dataset.exists()
    facts = dataset.load()
    assert (facts["env"], facts["started"], facts["seconds"]) == (None, None, {})
    _write(tmp_path / "run.jsonl", {**FIRST, "node": "a", "pipeline": "x", "seconds": 1.0})
    assert RunFactsDataset(filepath=tmp_path / "run.jsonl").exists()


def test_pieces_are_added_up_by_pipeline(tmp_path: Path):
    dataset = RunFactsDataset(filepath=tmp_path / "run.jsonl")
    for facts, pipeline, reused, made in (
        (FIRST, "nas_search", 100, 100),
        (SECOND, "nas_search", 2, 1),
        (SECOND, "nas_search", 0, 4),
        (SECOND, "baseline_training", 3, 0),
        (SECOND, "ingestion", 0, 0),
    ):
        line = {"node": "a", "pipeline": pipeline, "seconds": 1.0, "reused": reused, "made": made}
        dataset.append({**facts, **line})
    assert dataset.pipeline_pieces("r2") == {
        "nas_search": PieceCounts(reused=2, made=5),
        "baseline_training": PieceCounts(reused=3, made=0),
    }


def test_a_line_that_a_full_disk_cut_short_costs_that_line_alone(tmp_path: Path):
    path = tmp_path / "run.jsonl"
    first = {**FIRST, "node": "a", "pipeline": "ingestion", "seconds": 1.0}
    _write(path, first, {**first, "node": "lost"})
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    dataset = RunFactsDataset(filepath=path)
    assert dataset.node_seconds("r1") == {"a": 1.0}
    dataset.append({**first, "node": "b", "seconds": 2.0})
    dataset.append({**first, "node": "c", "seconds": 3.0})
    assert dataset.node_seconds("r1") == {"a": 1.0, "b": 2.0, "c": 3.0}
    assert path.read_bytes().startswith(whole[:-20])


def test_it_cannot_be_saved(tmp_path: Path):
    dataset = RunFactsDataset(filepath=tmp_path / "run.jsonl")
    for data in (None, {"env": "base"}):
        with pytest.raises(DatasetError):
            dataset.save(data)
    assert not dataset.exists()


def test_the_commit_is_named_whole_and_changes_are_told(repository: Path):
    assert git_sha(repository) is None  # nothing is committed yet
    code = repository / "code.py"
    code.write_text("one\n", encoding="utf-8")
    _git(repository, "add", ".")
    _git(repository, "commit", "-q", "-m", "first")
    # A tag must not take the place of the commit.
    _git(repository, "tag", "-a", "v1", "-m", "v1")
    commit = _git(repository, "rev-parse", "HEAD")
    assert len(commit) == 40
    assert git_sha(repository) == commit
    data = repository / "data"
    data.mkdir()
    assert git_sha(data) == commit
    assert RunFactsDataset(filepath=data / "run.jsonl").load()["git_sha"] == commit
    code.write_text("two\n", encoding="utf-8")
    assert git_sha(data) == f"{commit}-dirty"


def test_outside_a_repository_there_is_no_commit(repository: Path, tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    assert git_sha(outside) is None
