"""The page on the verdict names every dataset, key and column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from verdict_datasets import COSTS, FORECASTERS, SEARCHED, SOURCES

from regime_nas_pipeline.pipelines.verdict import create_pipeline

PAGE = Path(__file__).parents[3] / "docs" / "verdict.md"


@pytest.fixture(scope="module")
def named() -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", PAGE.read_text()))


def keys(value: Any, *, data: set[str]) -> Iterator[str]:
    """Keys at every level, but for names of strategies and reasons."""
    if isinstance(value, dict):
        for key, below in value.items():
            if key not in data:
                yield key
            yield from keys(below, data=data)


def test_every_dataset_is_named(named) -> None:
    searched = {name: f"{name}.tuned" for name in SEARCHED}
    outputs = create_pipeline(FORECASTERS, searched).all_outputs()
    assert len(outputs) == 18
    assert {*COSTS, *SOURCES} < outputs
    assert outputs <= named


def test_every_column_is_named(named, compared, counted, costs, sources) -> None:
    tables = {"tests": compared[0], "all": compared[1], "deflated": counted[0], **costs, **sources}
    for name, table in tables.items():
        assert isinstance(table, pd.DataFrame)
        assert set(table.columns) <= named, name


def test_every_key_is_named(named, verdict, counted, traded) -> None:
    _, overfitting = counted
    reasons = {*overfitting["left_out"], *overfitting["out_of_sample"]["left_out"]}
    data = {*traded["strategy_returns"], "no_change", *reasons}
    assert set(keys(verdict, data=data)) <= named
    assert set(keys(overfitting, data=data)) <= named
