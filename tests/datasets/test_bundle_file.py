from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DataCatalog, DatasetError
from kedro.io.core import Version

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.datasets.bundle_file import BundleDataset

BUNDLE = Bundle(
    {
        "fold00/weight": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "fold00/columns": np.array([True, False]),
        "scale": np.array(0.1),
    },
    {"class": "x.Y", "folds": [{"assets": ["Ä", "B"]}], "score": 0.1, "none": None},
)


def _assert_same(found: Bundle, expected: Bundle) -> None:
    assert found.facts == expected.facts
    assert set(found.arrays) == set(expected.arrays)
    for name, array in expected.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[name], array)


def test_arrays_and_facts_come_back_as_they_were(tmp_path: Path):
    dataset = BundleDataset(filepath=tmp_path / "deep" / "model.safetensors")
    assert not dataset.exists()
    dataset.save(BUNDLE)
    assert dataset.exists()
    _assert_same(dataset.load(), BUNDLE)
    # Nothing is left beside the file, and saving again replaces it.
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["model.safetensors"]
    dataset.save(Bundle({}, {"n": 2}))
    _assert_same(dataset.load(), Bundle({}, {"n": 2}))


def test_every_version_is_kept_and_the_latest_is_loaded(tmp_path: Path):
    path = tmp_path / "model.safetensors"
    empty = BundleDataset(filepath=path, version=Version(None, None))
    assert not empty.exists()
    for number, version in enumerate(("2024-01-01T00.00.00.000Z", "2024-01-02T00.00.00.000Z")):
        dataset = BundleDataset(filepath=path, version=Version(None, version))
        dataset.save(Bundle({"n": np.array([number])}, {"n": number}))
    latest = BundleDataset(filepath=path, version=Version(None, None))
    assert latest.exists()
    assert latest.load().facts == {"n": 1}
    first = BundleDataset(filepath=path, version=Version("2024-01-01T00.00.00.000Z", None))
    assert first.load().facts == {"n": 0}
    with pytest.raises(DatasetError, match="must not exist if versioning is enabled"):
        BundleDataset(filepath=path, version=Version(None, "2024-01-01T00.00.00.000Z")).save(BUNDLE)
    assert first.load().facts == {"n": 0}


def test_what_json_cannot_hold_is_refused_and_the_old_file_stays(tmp_path: Path):
    dataset = BundleDataset(filepath=tmp_path / "model.safetensors")
    dataset.save(BUNDLE)
    with pytest.raises(DatasetError, match="not JSON serializable"):
        dataset.save(Bundle({}, {"array": np.zeros(2)}))
    _assert_same(dataset.load(), BUNDLE)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_file_that_is_missing_or_no_bundle_is_an_error(tmp_path: Path):
    with pytest.raises(DatasetError, match="missing"):
        BundleDataset(filepath=tmp_path / "missing.safetensors").load()
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\x80\x04not a bundle at all")
    with pytest.raises(DatasetError):
        BundleDataset(filepath=broken).load()


def test_others_can_read_it_as_plain_safetensors(tmp_path: Path):
    from safetensors import safe_open

    path = tmp_path / "model.safetensors"
    BundleDataset(filepath=path).save(BUNDLE)
    with safe_open(path, framework="np") as opened:
        assert json.loads(opened.metadata()["facts"]) == BUNDLE.facts
        np.testing.assert_array_equal(
            opened.get_tensor("fold00/weight"), BUNDLE.arrays["fold00/weight"]
        )


def test_it_is_made_from_a_catalog_entry(tmp_path: Path):
    entry = {
        "type": "regime_nas_pipeline.datasets.bundle_file.BundleDataset",
        "filepath": (tmp_path / "model.safetensors").as_posix(),
        "versioned": True,
    }
    catalog = DataCatalog.from_config({"checkpoints": entry})
    assert not catalog.exists("checkpoints")
    catalog.save("checkpoints", BUNDLE)
    assert catalog.exists("checkpoints")
    _assert_same(catalog.load("checkpoints"), BUNDLE)
