from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.report.guide_page import render_guide
from regime_nas_pipeline.report.guide_text import guide_sections
from regime_nas_pipeline.report.tables import BLANK
from regime_nas_pipeline.report.theme import empty_figure

MODELS = ("transformer", "ridge")
HELD = "buy_and_hold"


def cells(page: str, key: str) -> list[list[str]]:
    """Texts of a table, row by row."""
    body = page.split(f'id="table-{key}"')[1].partition("</tbody>")[0].partition("<tbody>")[2]
    rows = re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    return [
        [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
        for row in rows
    ]


def fold_rows() -> pd.DataFrame:
    figures = dict.fromkeys(
        ("r2_zero", "hit_rate", "sharpe_gross", "low", "high", "total_return", "max_drawdown",
         "exposure"), 0.1,
    )  # fmt: skip
    rows = [
        {
            "model": model,
            "fold": fold,
            "train_end": pd.Timestamp("2003-01-02"),
            "first_bar": pd.Timestamp("2003-01-06"),
            "last_bar": pd.Timestamp("2003-07-01"),
            "n": 126,
            "sharpe_net": np.nan if (model, fold) == ("ridge", 1) else 0.25 + fold,
            "trades": 4,
            **figures,
        }
        for model in (*MODELS, HELD)
        for fold in (0, 1)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def inputs() -> dict[str, Any]:
    figures = dict.fromkeys(
        ("cagr", "volatility", "max_drawdown", "mean_exposure", "turnover_per_year",
         "cost_per_year", "interest_per_year"), 0.2,
    )  # fmt: skip
    strategies = pd.DataFrame(
        [
            {"strategy": "transformer", "sharpe": 0.11, "difference": -0.2, "p_holm": 0.4,
             "effect": "open", **figures},
            {"strategy": "ridge", "sharpe": -0.5, "difference": -0.81, "p_holm": 0.01,
             "effect": "worse", **figures},
            {"strategy": HELD, "sharpe": 0.31, "difference": np.nan, "p_holm": np.nan,
             "effect": np.nan, **figures},
        ]
    )  # fmt: skip
    ranges = pd.DataFrame(
        [
            {"model": name, "n_folds": 2, "fold_bars": 126.0, "lowest": -1.5, "highest": 1.75,
             "mean": 0.1, "median": 0.1, "range": 3.25, "chance_range": 1.6, "p_value": 0.2}
            for name in (*MODELS, HELD, "published")
        ]
    )  # fmt: skip
    head = {"layer": 1, "head": 1, "low": None, "high": None}
    published = pd.DataFrame(
        [{"train_end": "2019-02-01", "test_end": "2020-02-03", "sharpe": 1.2,
          "annual_return": 0.139, "max_drawdown": -0.061, "trades": 8}]
    )  # fmt: skip
    summary = {
        "headline": "Nobody beats 1 % & more.",
        "skill": [
            {"model": name, "n_folds": 2, "n_better": 1, "median_r2_zero": -0.001,
             "hit_rate": 0.5, "up_share": 0.53}
            for name in MODELS
        ],
        "sample": {
            "asset": "S&P 500", "first": "2003-01-06", "last": "2004-01-02", "n_folds": 2,
            "first_training_bars": 1008, "refit_every": 126, "bars_per_year": 252,
            "threshold": 0.001, "execution_lag": 1, "cost_bps": 5.0, "risk_free": 0.011,
            "forecasters": dict.fromkeys(MODELS), "inspected": "transformer",
        },
    }  # fmt: skip
    sections = guide_sections(summary["sample"])
    return {
        "summary": summary,
        "words": {"skill": ["One of two."], "attention": ["Attention is not explanation."]},
        "strategies": strategies,
        "folds": fold_rows(),
        "ranges": ranges,
        "curve": pd.DataFrame(
            {
                "model": ["transformer", "transformer", "ridge"],
                "threshold": [-0.0001, 0.0005, 0.0],
                "sharpe": [0.5, 0.6, 0.7],
                "crosses": [True, True, False],
            }
        ),
        "break_even": pd.DataFrame(
            {"model": MODELS, "trades": [10, 20], "log_wealth": [0.2, 0.1],
             "log_wealth_held": [0.1, 0.2], "break_even_bps": [7.5, np.nan]}
        ),
        "attention": {
            "last": {
                "entropy": [{**head, "entropy": 3.9, "share": 0.95}],
                "agreement": [
                    {**head, "layer": 0, "head": 0, "correlation": 0.9},
                    {**head, "correlation": -0.3},
                ],
            }
        },
        "published": (published, {"transformer": 1.02, "ridge": -1.42}, ["One thing is mended."]),
        "figures": {name: empty_figure(name, "x") for each in sections for name in each.figures},
        "data": ({"notes": []}, {"bars_per_year": {"value": 252, "rule": "Stated."}}),
        "limits": ["One market is one history. It has few crises."],
    }  # fmt: skip


def test_every_chapter_table_and_figure_is_there(inputs: dict[str, Any]) -> None:
    page = render_guide(**inputs)
    for section in guide_sections(inputs["summary"]["sample"])[:-1]:
        assert f'<section id="{section.key}"' in page
        for name in section.tables:
            assert f'id="table-{name}"' in page
        for name in section.figures:
            assert f'id="figure-{name}"' in page
    assert "Not part of this run" not in page
    assert "<h1>Nobody beats 1\u00a0% &amp; more.</h1>" in page
    assert "One thing is mended." in page
    assert "error of about 1.4 even" in page


def test_strategies_have_their_verdict_beside_buy_and_hold(inputs: dict[str, Any]) -> None:
    rows = cells(render_guide(**inputs), "guide_strategies")
    assert [(row[0], row[3], row[-1]) for row in rows] == [
        ("Transformer", "0.11", "not told apart"),
        ("Ridge", "\u22120.50", "worse"),
        ("Buy and hold", "0.31", BLANK),
    ]


def test_folds_stand_side_by_side_and_are_counted_from_one(inputs: dict[str, Any]) -> None:
    page = render_guide(**inputs)
    rows = cells(page, "guide_fold_sharpes")
    assert [row[0] for row in rows] == ["1", "2"]
    assert [row[5:] for row in rows] == [["0.25", "0.25", "0.25"], ["1.25", BLANK, "1.25"]]
    assert len(cells(page, "guide_folds")) == 2
    assert cells(page, "guide_ranges")[-1][0] == "Published Transformer"


def test_costs_and_thresholds_that_break_even(inputs: dict[str, Any]) -> None:
    first, second = cells(render_guide(**inputs), "guide_break_even")
    assert first == ["Transformer", "10", "10.5", "7.5", "\u22120.01, 0.05"]
    assert second == ["Ridge", "20", "\u22129.5", BLANK, "none"]


def test_published_ratios_stand_beside_ours(inputs: dict[str, Any]) -> None:
    rows = cells(render_guide(**inputs), "published_sharpes")
    assert rows[0] == ["Transformer", "1.02", "0.11", BLANK, "\u22121.50", "1.75"]
    assert rows[1][:4] == ["Ridge", "\u22121.42", "\u22120.50", "0.70"]
    assert rows[-1][:3] == ["Buy and hold", BLANK, "0.31"]


def test_a_head_agrees_with_importance_by_its_own_number(inputs: dict[str, Any]) -> None:
    assert cells(render_guide(**inputs), "guide_heads") == [
        ["1", "1", "3.90", "95.0", "\u22120.30"]
    ]
