from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.report.figures_classifier import (
    class_reliability,
    confusion_matrix,
    cumulative_loss_difference,
    precision_recall_curves,
    probability_over_time,
)

DATES = pd.bdate_range("2001-01-01", periods=6, name="date")


@pytest.fixture
def bins() -> pd.DataFrame:
    rows = [
        {
            "forecaster": name,
            "class": each,
            "bin": place,
            "predicted": 0.1 + 0.2 * place,
            "realised": 0.2 * place,
            "count": 10 * (1 + place),
        }
        for name in ("persistence", "classifier")
        for each in ("calm", "stressed")
        for place in range(3)
    ]
    return pd.DataFrame(rows)


def test_reliability_draws_one_class_in_order(bins: pd.DataFrame) -> None:
    figure = class_reliability(bins.sample(frac=1.0, random_state=1), "stressed")
    assert [trace.name for trace in figure.data] == [
        "Classifier",
        "Last label, by its transitions",
        "Said = came true",
    ]
    line = figure.data[0]
    assert list(line.x) == pytest.approx([0.1, 0.3, 0.5])
    assert list(line.y) == pytest.approx([0.0, 0.2, 0.4])
    assert list(line.customdata) == [10, 20, 30]
    assert line.marker.size[0] < line.marker.size[2]


def test_rare_events_fill_the_reliability_figure(bins: pd.DataFrame) -> None:
    scaled = bins.assign(predicted=bins["predicted"] / 10, realised=bins["realised"] / 10)
    highest = class_reliability(scaled, "stressed").layout.xaxis.range[1]
    assert 0.05 < highest < 0.1
    assert class_reliability(bins.assign(predicted=0.99), "calm").layout.xaxis.range[1] > 1.0


def test_confusion_has_a_panel_each_and_says_where_a_class_never_came() -> None:
    table = pd.DataFrame(
        {
            "forecaster": ["classifier"] * 4,
            "truth": ["calm", "calm", "stressed", "stressed"],
            "said": ["calm", "stressed"] * 2,
            "count": [1500, 500, 0, 0],
            "share": [0.75, 0.25, np.nan, np.nan],
        }
    )
    figure = confusion_matrix(pd.concat([table, table.assign(forecaster="filter")]))
    first = figure.data[0]
    assert len(figure.data) == 2
    assert list(first.z[0]) == [0.75, 0.25]
    assert list(first.z[1]) == [None, None]
    assert first.text[0][0] == "75.0%<br>1,500"
    assert first.text[1][1] == "never came"
    assert [note.text for note in figure.layout.annotations] == ["Classifier", "Filter"]


def test_probability_stands_above_what_came_true() -> None:
    chance = pd.Series([0.1, 0.2, 0.9, 0.8, 0.3, 0.1], index=DATES)
    outcome = pd.Series(["calm", "calm", "stressed", "stressed", "calm", "calm"], index=DATES)
    figure = probability_over_time({"classifier": chance}, outcome, "stressed")
    line, ribbon = figure.data
    assert list(line.y) == pytest.approx(chance.tolist())
    assert list(ribbon.y) == [0, 0, 1, 1, 0, 0]
    assert list(line.x) == list(ribbon.x)
    assert (line.yaxis, ribbon.yaxis) == ("y", "y2")


def test_precision_and_recall_stand_beside_the_base_rate() -> None:
    curve = pd.DataFrame(
        {
            "forecaster": "classifier",
            "threshold": [np.inf, 0.6, 0.2],
            "precision": [1.0, 0.5, 0.25],
            "recall": [0.0, 0.5, 1.0],
        }
    )
    figure = precision_recall_curves(
        curve, 0.2, event="a switch within 5 bars", average={"classifier": 0.375}
    )
    (line,) = figure.data
    assert list(line.x) == [0.5, 1.0]
    assert list(line.y) == [0.5, 0.25]
    assert line.name == "Classifier (average precision 0.38)"
    assert figure.layout.shapes[0].y0 == pytest.approx(0.2)
    assert figure.layout.annotations[0].text == "Base rate 20.0%"
    assert "a switch within 5 bars" in figure.layout.title.text


def test_saved_log_loss_has_a_line_for_each_control() -> None:
    gain = pd.DataFrame({"persistence": np.arange(6.0), "filter": -np.arange(6.0)}, index=DATES)
    figure = cumulative_loss_difference(gain)
    lines = {trace.name: list(trace.y) for trace in figure.data}
    assert lines == {
        "Against: last label, by its transitions": [0, 1, 2, 3, 4, 5],
        "Against: filter": [0, -1, -2, -3, -4, -5],
    }


def test_nothing_to_draw_is_said(bins: pd.DataFrame) -> None:
    nothing = pd.Series(dtype=object)
    for figure in (
        class_reliability(bins, "crash"),
        confusion_matrix(pd.DataFrame(columns=["forecaster", "truth", "said", "count", "share"])),
        probability_over_time({}, nothing, "stressed"),
        precision_recall_curves(
            pd.DataFrame(columns=["forecaster", "threshold", "precision", "recall"]),
            0.0,
            event="a switch",
            average={},
        ),
        cumulative_loss_difference(pd.DataFrame(index=DATES)),
    ):
        assert len(figure.data) == 0
        assert figure.layout.annotations[0].text.endswith(".")
        json.loads(figure.to_json())
