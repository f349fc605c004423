"""What holds for every figure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from regime_nas_pipeline.report import figures

NAMES = tuple(figures.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_figure_is_small_plain_json(all_figures: dict[str, Any], name: str) -> None:
    text = all_figures[name].to_json()
    assert len(text) < 1_500_000
    assert "bdata" not in text
    assert "NaN" not in text
    json.loads(text)


@pytest.mark.parametrize("name", NAMES)
def test_figure_has_title_and_legend(all_figures: dict[str, Any], name: str) -> None:
    figure = all_figures[name]
    assert figure.layout.title.text
    shown = [trace for trace in figure.data if trace.showlegend is not False]
    assert figure.layout.showlegend
    assert shown
    assert all(trace.name for trace in shown)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "architecture"])
def test_visible_axes_are_named(all_figures: dict[str, Any], name: str) -> None:
    layout = all_figures[name].to_plotly_json()["layout"]
    axes = {key: value for key, value in layout.items() if key[1:5] == "axis"}
    named = [axis["title"]["text"] for axis in axes.values() if axis["title"]["text"]]
    assert any(key.startswith("x") for key in axes)
    # A pair at least; panels that share an axis name it once.
    assert len(named) >= 2
