from __future__ import annotations

import pandas as pd
import pytest

from regime_nas_pipeline.report.figures_claims import claims_by_asset


@pytest.fixture
def figures() -> pd.DataFrame:
    rows = [
        ("pooled", "all", "over_no_change", "regime_nas", 1.01),
        ("asset", "Bitcoin", "over_no_change", "regime_nas", 1.02),
        ("asset", "Bitcoin", "over_no_change", "gru", 1.03),
        ("asset", "Bitcoin", "over_baseline", "regime_nas", 0.99),
        ("asset", "Bitcoin", "unexplained", "no_change", 0.002),
        ("asset", "Bitcoin", "unexplained", "regime_nas", 0.003),
    ]
    return pd.DataFrame(rows, columns=["scope", "group", "figure", "forecaster", "value"])


def test_every_figure_has_its_dot_in_its_panel(figures: pd.DataFrame) -> None:
    drawn = claims_by_asset(figures, {"over_baseline": 0.197}, baseline="gru")
    dots = {
        (trace.xaxis, trace.name, group): value
        for trace in drawn.data
        if trace.mode == "markers"
        for group, value in zip(trace.y, trace.x, strict=True)
    }
    assert dots == {
        ("x", "RegimeNAS", "All, pooled"): 1.01,
        ("x", "RegimeNAS", "Bitcoin"): 1.02,
        ("x", "GRU", "Bitcoin"): 1.03,
        ("x2", "RegimeNAS", "Bitcoin"): 0.99,
        ("x3", "No-change forecast", "Bitcoin"): 0.002,
        ("x3", "RegimeNAS", "Bitcoin"): 0.003,
    }
    named = [trace.name for trace in drawn.data if trace.showlegend is not False]
    assert sorted(named) == ["GRU", "No-change forecast", "Published", "RegimeNAS"]


def test_published_figures_and_no_change_are_lines(figures: pd.DataFrame) -> None:
    published = {"over_baseline": 0.197, "unexplained": 0.007}
    drawn = claims_by_asset(figures, published, baseline="gru")
    lines = {(shape.xref, shape.x0) for shape in drawn.layout.shapes}
    assert {("x", 1.0), ("x2", 1.0), ("x2", 0.197)} <= lines
    assert len(lines) == 4


def test_nothing_scored_is_said(figures: pd.DataFrame) -> None:
    drawn = claims_by_asset(figures.iloc[:0], {}, baseline="gru")
    assert "Nothing was scored" in drawn.layout.annotations[0].text
