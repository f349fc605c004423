from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.report.figures_comparison import (
    regret_curves,
    shortcut_scores,
    strategy_strips,
)


def scores() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "shortcut": ["less_data"] * 3 + ["surrogate"] * 3,
            "candidate": [0, 1, 2] * 2,
            "score": [1.0, 0.9, 0.8, 0.7, np.nan, 0.6],
            "full_score": [0.5, 0.4, 0.3] * 2,
        }
    )


def contest() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "bed": ["planted", "planted", "prices", "prices"],
            "seed": [0, 1, 0, 1],
            "strategy": "random",
            "score": 0.9,
            "r2": [0.01, 0.03, -0.02, np.nan],
            "r2_oracle": [0.1, 0.1, np.nan, np.nan],
        }
    )


def curves() -> pd.DataFrame:
    rows = [
        (landscape, strategy, n, regret / n)
        for landscape in (0, 1)
        for strategy, regret in (("random", 0.4 + landscape), ("evolutionary", 0.2))
        for n in (1, 2)
    ]
    return pd.DataFrame(rows, columns=["landscape", "strategy", "evaluations", "regret"])


def test_each_shortcut_has_a_panel_with_its_correlation() -> None:
    figure = shortcut_scores(scores(), {"less_data": 0.5, "surrogate": float("nan")})
    assert [each.text for each in figure.layout.annotations] == [
        "Less data: τ = 0.50",
        "Surrogate: τ undefined",
    ]
    assert list(figure.data[0].x) == [0.5, 0.4, 0.3]
    assert list(figure.data[1].y) == [0.7, None, 0.6]


def test_dots_are_seeds_and_bars_their_median() -> None:
    dots, bar, price_dots, price_bar = strategy_strips(contest()).data
    assert list(dots.x) == [1.0, 3.0]
    assert list(bar.x) == [2.0, 2.0]
    assert list(price_dots.x) == [-2.0, None]
    assert list(price_bar.x) == [-2.0, -2.0]
    assert (dots.xaxis, price_dots.xaxis) == ("x", "x2")


def test_the_thick_line_is_the_mean_over_landscapes() -> None:
    named = {
        trace.name: trace for trace in regret_curves(curves()).data if trace.showlegend is None
    }
    assert list(named["random, exact"].y) == pytest.approx([0.9, 0.45])
    assert list(named["evolutionary"].y) == pytest.approx([0.2, 0.1])
    thin = [trace for trace in regret_curves(curves()).data if trace.showlegend is False]
    assert len(thin) == 4


def test_nothing_to_draw_is_said() -> None:
    for figure in (
        shortcut_scores(scores().iloc[:0], {}),
        strategy_strips(contest().iloc[:0]),
        regret_curves(curves().iloc[:0]),
    ):
        assert figure.layout.annotations[0].text.startswith("No ")
