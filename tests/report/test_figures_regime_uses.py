from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from regime_uses_fixtures import STRATEGIES, comparison

from regime_nas_pipeline.report.figures_regime_uses import regime_use_differences


def dots(figure: Any) -> list[tuple[str, int, float, float, float, str]]:
    """Panel, row of the axis, difference, low, high and symbol of every dot."""
    return [
        (trace.xaxis, round(y), x, x - down, x + up, symbol)
        for trace in figure.data
        if trace.error_x.array is not None
        for x, y, up, down, symbol in zip(
            trace.x,
            trace.y,
            trace.error_x.array,
            trace.error_x.arrayminus,
            trace.marker.symbol,
            strict=True,
        )
    ]


def test_every_difference_is_a_dot_in_its_panel_and_row() -> None:
    rows = comparison()
    figure = regime_use_differences(rows)
    found = dots(figure)
    # The control of the overlay stands in both of its panels.
    assert len(found) == len(rows) + len(STRATEGIES)
    titles = [each.text for each in figure.layout.annotations]
    assert titles == [
        "Overlay by the most probable regime",
        "Overlay by the probabilities",
        "Covariance of the regime",
        "Labels teach the detector",
    ]
    assert list(figure.layout.yaxis.ticktext) == ["K-means", "Hidden Markov model", "Control"]
    covariance = rows[rows["use"] == "covariance"]
    own = [dot for dot in found if dot[0] == "x3"]
    by_value = {round(x, 4): (row, low, high) for _, row, x, low, high, _ in own}
    for row in covariance.to_dict("records"):
        place, low, high = by_value[round(row["difference"], 4)]
        assert place == ["kmeans", "markov"].index(row["labels"])
        assert (low, high) == pytest.approx((row["low"], row["high"]), abs=1e-4)
    control = {row for panel, row, *_ in found if panel == "x4"}
    assert control == {0, 1, 2}


def test_only_what_can_be_claimed_is_a_full_dot() -> None:
    rows = comparison()
    full = [x for _, _, x, _, _, symbol in dots(regime_use_differences(rows)) if symbol == "circle"]
    claimed = rows.loc[rows["effect"] == "better", "difference"]
    assert full == pytest.approx(claimed.tolist(), abs=1e-4)


def test_rows_do_not_overlap_and_every_strategy_is_in_the_legend() -> None:
    figure = regime_use_differences(comparison())
    places = [y for trace in figure.data if trace.xaxis == "x" for y in trace.y if y is not None]
    distances = np.abs(np.array(places) - np.round(places))
    assert distances.max() < 0.5
    legend = {trace.name for trace in figure.data if trace.showlegend is not False}
    assert legend == {"RegimeNAS", "Momentum", "Minimum variance"}


def test_a_use_alone_and_nothing_at_all() -> None:
    rows = comparison()
    alone = regime_use_differences(rows[rows["use"] == "covariance"], level=0.9)
    assert len(dots(alone)) == 6
    assert "90 %" in alone.layout.title.text
    nothing = regime_use_differences(rows.iloc[:0])
    assert "No use of labels" in nothing.layout.annotations[0].text
