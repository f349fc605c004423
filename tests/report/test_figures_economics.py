from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.report.figures_economics import attribution_steps, sharpe_by_cost

PARTS = ("selection", "fallback", "costs")


@pytest.fixture
def curve() -> pd.DataFrame:
    """Momentum falls from 1 by 0.02 per basis point, equal weight stays at 0.5."""
    costs = [0.0, 10.0, 20.0, 40.0]
    momentum = pd.DataFrame(
        {"cost_bps": costs, "strategy": "momentum", "sharpe": [1.0, 0.8, 0.6, 0.2]}
    )
    flat = pd.DataFrame({"cost_bps": costs, "strategy": "equal_weight", "sharpe": 0.5})
    return pd.concat([momentum, flat], ignore_index=True)


@pytest.fixture
def break_even() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "strategy": ["momentum", "gru", "garch"],
            "reference": "equal_weight",
            "break_even_bps": [25.0, np.nan, 300.0],
        }
    )


def _rings(figure: go.Figure) -> list[Any]:
    return [trace for trace in figure.data if "text" in (trace.mode or "")]


def test_break_even_is_ringed_where_the_two_lines_cross(
    curve: pd.DataFrame, break_even: pd.DataFrame
) -> None:
    (ring,) = _rings(sharpe_by_cost(curve, break_even))
    assert (ring.x, ring.y, ring.text) == ((25.0,), (0.5,), ("25 bp",))
    # The same height as the strategy's own line there.
    momentum = curve[curve["strategy"] == "momentum"]
    own = np.interp(25.0, momentum["cost_bps"], momentum["sharpe"])
    assert ring.y[0] == pytest.approx(own)


def test_the_reference_is_the_widest_line_and_named_as_such(
    curve: pd.DataFrame, break_even: pd.DataFrame
) -> None:
    lines = {t.name: t for t in sharpe_by_cost(curve, break_even).data if t.mode == "lines"}
    assert set(lines) == {"Momentum", "Equal weight (to beat)"}
    assert lines["Equal weight (to beat)"].line.width > lines["Momentum"].line.width
    assert list(lines["Momentum"].y) == [1.0, 0.8, 0.6, 0.2]


def test_one_legend_entry_for_all_rings_and_none_without_rings(
    curve: pd.DataFrame, break_even: pd.DataFrame
) -> None:
    def entries(figure: go.Figure) -> list[str]:
        return [t.name for t in figure.data if t.name == "Break-even" and t.showlegend is None]

    both = break_even.assign(break_even_bps=[25.0, 5.0, 300.0])
    assert len(_rings(sharpe_by_cost(curve, both))) == 2
    assert entries(sharpe_by_cost(curve, both)) == ["Break-even"]
    none = break_even.assign(break_even_bps=np.nan)
    assert entries(sharpe_by_cost(curve, none)) == []


def test_the_cost_of_the_run_is_marked_only_where_it_is_drawn(
    curve: pd.DataFrame, break_even: pd.DataFrame
) -> None:
    (line,) = sharpe_by_cost(curve, break_even, cost_bps=5.0).layout.shapes
    assert line.x0 == line.x1 == 5.0
    assert not sharpe_by_cost(curve, break_even, cost_bps=50.0).layout.shapes


def test_undefined_ratios_are_gaps(curve: pd.DataFrame, break_even: pd.DataFrame) -> None:
    curve.loc[1, "sharpe"] = np.nan
    line = next(t for t in sharpe_by_cost(curve, break_even).data if t.name == "Momentum")
    assert list(line.y) == [1.0, None, 0.6, 0.2]


def _steps(figure: go.Figure) -> tuple[np.ndarray, np.ndarray]:
    """Starts and heights of the bars, steps x forecasters."""
    starts = np.array([trace.base for trace in figure.data], dtype=float)
    return starts, np.array([trace.y for trace in figure.data], dtype=float)


def test_every_step_starts_where_the_one_before_ended(
    attribution: dict[str, pd.DataFrame],
) -> None:
    total = attribution["attribution"]
    starts, heights = _steps(attribution_steps(total))
    assert starts.shape == (4, len(total))
    np.testing.assert_allclose(starts[0], 0.0)
    np.testing.assert_allclose(starts[1:3], (starts + heights)[:2], atol=1e-6)
    # The fourth bar is the whole: from zero to where the third ended.
    np.testing.assert_allclose(starts[3], 0.0)
    np.testing.assert_allclose(heights[3], (starts + heights)[2], atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-0.5, 0.5)] * 3), min_size=1, max_size=4))
def test_steps_add_up_whatever_their_signs(parts: list[tuple[float, float, float]]) -> None:
    total = pd.DataFrame(parts, columns=list(PARTS))
    total["strategy"] = [f"forecaster {number}" for number in range(len(parts))]
    total["reference"] = "mvo_flat"
    total["difference"] = total[list(PARTS)].sum(axis=1)
    starts, heights = _steps(attribution_steps(total))
    np.testing.assert_allclose(starts[2] + heights[2], heights[3], atol=2e-4)


def test_forecasters_stand_in_the_usual_order_with_readable_hovers(
    attribution: dict[str, pd.DataFrame],
) -> None:
    shuffled = attribution["attribution"].iloc[::-1]
    first = attribution_steps(shuffled).data[0]
    assert first.x == ("RegimeNAS", "GRU", "Transformer", "GARCH", "Momentum")
    selection = attribution["attribution"].set_index("strategy")["selection"]["gru"]
    assert first.y[1] == pytest.approx(selection, rel=1e-4)
    assert first.customdata[1] == f"{100 * selection:+.2f} % a year"


def test_hostile_names_are_text_in_every_label(curve: pd.DataFrame) -> None:
    evil = "<a href='x'>y</a>"
    renamed = curve.replace({"strategy": {"momentum": evil}})
    rows = pd.DataFrame({"strategy": [evil], "reference": "equal_weight", "break_even_bps": [25.0]})
    parts = rows.assign(selection=0.1, fallback=0.0, costs=0.0, difference=0.1)
    for figure in (sharpe_by_cost(renamed, rows), attribution_steps(parts)):
        assert "<a" not in figure.to_json()
        assert "&lt;a" in figure.to_json()


def test_nothing_to_draw_says_so() -> None:
    none = pd.DataFrame()
    for figure in (sharpe_by_cost(none, none), attribution_steps(none)):
        assert "in this run" in figure.layout.annotations[0].text
