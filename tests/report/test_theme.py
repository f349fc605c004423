from __future__ import annotations

import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.report import theme

KNOWN = (
    "regime_nas",
    "gru",
    "transformer",
    "garch",
    "momentum",
    "equal_weight",
    "mvo_flat",
    "buy_and_hold",
)


def test_each_known_strategy_has_its_own_colour() -> None:
    assert len({theme.strategy_style(name).colour for name in KNOWN}) == len(KNOWN)


def test_regime_nas_is_the_widest_line_and_references_are_dashed() -> None:
    styles = {name: theme.strategy_style(name) for name in KNOWN}
    widest = max(styles, key=lambda name: styles[name].width)
    assert widest == "regime_nas"
    assert {name for name, style in styles.items() if style.reference} == set(KNOWN[5:])
    assert all(style.dash != "solid" for style in styles.values() if style.reference)


def test_unknown_strategy_keeps_its_style_and_takes_no_known_colour() -> None:
    style = theme.strategy_style("extra_trees")
    assert style == theme.strategy_style("extra_trees")
    assert style.label == "extra trees"
    assert style.colour not in {theme.strategy_style(name).colour for name in KNOWN}


def test_unknown_name_is_escaped_for_plotly() -> None:
    assert theme.strategy_style("<b>x</b>").label == "&lt;b&gt;x&lt;/b&gt;"


def test_display_order_puts_new_forecasters_before_the_references() -> None:
    names = ["buy_and_hold", "zebra", "momentum", "regime_nas", "alpha", "momentum"]
    assert theme.in_display_order(names) == [
        "regime_nas",
        "momentum",
        "alpha",
        "zebra",
        "buy_and_hold",
    ]
    assert theme.in_drawing_order(names)[-1] == "regime_nas"


def test_significant_rounds_and_leaves_gaps() -> None:
    values = [1.234567, -0.000123456789, np.nan, np.inf, 0.0]
    assert theme.significant(values) == [1.2346, -0.00012346, None, None, 0.0]


@settings(max_examples=30, deadline=None)
@given(st.floats(min_value=1e-9, max_value=1e9))
def test_significant_keeps_five_digits(value: float) -> None:
    (rounded,) = theme.significant([value])
    assert rounded == pytest.approx(value, rel=5.1e-5)


def test_date_labels_keep_the_hour_of_intraday_bars() -> None:
    assert theme.date_labels(pd.DatetimeIndex(["2020-01-31"])) == ["2020-01-31"]
    hourly = pd.DatetimeIndex(["2020-01-31 00:00", "2020-01-31 04:00"])
    assert theme.date_labels(hourly) == ["2020-01-31 00:00:00", "2020-01-31 04:00:00"]


def test_thinned_keeps_the_lowest_value_and_the_last_date() -> None:
    dates = pd.date_range("1990-01-01", periods=3 * theme.MAX_POINTS + 2)
    table = pd.DataFrame({"a": np.linspace(0.0, 1.0, len(dates))}, index=dates)
    table.iloc[4321, 0] = -7.0
    lowest = theme.thinned(table, "min")
    assert len(lowest) <= theme.MAX_POINTS
    assert lowest["a"].min() == -7.0
    assert lowest.index[-1] == dates[-1]
    assert theme.thinned(table)["a"].iloc[-1] == 1.0
    pd.testing.assert_frame_equal(theme.thinned(table.iloc[:100]), table.iloc[:100])


def test_plain_writes_lists_and_nulls() -> None:
    grid = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    figure = go.Figure(
        [go.Scatter(x=np.arange(3), y=np.array([1.0, np.nan, 3.0])), go.Heatmap(z=grid)]
    )
    assert "bdata" in figure.to_json()
    written = json.loads(theme.plain(figure).to_json())
    assert written["data"][0]["x"] == [0, 1, 2]
    assert written["data"][0]["y"] == [1.0, None, 3.0]
    assert written["data"][1]["z"] == grid.tolist()


def test_empty_figure_says_why() -> None:
    figure = theme.empty_figure("Title", "Nothing was searched.")
    assert figure.layout.annotations[0].text == "Nothing was searched."
    assert figure.layout.title.text == "Title"


def test_tint_is_the_same_colour() -> None:
    assert theme.tint("#ff8000", 0.2) == "rgba(255,128,0,0.2)"
