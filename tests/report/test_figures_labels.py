from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.report.figures_label_quality import (
    label_agreement,
    label_delays,
    label_separation,
)
from regime_nas_pipeline.report.figures_labels import label_probabilities, price_and_labels
from regime_nas_pipeline.report.theme import MAX_POINTS, regime_colour

DATES = pd.date_range("2020-01-01", periods=6, name="date")


def labels_of(states: str, names: tuple[str, ...], dates: pd.DatetimeIndex = DATES) -> pd.DataFrame:
    values = np.full((len(states), len(names)), 0.0)
    values[np.arange(len(states)), [int(state) for state in states]] = 1.0
    return pd.DataFrame(values, index=dates, columns=list(names))


LABELS = {
    "two_<b>": labels_of("001100", ("calm", "stressed")),
    "three": labels_of("012210", ("calm", "middle", "stressed")),
}
LEVEL = pd.Series([100.0, 200.0, 150.0, 120.0, 160.0, 180.0], index=DATES, name="A & B")


def is_plain(figure: Any) -> None:
    text = figure.to_json()
    assert "bdata" not in text
    assert "NaN" not in text
    json.loads(text)
    assert figure.layout.title.text


def test_a_ribbon_covers_the_spells_of_each_regime_to_the_bar() -> None:
    figure = price_and_labels(LEVEL, LABELS)
    is_plain(figure)
    level, calm, stressed, *_ = figure.data
    assert level.name == "A &amp; B"
    assert figure.layout.yaxis.type == "log"
    assert (
        list(calm.x)
        == ["2020-01-01"] * 2 + ["2020-01-03"] * 2 + ["2020-01-05"] * 2 + ["2020-01-06"] * 2
    )
    assert list(calm.y) == [0, 1, 1, 0] * 2
    assert list(stressed.x) == ["2020-01-03"] * 2 + ["2020-01-05"] * 2
    assert stressed.fillcolor == regime_colour("stressed")
    assert figure.layout.yaxis2.ticktext == ("two &lt;b&gt;",)
    assert stressed.text == "two &lt;b&gt;: stressed"


def test_each_regime_is_once_in_the_legend_calmest_first() -> None:
    for figure in (price_and_labels(LEVEL, LABELS), label_probabilities(LABELS)):
        shown = [t for t in figure.data if t.showlegend and t.legendgroup]
        ordered = sorted(shown, key=lambda trace: trace.legendrank)
        assert [trace.name for trace in ordered] == ["calm", "middle", "stressed"]


def test_no_flicker_is_lost_in_thirty_years() -> None:
    bars = 3 * MAX_POINTS
    dates = pd.bdate_range("1990-01-01", periods=bars, name="date")
    states = "0" * 100 + "1" + "0" * (bars - 101)
    table = labels_of(states, ("calm", "stressed"), dates)
    figure = price_and_labels(pd.Series(1.0, index=dates), {"a": table})
    stressed = next(trace for trace in figure.data if trace.name == "stressed")
    assert list(stressed.x) == [f"{dates[100]:%Y-%m-%d}"] * 2 + [f"{dates[101]:%Y-%m-%d}"] * 2
    assert len(figure.to_json()) < 300_000
    drawn = label_probabilities({"a": table})
    assert max(drawn.data[1].y) == pytest.approx(1 / 3, abs=1e-3)
    assert len(drawn.data[1].y) <= MAX_POINTS


def test_probabilities_fill_their_rows() -> None:
    figure = label_probabilities({"two": LABELS["two_<b>"].reset_index()})
    is_plain(figure)
    total = np.sum([trace.y for trace in figure.data], axis=0)
    np.testing.assert_allclose(total, 1.0)
    assert figure.layout.annotations[0].text == "two"


def test_nothing_to_draw_is_an_error_or_said() -> None:
    with pytest.raises(DataError, match="no labels to draw"):
        price_and_labels(LEVEL, {})
    with pytest.raises(DataError, match="no labels to draw"):
        label_probabilities({})
    with pytest.raises(DataError, match="must be positive") as caught:
        price_and_labels(LEVEL - 120.0, LABELS)
    assert caught.value.date == DATES[0]
    empty = pd.DataFrame(columns=["labeller", "other", "same", "kappa", "adjusted_rand"])
    assert "Two labellers" in label_agreement(empty).layout.annotations[0].text
    none = pd.DataFrame({"labeller": ["a"], "regime": ["calm"], "mean": [np.nan]})
    assert "No regime" in label_separation(none, horizon=21).layout.annotations[0].text
    still = pd.DataFrame({"labeller": [], "min_spell": [], "outcome": [], "delay": []})
    assert "no switch" in label_delays(still).layout.annotations[0].text


def test_agreement_is_symmetric_and_says_what_it_knows() -> None:
    pairs = pd.DataFrame(
        {
            "labeller": ["a", "a", "b"],
            "other": ["b", "c", "c"],
            "same": [0.9, np.nan, np.nan],
            "kappa": [0.75, np.nan, np.nan],
            "adjusted_rand": [0.6, 0.3, -0.1],
        }
    )
    figure = label_agreement(pairs)
    is_plain(figure)
    (heat,) = figure.data
    assert [list(row) for row in heat.z] == [[None, 0.6, 0.3], [0.6, None, -0.1], [0.3, -0.1, None]]
    assert heat.text[0][1] == "<b>0.60</b><br>90 % the same<br>κ 0.75"
    assert heat.text[2][0] == "<b>0.30</b>"
    assert heat.text[0][0] == ""


def test_separation_draws_means_and_the_intervals_there_are() -> None:
    table = pd.DataFrame(
        {
            "labeller": ["a", "a", "a", "a"],
            "regime": ["calm", "stressed"] * 2,
            "outcome": ["volatility"] * 2 + ["return"] * 2,
            "mean": [0.1, 0.25, 0.005, 0.004],
            "low": [0.08, np.nan, 0.001, np.nan],
            "high": [0.13, np.nan, 0.009, np.nan],
        }
    )
    figure = label_separation(table, horizon=10)
    is_plain(figure)
    calm, stressed = figure.data[:2]
    assert list(calm.x) == [10.0]
    assert list(calm.error_x.array) == [3.0]
    assert list(calm.error_x.arrayminus) == [2.0]
    assert calm.y[0] > stressed.y[0]
    assert stressed.error_x.visible is False
    assert stressed.marker.symbol == "circle-open"
    assert "10 bars" in figure.layout.xaxis2.title.text
    assert [trace.showlegend for trace in figure.data] == [True, True, False, False]


def test_delays_are_shares_of_the_switches_that_can_be_judged() -> None:
    table = pd.DataFrame(
        {
            "labeller": "a",
            "min_spell": [1, 1, 1, 1, 1, 21],
            "outcome": ["found", "found", "found", "missed", "open", "found"],
            "delay": [0.0, 3.0, 50.0, np.nan, np.nan, 3.0],
        }
    )
    figure = label_delays(table)
    is_plain(figure)
    every, lasting = figure.data
    assert dict(zip(every.x, every.y, strict=True)) == {
        "0": 25.0, "1": 0.0, "2 to 3": 25.0, "4 to 5": 0.0, "6 to 10": 0.0, "11 to 20": 0.0,
        "21 to 40": 0.0, "41 or more": 25.0, "missed": 25.0,
    }  # fmt: skip
    assert lasting.y[2] == 100.0
    assert "21 bars or more" in lasting.name
    assert figure.layout.yaxis.title.text == "% of switches"
