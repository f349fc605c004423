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
    assert set(VERDICT_CAPTIONS) - set(made) == {
        "crises",
        "attribution",
        "at_a_glance",
        "smallest_edges",
    }


def test_words_of_the_tests_are_passed_on(verdict: dict[str, Any]) -> None:
    assert verdict_words(verdict)["tests"][:-1] == verdict["comparison_words"]
    assert verdict_words({}) == {}


def test_the_smallest_edge_stands_beside_the_largest_difference_seen() -> None:
    answers = {
        name: {"sharpe_difference": seen, "smallest_edge": edge, "smallest_edge_holm": corrected}
        for name, seen, edge, corrected in (
            ("momentum", -0.06, 0.5, 0.9),
            ("regime_nas", -0.21, 0.42, 0.84),
            ("equal_weight", None, None, None),
        )
    }
    found = {
        "reference": "equal_weight",
        "years": 7.976,
        "power": 0.8,
        "n_tests": 52,
        "strategies": answers,
    }
    assert verdict_words({"verdict": found}) == {
        "tests": [
            "With 8.0 years of returns, a true advantage of RegimeNAS over equal weight below 0.42 "
            "Sharpe a year would have been missed more than 20 % of the time, and one below 0.84 "
            "where Holm's correction for all 52 tests has to be passed too; no strategy was ahead, "
            "and the nearest (momentum) lay 0.06 below equal weight."
        ]
    }
    ahead = {**answers, "gru": {**answers["regime_nas"], "sharpe_difference": 0.11}}
    (said,) = verdict_words({"verdict": {**found, "strategies": ahead}})["tests"]
    assert said.endswith("; the largest advantage seen was 0.11 (GRU).")
    untested = {"equal_weight": answers["equal_weight"]}
    assert verdict_words({"verdict": {**found, "strategies": untested}}) == {}


def test_every_count_of_trials_is_said(verdict: dict[str, Any]) -> None:
    said = " ".join(verdict_words(verdict)["trials"])
    assert "Of 1,030 trials in the ledger, 24 can be held against each other" in said
    assert "16 of them belong to this run" in said
    assert "count as 21 different ones" in said
    assert "1,003 on other prices; 3 without portfolio returns." in said
    assert "on rain" not in said
    assert (
        "Out of sample, 17 different series are the trials: 8 strategies of this run, 4 single "
        "seeds of its networks, and 5 of earlier runs and of experiments on the same prices; by "
        "how alike they are, they count as 9; not among them are 3 on other prices."
    ) in said
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
