from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.report.figures_attention import (
    attention_beside_importance,
    attention_heat_maps,
    cls_attention,
    feature_importance,
)


def test_every_head_has_a_panel_with_its_own_weights() -> None:
    weights = np.random.default_rng(0).dirichlet(np.ones(5), size=(2, 3, 5))
    figure = attention_heat_maps(weights)
    assert len(figure.data) == 6
    np.testing.assert_allclose(figure.data[4].z, weights[1, 1], rtol=5e-3)
    assert {panel.zmax for panel in figure.data} == {figure.data[0].zmax}
    assert [title.text for title in figure.layout.annotations][4] == "Layer 2, head 2"
    assert [panel.showscale for panel in figure.data] == [True] + [False] * 5
    with pytest.raises(DataError, match="must be"):
        attention_heat_maps(weights[0])


def test_the_cls_token_itself_is_no_bar() -> None:
    rows = [
        (layer, head, lag, 0.1 * head + 0.01 * lag, 0.0, 1.0)
        for layer in (1, 2)
        for head in (1, 2)
        for lag in (-1, 0, 1, 2)
    ]
    cls = pd.DataFrame(rows, columns=["layer", "head", "lag", "weight", "low", "high"])
    figure = cls_attention(cls.iloc[::-1])
    lines = [trace for trace in figure.data if trace.name]
    assert [(line.name, line.yaxis) for line in lines] == [
        ("Head 1", "y"),
        ("Head 2", "y"),
        ("Head 1", "y2"),
        ("Head 2", "y2"),
    ]
    assert list(lines[1].x) == [0, 1, 2]
    assert list(lines[1].y) == pytest.approx([0.2, 0.21, 0.22])
    # Three bars and the token itself: a quarter each.
    assert figure.layout.shapes[0].y0 == 0.25
    blank = cls.assign(low=np.nan, high=np.nan)
    assert len(cls_attention(blank).data) == 4
    assert cls_attention(cls[cls["lag"] < 0]).layout.annotations[0].text.startswith("There is no")


def blocks(**columns: object) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "first_lag": [0, 5],
            "last_lag": [4, 7],
            "importance": [0.2, -0.1],
            "low": [0.1, -0.3],
            "high": [0.4, 0.1],
            "attention": [0.02, 0.03],
            "attention_low": [0.01, 0.02],
            "attention_high": [0.03, 0.05],
        }
    )
    return table.assign(**columns)


def test_attention_stands_above_importance_oldest_bars_first() -> None:
    looks, needs = attention_beside_importance(blocks()).data
    assert list(looks.x) == list(needs.x) == ["5-7", "0-4"]
    assert list(looks.y) == [0.03, 0.02]
    assert list(needs.y) == [-0.1, 0.2]
    assert list(needs.error_y.array) == pytest.approx([0.2, 0.2])
    assert list(needs.error_y.arrayminus) == pytest.approx([0.2, 0.1])
    bare = attention_beside_importance(blocks(low=np.nan, high=np.nan)).data[1]
    assert not bare.error_y.visible
    assert attention_beside_importance(blocks().iloc[:0]).layout.height == 180


def test_features_are_shares_of_the_loss_largest_on_top() -> None:
    features = pd.DataFrame(
        {
            "feature": ["ma_ratio", "<rsi>"],
            "importance": [0.5, -0.1],
            "low": [0.4, -0.2],
            "high": [0.7, 0.0],
        }
    )
    (bars,) = feature_importance(features, 2.0).data
    assert list(bars.y) == ["&lt;rsi&gt;", "ma ratio"]
    assert list(bars.x) == [-0.05, 0.25]
    assert list(bars.error_x.array) == pytest.approx([0.05, 0.1])
    with pytest.raises(DataError, match="must be positive"):
        feature_importance(features, 0.0)
    assert feature_importance(features.iloc[:0], 1.0).layout.height == 180
