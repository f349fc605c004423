from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.report.verdict_parts import ready_verdict, verdict_words
from regime_nas_pipeline.report.verdict_section import VERDICT_CAPTIONS


def test_a_whole_verdict_fills_every_table(verdict: dict[str, Any]) -> None:
    assert set(ready_verdict(verdict)) == set(VERDICT_CAPTIONS)


def test_tables_are_the_same_after_writing_and_reading(
    verdict: dict[str, Any], tmp_path: Path
) -> None:
    read: dict[str, Any] = {}
    for name, content in verdict.items():
        if isinstance(content, pd.DataFrame):
            content.to_parquet(tmp_path / f"{name}.parquet")
            read[name] = pd.read_parquet(tmp_path / f"{name}.parquet")
        else:
            read[name] = json.loads(json.dumps(content))
    assert ready_verdict(read) == ready_verdict(verdict)
    assert verdict_words(read) == verdict_words(verdict)


def test_what_a_run_lacks_makes_no_table(verdict: dict[str, Any]) -> None:
    assert ready_verdict({}) == {}
    some = {**verdict, "crises": verdict["crises"].iloc[:0], "attribution": pd.DataFrame()}
    del some["verdict"]
    made = ready_verdict(some)
    assert set(VERDICT_CAPTIONS) - set(made) == {"crises", "attribution", "at_a_glance"}


def test_words_of_the_tests_are_passed_on(verdict: dict[str, Any]) -> None:
    assert verdict_words(verdict)["tests"] == verdict["comparison_words"]
    assert verdict_words({}) == {}


def test_every_count_of_trials_is_said(verdict: dict[str, Any]) -> None:
    said = " ".join(verdict_words(verdict)["trials"])
    assert "Of 1,030 trials in the ledger, 24 can be held against each other" in said
    assert "16 of them belong to this run" in said
    assert "count as 21 different ones" in said
    assert "1,003 on other prices; 3 without portfolio returns." in said
    assert "on rain" not in said
    unknown = {**verdict["overfitting"], "n_effective": None, "left_out": {}}
    said = " ".join(verdict_words({"overfitting": unknown})["trials"])
    assert "different ones" not in said
    assert "Left out" not in said


@pytest.mark.parametrize("known", [True, False])
def test_capacity_is_explained_only_where_there_is_none(
    verdict: dict[str, Any], known: bool
) -> None:
    figures = verdict["participation"]
    if not known:
        figures = figures.assign(capacity=np.nan, reason="the prices carry no volume")
    words = verdict_words({"participation": figures})
    said = {"costs": ["Capacity cannot be told: the prices carry no volume."]}
    assert words == ({} if known else said)
