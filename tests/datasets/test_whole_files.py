from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import plotly.graph_objects as go
import pytest
import yaml
from kedro.io import DataCatalog, DatasetError
from kedro.io.core import Version

from regime_nas_pipeline.core.errors import FileError
from regime_nas_pipeline.datasets.whole_files import (
    WholeFigureDataset,
    WholeJSONDataset,
    WholeParquetDataset,
    WholeTextDataset,
)

PROJECT = Path(__file__).parents[2]
TABLE = pd.DataFrame({"date": pd.to_datetime(["2020-01-01", "2020-01-02"]), "x": [1.5, None]})

CASES: dict[str, tuple[type, str, Any, Any]] = {
    "parquet": (WholeParquetDataset, "pandas.ParquetDataset", TABLE, TABLE.assign(x=2.0)),
    "json": (WholeJSONDataset, "json.JSONDataset", {"a": [1, "ä"]}, {"b": 2}),
    "html": (WholeTextDataset, "text.TextDataset", "<p>ä</p>", "<p></p>"),
    "figure": (
        WholeFigureDataset,
        "plotly.JSONDataset",
        go.Figure(go.Scatter(y=[1.0, 2.0])),
        go.Figure(),
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[type, str, Any, Any]:
    return CASES[request.param]


def assert_same(found: Any, expected: Any) -> None:
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    else:
        assert found == expected


def files_in(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def test_the_file_is_the_one_that_kedro_writes(case: Any, tmp_path: Path) -> None:
    whole, kedros, data, _ = case
    own, other = (tmp_path / name for name in ("own", "other"))
    dataset = whole(filepath=str(own))
    catalog = DataCatalog.from_config({"x": {"type": kedros, "filepath": str(other)}})
    dataset.save(data)
    catalog.save("x", data)
    assert own.read_bytes() == other.read_bytes()
    assert_same(dataset.load(), data)
    if hasattr(catalog["x"], "preview"):
        assert repr(dataset.preview()) == repr(catalog["x"].preview())
        annotations = (type(each).preview.__annotations__ for each in (dataset, catalog["x"]))
        assert len({each["return"] for each in annotations}) == 1


def test_versions_are_kept_side_by_side(case: Any, tmp_path: Path) -> None:
    whole, _, first, second = case
    path = tmp_path / "result"
    for number, data in (("1", first), ("2", second)):
        whole(filepath=str(path), version=Version(None, number)).save(data)
    assert_same(whole(filepath=str(path), version=Version(None, None)).load(), second)
    assert_same(whole(filepath=str(path), version=Version("1", None)).load(), first)
    with pytest.raises(DatasetError, match="must not exist"):
        whole(filepath=str(path), version=Version(None, "1")).save(second)
    files = {file.relative_to(path).as_posix() for file in files_in(path)}
    assert files == {"1", "1/result", "2", "2/result"}


class HalfFile:
    """Takes a few bytes, then says that the disk is full."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, data: Any) -> int:
        self._stream.write(data[:5])
        self._stream.flush()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __enter__(self) -> HalfFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


@pytest.mark.parametrize("versioned", [True, False])
def test_a_full_disk_leaves_the_old_file_and_no_rest(
    case: Any, tmp_path: Path, versioned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _, first, second = case
    path = tmp_path / "result"

    def dataset(number: str | None) -> Any:
        return whole(filepath=str(path), version=Version(None, number) if versioned else None)

    dataset("1").save(first)
    before = files_in(tmp_path)
    with monkeypatch.context() as patch:
        _fill_disk(patch)
        with pytest.raises(DatasetError, match="No space left on device") as failed:
            dataset("2").save(second)
    assert isinstance(failed.value.__cause__, FileError)
    assert files_in(tmp_path) == before
    assert_same(dataset(None).load(), first)
    dataset("2").save(second)
    assert_same(dataset(None).load(), second)


def _fill_disk(patch: pytest.MonkeyPatch) -> None:
    def opened(_: Any, path: str, mode: str = "rb", **arguments: Any) -> Any:
        stream = open(path, mode, **arguments)  # noqa: SIM115
        return HalfFile(stream) if "w" in mode else stream

    patch.setattr(fsspec.implementations.local.LocalFileSystem, "open", opened)


KILLED = """
import os, signal, sys
import pandas as pd
from kedro.io.core import Version
from regime_nas_pipeline.datasets.whole_files import WholeParquetDataset

def to_parquet(table, stream, **arguments):
    stream.write(b"PAR1half")
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)

pd.DataFrame.to_parquet = to_parquet
dataset = WholeParquetDataset(filepath=sys.argv[1], version=Version(None, "2"))
dataset.save(pd.DataFrame({"x": [2.0]}))
"""


def test_of_a_killed_writer_the_old_version_stays_the_latest(tmp_path: Path) -> None:
    path = tmp_path / "result.parquet"
    WholeParquetDataset(filepath=str(path), version=Version(None, "1")).save(TABLE)
    done = subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert done.returncode == -signal.SIGKILL
    # The folder of the new version is there, and no file of its name.
    assert (path / "2").is_dir()
    assert not (path / "2" / path.name).exists()
    dataset = WholeParquetDataset(filepath=str(path), version=Version(None, None))
    assert dataset.list_versions(full_path=False) == ["1"]
    pd.testing.assert_frame_equal(dataset.load(), TABLE)
    WholeParquetDataset(filepath=str(path), version=Version(None, "2")).save(TABLE.assign(x=3.0))
    dataset.release()
    assert dataset.load()["x"].tolist() == [3.0, 3.0]


def test_the_arguments_are_known_to_kedro(case: Any, tmp_path: Path) -> None:
    whole, _, _, _ = case
    catalog = DataCatalog.from_config(
        {
            "x": {
                "type": f"{whole.__module__}.{whole.__name__}",
                "filepath": (tmp_path / "x").as_posix(),
                "versioned": True,
            }
        }
    )
    config = catalog.to_config()[0]["x"]
    assert config["filepath"] == (tmp_path / "x").as_posix()
    assert config["versioned"] is True
    assert "kwargs" not in config


def test_a_store_of_another_machine_is_written_as_kedro_does() -> None:
    dataset = WholeJSONDataset(filepath="memory://results/x.json")
    dataset.save({"a": 1})
    assert dataset.load() == {"a": 1}


def test_every_entry_of_the_catalogs_is_written_whole() -> None:
    types = [
        entry["type"]
        for path in sorted(PROJECT.glob("conf/*/catalog*.yml"))
        for entry in yaml.safe_load(path.read_text()).values()
        if "type" in entry
    ]
    assert len(types) > 100
    foreign = {each for each in types if not each.startswith("regime_nas_pipeline.datasets.")}
    assert foreign == set()
