from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import (
    PieceCache,
    PieceCounts,
    code_version,
    content_hash,
    count_pieces,
    take_counts,
)

KEY = content_hash("a piece of work")


class Maker:
    def __init__(self, value: float) -> None:
        self.value = value
        self.calls = 0

    def __call__(self) -> Bundle:
        self.calls += 1
        return Bundle({"x": np.array([self.value])}, {"n": self.calls})


def test_a_piece_is_made_once(tmp_path: Path) -> None:
    cache, make = PieceCache(str(tmp_path)), Maker(1.0)
    first = cache.get_or_make(KEY, make)
    second = PieceCache(str(tmp_path)).get_or_make(KEY, make)
    assert make.calls == 1
    assert second.facts == first.facts
    np.testing.assert_array_equal(second.arrays["x"], first.arrays["x"])


def test_another_key_is_another_piece(tmp_path: Path) -> None:
    cache = PieceCache(str(tmp_path))
    cache.get_or_make(KEY, Maker(1.0))
    assert cache.get_or_make(content_hash("other"), Maker(2.0)).arrays["x"][0] == 2.0


def test_switched_off_it_makes_every_time() -> None:
    cache, make = PieceCache(None), Maker(1.0)
    cache.get_or_make(KEY, make)
    cache.get_or_make(KEY, make)
    assert make.calls == 2


def test_a_piece_that_failed_is_made_again(tmp_path: Path) -> None:
    def breaks() -> Bundle:
        raise KeyboardInterrupt

    cache = PieceCache(str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        cache.get_or_make(KEY, breaks)
    assert not list(tmp_path.rglob("*.safetensors"))
    assert cache.get_or_make(KEY, Maker(3.0)).arrays["x"][0] == 3.0


def test_half_a_file_of_a_killed_writer_is_never_read(tmp_path: Path) -> None:
    cache = PieceCache(str(tmp_path))
    folder = tmp_path / KEY[:2]
    folder.mkdir()
    (folder / f"{KEY}.safetensors.abc.part").write_bytes(b"half a he")
    make = Maker(4.0)
    assert cache.get_or_make(KEY, make).arrays["x"][0] == 4.0
    assert make.calls == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((np.array([1.0, 2.0]),), (np.array([1.0, 2.0000001]),)),
        ((np.zeros((2, 3)),), (np.zeros((3, 2)),)),
        ((np.zeros(2, np.float32),), (np.zeros(1, np.float64),)),
        (("ab", "c"), ("a", "bc")),
        ((["a", "b"],), ("a", "b")),
        (({"a": 1},), ({"a": 1.5},)),
        ((1, 2), (2, 1)),
    ],
)
def test_other_content_gives_another_key(
    one: tuple[object, ...], other: tuple[object, ...]
) -> None:
    assert content_hash(*one) != content_hash(*other)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text(max_size=5), st.integers(), max_size=5))
def test_the_order_of_keys_and_the_memory_layout_do_not_matter(facts: dict[str, int]) -> None:
    array = np.arange(12.0).reshape(3, 4)
    backwards = dict(reversed(list(facts.items())))
    assert content_hash(facts, array) == content_hash(backwards, np.asfortranarray(array))


def test_the_code_version_is_the_same_in_another_process() -> None:
    command = "from regime_nas_pipeline.core.cache import code_version; print(code_version())"
    code_version.cache_clear()  # files may have been edited since this process first asked
    before = code_version()
    result = subprocess.run(
        [sys.executable, "-c", command], check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == before
    assert len(before) == 64


Version = Callable[[dict[str, str]], str]


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Version:
    """Code version of a package that holds these files."""

    def of(files: dict[str, str]) -> str:
        folder = tmp_path / content_hash(files)
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.setattr("regime_nas_pipeline.__file__", str(folder / "__init__.py"))
        return code_version.__wrapped__()

    return of


def test_the_code_version_depends_on_names_and_contents(version: Version) -> None:
    versions = [
        version({"a.py": "1"}),
        version({"a.py": "2"}),
        version({"b.py": "1"}),
        version({"a.py": "1", "b.py": "1"}),
        version({"a.py": "1", "reporting/b.py": "1"}),
        version({"a.py": "1", "walkforward/report/b.py": "1"}),
    ]
    assert len(set(versions)) == 6


def test_neither_notes_nor_figures_nor_pages_change_the_code_version(version: Version) -> None:
    bare = version({"a.py": "1"})
    for name in ("notes.txt", "report/figures.py", "pipelines/reporting/nodes.py"):
        assert version({"a.py": "1", name: "red"}) == bare, name
        assert version({"a.py": "1", name: "blue"}) == bare, name


def test_pieces_are_counted_as_reused_or_made(tmp_path: Path) -> None:
    take_counts()
    cache = PieceCache(str(tmp_path))
    for key in ("a", "b", "a"):
        cache.get_or_make(content_hash(key), Maker(1.0))
    count_pieces(PieceCounts(reused=5))
    assert take_counts() == PieceCounts(reused=6, made=2)
    assert take_counts() == PieceCounts()


def test_what_is_not_kept_is_not_counted(tmp_path: Path) -> None:
    def breaks() -> Bundle:
        raise KeyboardInterrupt

    take_counts()
    PieceCache(None).get_or_make(KEY, Maker(1.0))
    with pytest.raises(KeyboardInterrupt):
        PieceCache(str(tmp_path)).get_or_make(KEY, breaks)
    assert take_counts() == PieceCounts()
