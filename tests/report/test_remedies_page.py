from __future__ import annotations

import re
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest

from regime_nas_pipeline.report.remedies_page import render_remedies

LABELS = {"plain": "Plain", "spread_scaling": "Spread scaling"}


@pytest.fixture
def table() -> dict[str, Any]:
    row = {"forecaster": "gru", "variant": "spread_scaling", "n_seeds": 2}
    blank = dict.fromkeys(("gain", "p_value", "p_holm"))
    figures = {"mean": 1.1, "plain": 3.05, "difference": -1.95, "low": -2.2, "high": -1.7}
    tested = {"gain": 1.9501, "p_value": 0.012, "p_holm": 0.036}
    return {
        "env": "etf",
        "first_decision": "2015-01-02",
        "last_decision": "2019-12-31",
        "seeds": 2,
        "fits": 1,
        "level": 0.95,
        "cap": 5.0,
        "max_samples": 10_000,
        "headline": "The headline <i>of</i> the run.",
        "sentences": {"cross_slope": "A sentence on the slope."},
        "comparison": [
            {**row, "metric": "cross_slope", **figures, **tested, "effect": "better"},
            {**row, "metric": "spread_ratio", **figures, **blank, "effect": "unjudged"},
        ],
    }


@pytest.fixture
def results() -> pd.DataFrame:
    values = {"plain": (3.0, 3.1), "spread_scaling": (1.0, 1.2)}
    rows = [
        ("gru", variant, seed, metric, value)
        for metric in ("cross_slope", "coverage_95", "seconds")
        for variant, own in values.items()
        for seed, value in enumerate(own)
    ]
    return pd.DataFrame(rows, columns=["forecaster", "variant", "seed", "metric", "value"])


@pytest.fixture
def factors() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "forecaster": "gru",
            "fit": ["spread", "spread", "spread", "ranking_spread"],
            "seed": [0, 1, 2, 0],
            "fold": 0,
            "factor": [5.0, 2.75, 0.0, 1.0],
            "slope": [9.0, 3.0, -4.0, 1.0],
            "slope_error": [1.0, 1.0, 1.0, 1.0],
            "weight": 0.5,
            "bound": ["cap", "none", "floor", "none"],
            "n_dates": 30,
        }
    )


def words(page: str) -> str:
    without = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", without).split())


def test_the_page_holds_means_differences_and_factors(
    table: dict[str, Any], results: pd.DataFrame, factors: pd.DataFrame
) -> None:
    page = render_remedies(
        table, results, factors, go.Figure(), labels=LABELS, limits=["Few stocks. And more."]
    )
    said = words(page)
    assert "&lt;i&gt;of&lt;/i&gt;" in said
    assert "A sentence on the slope." in said
    assert "GRU Plain 3.05 305.0" in said
    assert "GRU Spread scaling 1.10 110.0" in said
    assert "Slope across assets (plain: GRU 3.0500)" in said
    figures = "1.1000 -1.9500 -2.2000 -1.7000 1.9501"
    assert figures.replace("-", "\N{MINUS SIGN}") in said
    assert "neither side is better" in said
    # Median, least and most factor; median slope and error; at 0, at the cap, fits.
    assert "GRU as found 2.75 0.00 5.00 3.00 1.00 1 1 3" in said
    assert "GRU with ranking loss 1.00 1.00 1.00 1.00 1.00 0 0 1" in said
    assert 'id="figure-calibration-data"' in page
    assert "Few stocks." in said
    assert "Not part of this run" not in said


def test_without_scaled_spreads_there_is_no_chapter_on_factors(
    table: dict[str, Any], results: pd.DataFrame, factors: pd.DataFrame
) -> None:
    page = render_remedies(table, results, factors.iloc[:0], go.Figure(), labels=LABELS, limits=[])
    assert "The factors that were learned" not in page
    assert "Not part of this run" not in words(page)
