"""Keys and columns of the experiments beside the default run are all on the page on results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from documents import code_spans, prose
from planted_cases import pieces_of, planted_case

from regime_nas_pipeline.report.comparison_page import comparison_headline, regret_words
from regime_nas_pipeline.verdict.ablation import COLUMNS as COMPARED
from regime_nas_pipeline.verdict.claim_rows import claim_rows
from regime_nas_pipeline.verdict.paper_claims import claim_scores
from regime_nas_pipeline.walkforward.comparison import Measured, shortcut_scores, shortcut_table
from regime_nas_pipeline.walkforward.comparison_regret import regret_claim, regret_table
from regime_nas_pipeline.walkforward.comparison_strategies import (
    contest_leaders,
    contest_summary,
)
from regime_nas_pipeline.walkforward.lipschitz_curve import COLUMNS as CURVE
from regime_nas_pipeline.walkforward.planted.results import collect
from regime_nas_pipeline.walkforward.planted.summary import planted_verdict

NAMES = {"engineered", "raw", "regime_nas", "mlp", "linear", "oracle", "no_change"}


@pytest.fixture(scope="module")
def told() -> set[str]:
    return set(code_spans("docs/summary.md"))


def keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield str(key)
            yield from keys_of(below)


def test_every_key_of_the_planted_summary(told: set[str]) -> None:
    planted = planted_case()
    shares = {"regime_nas": 0.3, "mlp": 0.2, "linear": 0.1, "oracle": 0.4}
    verdict = planted_verdict(collect(pieces_of(planted, shares), planted, seed=1).cells, planted)
    controls = set(verdict["sample"].pop("controls"))
    found = {*keys_of(verdict), "controls"}
    assert controls == {"seeds", "tracks", "forecasters"}
    assert len(found) > 40
    assert not found - told - NAMES
    [heading] = [line for line in prose("docs/summary.md").splitlines() if "`planted_sum" in line]
    assert heading == "## `planted_summary`"


def test_every_key_of_the_summary_of_the_comparison(told: set[str]) -> None:
    searched = {"bed": "planted", "seed": 0, "strategy": "random", "score": 0.9, "r2": 0.1}
    contest = pd.DataFrame([{**searched, "r2_oracle": 0.2, "gradient_samples": 10, "seconds": 1.0}])
    leaders = contest_leaders(contest_summary(contest))
    curve = {"landscape": 0, "evaluations": 1, "regret": 0.5}
    curves = pd.DataFrame([{**curve, "strategy": name} for name in ("bayesian", "random")])
    claim = regret_claim(regret_table(curves))
    # The page is made of the same keys.
    assert comparison_headline(leaders)
    assert regret_words(claim)
    assert {*keys_of(leaders), *keys_of(claim["bayesian"])} <= told
    assert {*contest.columns, *curves.columns} <= told


def test_every_column_of_the_shortcuts(told: set[str]) -> None:
    full = [Measured("full", np.array([0.1, 0.2, 0.4]) + shift, 10, 1.0) for shift in (0.0, 0.01)]
    other = [Measured("less_data", np.array([0.3, 0.1, 0.2]), 3, 0.3)]
    assert set(shortcut_table(full, other, draws=5, seed=1).columns) <= told
    assert set(shortcut_scores(full, other).columns) <= told


def test_every_column_of_ablations_and_curve(told: set[str]) -> None:
    assert {*COMPARED, "metric", "variant", "seed", "value"} <= told
    assert set(CURVE) <= told


def test_every_column_of_the_claims(told: set[str]) -> None:
    generator = np.random.default_rng(1)
    shape = (6, 2)
    scores = claim_scores(
        {name: [0.01 * generator.standard_normal(shape)] for name in ("regime_nas", "gru")},
        0.01 * generator.standard_normal(shape),
        np.full(shape, 100.0),
        assets=("A", "B"),
        regimes=np.array(["trend"] * 6, dtype=object),
    )
    assert set(scores.columns) <= told
    assert set(scores["scope"]) <= told
    cost = {
        "epochs": 2.0,
        "samples_per_fit": 10.0,
        "samples_per_epoch": 5.0,
        "search_samples": 20,
        "search_hours": None,
    }
    rows = claim_rows(scores, {"regime_nas": cost, "gru": cost}, baseline="gru")
    assert set(rows[0]) <= told
