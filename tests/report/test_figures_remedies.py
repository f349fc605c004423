from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.report.figures_remedies import remedy_differences
from regime_nas_pipeline.report.theme import strategy_style

LABELS = {"spread_scaling": "Spread <scaling>", "garch_covariance": "GARCH volatilities"}


@pytest.fixture
def comparison() -> pd.DataFrame:
    rows = [
        ("cross_slope", "gru", "spread_scaling", -2.0, -2.5, -1.5, 1.1, "better"),
        ("cross_slope", "regime_nas", "spread_scaling", 0.1, -0.1, 0.3, 1.2, "none"),
        ("cross_slope", "gru", "garch_covariance", 0.0, 0.0, 0.0, 3.1, "same"),
        ("sharpe", "gru", "spread_scaling", -0.1, -0.4, 0.2, 0.5, "none"),
        ("sharpe", "gru", "garch_covariance", np.nan, np.nan, np.nan, np.nan, "unknown"),
        ("spread_ratio", "gru", "spread_scaling", 0.2, 0.1, 0.3, 0.4, "unjudged"),
    ]
    names = ["metric", "forecaster", "variant", "difference", "low", "high", "mean", "effect"]
    return pd.DataFrame(rows, columns=names)


def dots(figure: Any) -> list[Any]:
    return [trace for trace in figure.data if trace.error_x.array is not None]


def test_every_known_difference_is_drawn_once_with_its_interval(comparison: pd.DataFrame) -> None:
    figure = remedy_differences(comparison, LABELS)
    drawn = {
        (trace.xaxis, trace.name, round(y), x): (round(x - down, 6), round(x + up, 6))
        for trace in dots(figure)
        for x, y, up, down in zip(
            trace.x, trace.y, trace.error_x.array, trace.error_x.arrayminus, strict=True
        )
    }
    assert drawn == {
        ("x", "GRU", 0, -2.0): (-2.5, -1.5),
        ("x", "GRU", 1, 0.0): (0.0, 0.0),
        ("x", "RegimeNAS", 0, 0.1): (-0.1, 0.3),
        ("x2", "GRU", 0, 0.2): (0.1, 0.3),
        ("x3", "GRU", 0, -0.1): (-0.4, 0.2),
    }
    assert "95 %" in figure.layout.title.text
    assert list(figure.layout.yaxis.ticktext) == ["Spread &lt;scaling&gt;", "GARCH volatilities"]


def test_forecasters_have_their_colour_and_claims_are_full_dots(comparison: pd.DataFrame) -> None:
    figure = remedy_differences(comparison, LABELS)
    gru, regime_nas = (
        next(t for t in dots(figure) if t.xaxis == "x" and t.name == name)
        for name in ("GRU", "RegimeNAS")
    )
    assert gru.marker.color == strategy_style("gru").colour
    assert list(gru.marker.symbol) == ["circle", "circle-open"]
    assert list(regime_nas.marker.symbol) == ["circle-open"]
    assert regime_nas.y[0] != gru.y[0]
    titles = {figure.layout[name].title.text for name in ("xaxis", "xaxis2", "xaxis3")}
    assert titles == {
        "Slope across assets: 1 is right",
        "Spread ratio: no side is better",
        "Sharpe ratio net of costs: right is better",
    }


def test_nothing_to_compare_is_said(comparison: pd.DataFrame) -> None:
    figure = remedy_differences(comparison.iloc[4:5], LABELS)
    assert "No remedy" in figure.layout.annotations[0].text
