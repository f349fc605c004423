from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from kedro.io import DataCatalog, DatasetError

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.datasets.pieces import PieceCacheDataset


def _times_made(cache: PieceCache) -> int:
    made: list[int] = []

    def make() -> Bundle:
        made.append(1)
        return Bundle({"x": np.arange(3.0)}, {"n": 1})

    pieces = [cache.get_or_make("ab" * 32, make) for _ in range(2)]
    for piece in pieces:
        np.testing.assert_array_equal(piece.arrays["x"], np.arange(3.0))
        assert piece.facts == {"n": 1}
    return len(made)


def test_a_piece_is_made_once_and_kept_below_the_folder(tmp_path: Path):
    folder = tmp_path / "not" / "there"
    cache = PieceCacheDataset(filepath=folder).load()
    assert not folder.exists()
    assert _times_made(cache) == 1
    [kept] = [path for path in folder.rglob("*") if path.is_file()]
    assert kept.name == f"{'ab' * 32}.safetensors"
    # Another dataset on the same folder finds it.
    assert _times_made(PieceCacheDataset(filepath=folder.as_posix()).load()) == 0


def test_switched_off_every_piece_is_made_anew_and_none_is_kept(tmp_path: Path):
    cache = PieceCacheDataset(filepath=tmp_path, enabled=False).load()
    assert _times_made(cache) == 2
    assert list(tmp_path.iterdir()) == []


def test_it_cannot_be_saved_and_is_always_there(tmp_path: Path):
    dataset = PieceCacheDataset(filepath=tmp_path / "cache")
    with pytest.raises(DatasetError):
        dataset.save(None)
    with pytest.raises(DatasetError, match="cannot be saved as a whole"):
        dataset.save(dataset.load())
    assert dataset.exists()
    assert (tmp_path / "cache").as_posix() in str(dataset)


def test_it_is_made_from_a_catalog_entry(tmp_path: Path):
    entry = {
        "type": "regime_nas_pipeline.datasets.pieces.PieceCacheDataset",
        "filepath": (tmp_path / "cache").as_posix(),
        "metadata": {"kedro-viz": {"layer": "models"}},
    }
    cache = DataCatalog.from_config({"finished_pieces": entry}).load("finished_pieces")
    assert cache == PieceCache((tmp_path / "cache").as_posix())
