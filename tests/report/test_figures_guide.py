from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.report.figures_guide import fold_sharpes, threshold_curves
from regime_nas_pipeline.report.theme import strategy_style


@pytest.fixture
def folds() -> pd.DataFrame:
    starts = pd.to_datetime(["2010-01-04", "2010-07-05", "2011-01-03"])
    rows = [
        (name, number, start, value + number, value + number - 2, value + number + 3, n, 4)
        for name, value in (("ridge", 0.5), ("transformer", -0.5), ("buy_and_hold", 1.0))
        for number, (start, n) in enumerate(zip(starts, (126, 126, 9), strict=True))
    ]
    columns = ["model", "fold", "first_bar", "sharpe_net", "low", "high", "n", "trades"]
    table = pd.DataFrame(rows, columns=columns)
    table.loc[table["n"] == 9, ["low", "high"]] = [-50.0, 50.0]
    return table


def test_every_model_has_a_panel_with_buy_and_hold_beside_it(folds: pd.DataFrame) -> None:
    figure = fold_sharpes(folds, (-1.63, 1.77))
    by_panel = [(trace.name, trace.yaxis) for trace in figure.data]
    held = strategy_style("buy_and_hold").label
    assert by_panel == [(held, "y"), ("Transformer", "y"), (held, "y2"), ("Ridge", "y2")]
    own = figure.data[1]
    assert list(own.x) == ["2010-01-04", "2010-07-05", "2011-01-03"]
    assert list(own.y) == [-0.5, 0.5, 1.5]
    assert list(own.error_y.array)[:2] == [3.0, 3.0]
    assert list(own.error_y.arrayminus)[:2] == [2.0, 2.0]
    bands = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert {(band.y0, band.y1) for band in bands} == {(-1.63, 1.77)}
    # The short last fold's interval does not set the scale.
    low, high = figure.layout.yaxis.range
    assert -3.5 < low < -2.5
    assert 5.0 < high < 6.0


def test_a_fold_without_a_ratio_is_a_gap(folds: pd.DataFrame) -> None:
    folds.loc[folds["model"] == "ridge", ["sharpe_net", "low", "high"]] = np.nan
    figure = fold_sharpes(folds)
    assert list(figure.data[3].y) == [None, None, None]
    assert not [shape for shape in figure.layout.shapes if shape.type == "rect"]


def test_without_models_or_reference(folds: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="buy and hold"):
        fold_sharpes(folds[folds["model"] != "buy_and_hold"])
    assert fold_sharpes(folds[folds["model"] == "buy_and_hold"]).layout.height == 180


def test_the_lead_and_the_time_held_share_the_thresholds() -> None:
    curve = pd.DataFrame(
        {
            "model": ["ridge"] * 3,
            "threshold": [0.002, 0.0, 0.001],
            "ahead": [-0.02, 0.01, -0.01],
            "mean_exposure": [0.1, 0.7, 0.4],
        }
    )
    figure = threshold_curves(curve, 0.001)
    lead, held = figure.data
    assert list(lead.x) == list(held.x) == [0.0, 0.001, 0.002]
    assert list(lead.y) == [0.01, -0.01, -0.02]
    assert list(held.y) == [0.7, 0.4, 0.1]
    assert [shape.x0 for shape in figure.layout.shapes[:2]] == [0.001, 0.001]
    assert threshold_curves(curve.iloc[:0], 0.001).layout.height == 180
