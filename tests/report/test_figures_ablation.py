from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.report.figures_ablation import ablation_differences, lipschitz_curve

LABELS = {"without_trend": "Without the trend block", "uniform_gate": "Uniform gate"}


@pytest.fixture
def comparison() -> pd.DataFrame:
    rows = [
        ("theil_u", "without_trend", 0.02, 0.01, 0.035, "worse"),
        ("theil_u", "uniform_gate", 0.001, -0.01, 0.012, "none"),
        ("sharpe", "without_trend", -0.1, -0.4, 0.2, "none"),
        ("sharpe", "uniform_gate", np.nan, np.nan, np.nan, "unknown"),
    ]
    names = ["metric", "variant", "difference", "low", "high", "effect"]
    return pd.DataFrame(rows, columns=names)


def intervals(figure: Any) -> dict[tuple[str, str], tuple[float, float, float]]:
    found = {}
    for trace in figure.data:
        if trace.error_x.array is None:
            continue
        for x, y, up, down in zip(
            trace.x, trace.y, trace.error_x.array, trace.error_x.arrayminus, strict=True
        ):
            found[trace.xaxis, y] = (round(x - down, 6), x, round(x + up, 6))
    return found


def test_every_known_difference_has_its_interval(comparison: pd.DataFrame) -> None:
    figure = ablation_differences(comparison, LABELS)
    assert intervals(figure) == {
        ("x", "Without the trend block"): (0.01, 0.02, 0.035),
        ("x", "Uniform gate"): (-0.01, 0.001, 0.012),
        ("x2", "Without the trend block"): (-0.4, -0.1, 0.2),
    }
    assert "90 %" in ablation_differences(comparison, LABELS, level=0.9).layout.title.text
    assert {shape.x0 for shape in figure.layout.shapes} == {0.0}


def test_colours_say_what_can_be_claimed(comparison: pd.DataFrame) -> None:
    figure = ablation_differences(comparison, LABELS)
    legend = {t.name: t.marker.color for t in figure.data if t.name}
    colour = {
        (trace.xaxis, name): trace.marker.color
        for trace in figure.data
        if trace.error_x.array is not None
        for name in trace.y
    }
    assert colour["x", "Without the trend block"] == legend["Worse than the full network"]
    assert colour["x", "Uniform gate"] == legend["No difference can be claimed"]
    assert figure.layout.xaxis.title.text.endswith("left is better")
    assert figure.layout.xaxis2.title.text.endswith("right is better")


def test_nothing_to_compare_is_said(comparison: pd.DataFrame) -> None:
    figure = ablation_differences(comparison.iloc[:0], LABELS)
    assert "No variant" in figure.layout.annotations[0].text


@pytest.fixture
def curve() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "limit": [np.nan, 10.0, 0.5, 0.5],
            "label": ["none", "10", "0.5", "0.5"],
            "seed": [0, 0, 0, 1],
            "validation_error": [1.0, 1.1, 1.2, 1.4],
            "theil_u": [1.02, 1.01, 1.0, 1.0],
            "certified": [np.nan, 9.0, 0.5, 0.4],
            "seen": [2.0, 0.5, 0.1, 0.2],
        }
    )


def test_limits_stand_in_order_and_none_at_the_end(curve: pd.DataFrame) -> None:
    figure = lipschitz_curve(curve)
    assert list(figure.layout.xaxis3.categoryarray) == ["0.5", "10", "none"]
    lines = {trace.name: list(trace.y) for trace in figure.data if trace.name}
    assert lines["Error in validation"] == [1.3, 1.1, 1.0]
    assert lines["Certified constant (upper bound)"] == [0.45, 9.0, None]
    assert lines["Steepest reaction seen (lower bound)"] == [0.15, 0.5, 2.0]
    assert figure.layout.yaxis3.type == "log"


def test_a_curve_without_any_certificate_and_one_without_rows(curve: pd.DataFrame) -> None:
    names = {trace.name for trace in lipschitz_curve(curve.iloc[:1]).data}
    assert "Certified constant (upper bound)" not in names
    assert "No network" in lipschitz_curve(curve.iloc[:0]).layout.annotations[0].text
