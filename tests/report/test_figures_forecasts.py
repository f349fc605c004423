from __future__ import annotations

from typing import Any

import pytest

from regime_nas_pipeline.report.figures_forecasts import forecast_accuracy

AXES = {
    "theil_u": "x",
    "r2": "x2",
    "rank_ic": "x3",
    "spread_ratio": "x4",
    "rmse": "x5",
    "mae": "x6",
}


def dots(figure: Any, measure: str) -> dict[str, float]:
    return {
        trace.y[-1]: trace.x[-1]
        for trace in figure.data
        if trace.xaxis == AXES[measure] and trace.showlegend is False
    }


def reference(figure: Any, measure: str) -> list[float]:
    return [shape.x0 for shape in figure.layout.shapes if shape.xref == AXES[measure]]


def test_every_measure_has_a_dot_per_forecaster(forecasts: dict[str, dict[str, Any]]) -> None:
    figure = forecast_accuracy(forecasts)
    labels = {"RegimeNAS", "GRU", "Transformer", "GARCH", "Momentum"}
    for measure in AXES:
        assert set(dots(figure, measure)) == labels
    assert dots(figure, "theil_u")["GRU"] == 1.0042


def test_no_change_forecast_stands_beside_them(forecasts: dict[str, dict[str, Any]]) -> None:
    figure = forecast_accuracy(forecasts)
    assert reference(figure, "theil_u") == [1.0]
    assert reference(figure, "r2") == [0.0]
    # The fixture's RMSEs are Theil's U times 0.0764.
    assert reference(figure, "rmse") == [pytest.approx(0.0764)]
    assert reference(figure, "mae") == []
    assert "No-change forecast" in {trace.name for trace in figure.data}


def test_known_mae_of_no_change_is_drawn_and_is_no_forecaster(
    forecasts: dict[str, dict[str, Any]],
) -> None:
    figure = forecast_accuracy({**forecasts, "no_change": {"mae": 0.0561}})
    assert reference(figure, "mae") == [0.0561]
    assert "No-change forecast" not in dots(figure, "mae")


def test_missing_measure_has_no_dot_and_new_forecaster_is_drawn(
    forecasts: dict[str, dict[str, Any]],
) -> None:
    few = {"gru": forecasts["gru"] | {"rank_ic": None}, "boosting": {"r2": -0.01}}
    figure = forecast_accuracy(few)
    assert dots(figure, "rank_ic") == {}
    assert dots(figure, "r2") == {"GRU": -0.0107, "boosting": -0.01}
    assert set(dots(figure, "theil_u")) == {"GRU"}


def test_axes_carry_units(forecasts: dict[str, dict[str, Any]]) -> None:
    layout = forecast_accuracy(forecasts).layout
    assert layout.xaxis5.title.text.startswith("RMSE (% log return)")


def test_no_forecasts_is_said() -> None:
    assert "No forecasts" in forecast_accuracy({}).layout.annotations[0].text
