from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.report.figures_exposure import exposure_ladder, exposure_over_time
from regime_nas_pipeline.report.theme import MAX_POINTS, strategy_style

LABELS = {"same_bar": "Own <bar>", "lagged": "After the lag", "online": "Known on the day"}


@pytest.fixture
def ladder() -> pd.DataFrame:
    rows = [
        (labeller, rung, strategy, value + shift)
        for labeller, shift in (("k-means", 0.0), ("jump", 0.1))
        for strategy, values in (("calm_only", (2.4, 0.6, 0.55)), ("buy_and_hold", (0.5, 0.5, 0.5)))
        for rung, value in zip(LABELS, values, strict=True)
    ]
    return pd.DataFrame(rows, columns=["labeller", "rung", "strategy", "sharpe_zero"])


def test_each_strategy_goes_down_the_rungs_in_their_order(ladder: pd.DataFrame) -> None:
    figure = exposure_ladder(ladder.iloc[::-1], LABELS)
    lines = {(t.yaxis, t.legendgroup): (list(t.x), list(t.y)) for t in figure.data}
    assert lines == {
        ("y", "calm_only"): ([2.5, 0.7, 0.65], [0, 1, 2]),
        ("y", "buy_and_hold"): ([0.6, 0.6, 0.6], [0, 1, 2]),
        ("y2", "calm_only"): ([2.4, 0.6, 0.55], [0, 1, 2]),
        ("y2", "buy_and_hold"): ([0.5, 0.5, 0.5], [0, 1, 2]),
    }
    titles = [title.text for title in figure.layout.annotations]
    assert titles == ["Labels of the jump model", "Labels of k-means"]
    assert list(figure.layout.yaxis.ticktext) == [
        "Own &lt;bar&gt;",
        "After the lag",
        "Known on the day",
    ]
    low, high = figure.layout.yaxis.range
    assert low > high  # the first rung is on top
    assert [t.showlegend for t in figure.data if t.legendgroup == "calm_only"].count(True) == 1


def test_published_figures_stand_below_the_rungs(ladder: pd.DataFrame) -> None:
    own = ladder[ladder["labeller"] == "jump"]
    figure = exposure_ladder(own, LABELS, published={"calm_only": 0.66, "levered": 0.74})
    (dot,) = [t for t in figure.data if t.name.endswith("published")]
    assert (list(dot.x), list(dot.y)) == ([0.66], [3])
    assert dot.marker.color == strategy_style("calm_only").colour
    assert figure.layout.yaxis.ticktext[-1] == "Published"


def test_the_measure_is_named(ladder: pd.DataFrame) -> None:
    grown = ladder.rename(columns={"sharpe_zero": "cagr"})
    figure = exposure_ladder(grown, LABELS, measure="cagr")
    assert figure.layout.xaxis2.title.text == "Growth (% a year)"
    with pytest.raises(DataError, match="no 'luck'"):
        exposure_ladder(ladder, LABELS, measure="luck")
    with pytest.raises(DataError, match="rung 'online'"):
        exposure_ladder(ladder, {"same_bar": "a", "lagged": "b"})
    assert "no strategy" in exposure_ladder(ladder.iloc[:0], LABELS).layout.annotations[0].text


def test_every_changing_exposure_has_a_panel() -> None:
    dates = pd.date_range("2010-01-01", periods=MAX_POINTS + 10)
    swings = np.where(np.arange(len(dates)) // 50 % 2, 1.5, 0.3)
    exposures = pd.DataFrame(
        {"levered": swings, "buy_and_hold": 1.0, "calm_only": (swings > 1) * 1.0}, index=dates
    )
    figure = exposure_over_time(exposures)
    assert [t.name for t in figure.data] == ["Calm only", "Levered"]
    assert all(len(t.x) <= MAX_POINTS for t in figure.data)
    assert set(figure.data[1].y) == {0.3, 1.5}
    assert figure.layout.yaxis2.range[1] >= 1.5
    assert figure.layout.yaxis.title.text == "Held (%)"
    still = exposure_over_time(exposures[["buy_and_hold"]])
    assert "No strategy" in still.layout.annotations[0].text
    with pytest.raises(DataError, match="every bar"):
        exposure_over_time(exposures.where(exposures > 0.5))
