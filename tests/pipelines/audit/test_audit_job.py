"""A pipeline run in memory, with a cache that is only read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from kedro.pipeline import Pipeline, node

from regime_nas_pipeline.core.bundle import Bundle
from regime_nas_pipeline.core.cache import PieceCache
from regime_nas_pipeline.pipelines.audit.job import borrowed, run_in_memory

KEY = "ab" + "0" * 62
OTHER = "cd" + "0" * 62


def bundle(value: float) -> Bundle:
    return Bundle({"value": np.array([value])})


def made_again() -> Bundle:
    raise AssertionError("the piece was there")


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.safetensors"))


def test_pieces_are_borrowed_and_new_ones_kept_elsewhere(tmp_path: Path) -> None:
    lender, own = tmp_path / "lender", tmp_path / "own"
    PieceCache(str(lender)).get_or_make(KEY, lambda: bundle(1.0))
    cache = borrowed({"cache": PieceCache(str(lender)), "n": 3}, str(own))["cache"]
    assert cache.get_or_make(KEY, made_again).arrays["value"] == 1.0
    assert cache.get_or_make(OTHER, lambda: bundle(2.0)).arrays["value"] == 2.0
    assert cache.get_or_make(OTHER, made_again).arrays["value"] == 2.0
    assert files(lender) == [f"{KEY}.safetensors"]
    assert files(own) == [f"{OTHER}.safetensors"]


@pytest.mark.parametrize("directory", [None, "missing"])
def test_a_lender_without_pieces_gives_none(directory: str | None, tmp_path: Path) -> None:
    lender = PieceCache(None if directory is None else str(tmp_path / directory))
    cache = borrowed({"cache": lender}, str(tmp_path / "own"))["cache"]
    assert cache.get_or_make(KEY, lambda: bundle(1.0)).arrays["value"] == 1.0
    assert not (tmp_path / "missing").exists()


def test_every_output_is_kept_in_the_order_of_execution() -> None:
    def double(value: int) -> int:
        return 2 * value

    pipeline = Pipeline(
        [node(double, "second", "third", name="late"), node(double, "first", "second", name="soon")]
    )
    made = run_in_memory(pipeline, {"first": 3, "never_read": 0})
    assert made == [("soon", "second", 6), ("late", "third", 12)]
