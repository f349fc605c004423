from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.report.figures_calibration import (
    reliability,
    seed_spread,
    spread_calibration,
)


def test_spread_over_time_and_against_each_other(spreads: pd.DataFrame) -> None:
    figure = spread_calibration(spreads)
    gru = spreads[spreads["forecaster"] == "gru"]
    line, cloud = (trace for trace in figure.data if trace.name == "GRU")
    assert list(line.y) == pytest.approx(gru["predicted_spread"].tolist(), rel=1e-4)
    assert list(cloud.x) == list(line.y)
    assert list(cloud.y) == pytest.approx(gru["realised_spread"].tolist(), rel=1e-4)
    realised = figure.data[0]
    assert realised.name == "Realised"
    assert len(realised.x) == gru["date"].nunique()


def test_diagonal_is_where_predicted_equals_realised(
    spreads: pd.DataFrame, bins: pd.DataFrame
) -> None:
    for figure in (spread_calibration(spreads), reliability(bins)):
        (diagonal,) = (trace for trace in figure.data if trace.name == "Predicted = realised")
        assert diagonal.x == diagonal.y
        assert diagonal.x[1] > diagonal.x[0]


def test_reliability_is_in_order_of_the_forecast(bins: pd.DataFrame) -> None:
    shuffled = bins.sample(frac=1.0, random_state=3)
    (line,) = (trace for trace in reliability(shuffled).data if trace.name == "GARCH")
    assert list(line.x) == sorted(line.x)
    expected = bins[bins["forecaster"] == "garch"]["realised"].tolist()
    assert list(line.y) == pytest.approx(expected, rel=1e-4)


def test_bars_reach_from_low_to_high(bins: pd.DataFrame) -> None:
    (plain,) = (trace for trace in reliability(bins).data if trace.name == "GRU")
    assert plain.error_y.array is None
    known = bins.assign(low=bins["realised"] - 0.004, high=bins["realised"] + 0.001)
    known.loc[known["bin"] == 9, ["low", "high"]] = np.nan
    (line,) = (trace for trace in reliability(known).data if trace.name == "GRU")
    assert list(line.error_y.arrayminus)[:9] == pytest.approx([0.004] * 9, rel=1e-3)
    assert list(line.error_y.array)[:9] == pytest.approx([0.001] * 9, rel=1e-3)
    assert line.error_y.array[9] is None


def test_larger_bins_have_larger_dots() -> None:
    table = pd.DataFrame(
        {
            "forecaster": "gru",
            "bin": [0, 1],
            "predicted": [0.0, 0.1],
            "realised": [0.0, 0.1],
            "count": [10, 400],
        }
    )
    line = next(trace for trace in reliability(table).data if trace.name == "GRU")
    assert line.marker.size[0] < line.marker.size[1]
    assert list(line.customdata) == [10, 400]


def test_seed_spread_leaves_out_forecasters_without_seeds(seed_spreads: pd.DataFrame) -> None:
    garch = seed_spreads[seed_spreads["forecaster"] == "gru"].assign(
        forecaster="garch", seed_spread=np.nan
    )
    figure = seed_spread(pd.concat([seed_spreads, garch]))
    assert {trace.name for trace in figure.data} == {"RegimeNAS", "GRU", "Transformer"}
    assert "% log return" in figure.layout.yaxis.title.text


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (spread_calibration, "No spread"),
        (reliability, "No forecasts"),
        (seed_spread, "No forecaster"),
    ],
)
def test_nothing_to_draw_is_said(draw: object, message: str) -> None:
    assert callable(draw)
    columns = ["date", "forecaster", "bin", "predicted", "realised", "count", "seed_spread"]
    figure = draw(pd.DataFrame(columns=columns))
    assert message in figure.layout.annotations[0].text
