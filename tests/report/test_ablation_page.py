from __future__ import annotations

import re
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest

from regime_nas_pipeline.report.ablation_page import headline, render_ablation

LABELS = {
    "full": "Full network",
    "without_trend": "Without the trend block",
    "uniform_gate": "Uniform gate",
    "no_lipschitz": "No Lipschitz constraint",
    "lipschitz_limit": "Lipschitz limit",
}


def row(metric: str, variant: str, effect: str, difference: float | None) -> dict[str, Any]:
    names = ("difference", "low", "high", "p_value", "p_holm")
    figures = dict.fromkeys(names, difference)
    return {
        "metric": metric,
        "variant": variant,
        "mean": 1.0,
        "full": 1.0,
        **figures,
        "n_seeds": 5,
        "effect": effect,
    }


@pytest.fixture
def table() -> dict[str, Any]:
    return {
        "env": "etf",
        "first_decision": "2015-01-02",
        "last_decision": "2019-12-31",
        "seeds": 5,
        "fits": 2,
        "level": 0.95,
        "max_samples": 10_000,
        "same_as_full": ["no_lipschitz"],
        "left_out": {"lipschitz_limit": "these parts have no bound: shuffled gate"},
        "without_bound": ["shuffled gate"],
        "sentences": {"theil_u": "Theil's U: said <b>so</b>."},
        "searches": {
            "full": {"strategy": "bayesian", "trials": 10, "score": 0.99},
        },
        "comparison": [
            row("theil_u", "without_trend", "worse", 0.0123),
            row("theil_u", "uniform_gate", "none", 0.001),
            row("sharpe", "without_trend", "none", -0.2),
            row("sharpe", "uniform_gate", "unknown", None),
        ],
    }


@pytest.fixture
def curve() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "limit": [None, 0.5],
            "label": ["none", "0.5"],
            "seed": [0, 0],
            "validation_error": [1.0, 1.1],
            "theil_u": [1.02, 1.0],
            "r2_zero": [-0.04, 0.0],
            "forecast_size": [0.2, 0.1],
            "certified": [None, 0.5],
            "seen": [2.0, 0.1],
        }
    ).astype({"limit": float, "certified": float})


def words(page: str) -> str:
    without = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", without).split())


def test_the_page_says_what_differs_what_was_left_out_and_why(
    table: dict[str, Any], curve: pd.DataFrame
) -> None:
    figures = {"ablation": go.Figure(), "lipschitz_curve": go.Figure()}
    page = render_ablation(table, curve, figures, labels=LABELS, limits=["Few stocks. And more."])
    said = words(page)
    assert "environment &#39;etf&#39;" in said
    assert "Without the trend block (worse on Theil&#39;s U)" in said
    assert "full network is that already: &#39;No Lipschitz constraint&#39;" in said
    assert "&#39;Lipschitz limit&#39; is left out: these parts have no bound" in said
    assert "these parts have no known bound: shuffled gate" in said
    assert "said &lt;b&gt;so&lt;/b&gt;" in said
    assert "0.0123" in said
    assert "no difference" in said
    assert "undefined" in said
    assert "Few stocks." in said
    assert "Not part of this run" not in said


def test_no_difference_is_said_plainly(table: dict[str, Any]) -> None:
    comparison = pd.DataFrame(table["comparison"])
    none = comparison[comparison["effect"] == "none"]
    said = headline(none, table, LABELS)
    assert "none of 2 variants on 5 seeds can be told apart" in said
    nothing = headline(comparison.iloc[:0], table, LABELS)
    assert "no variant could be compared" in nothing
