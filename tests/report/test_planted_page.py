from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from regime_nas_pipeline.report.figures_planted import control_strips, efficiency_strips
from regime_nas_pipeline.report.figures_planted_paths import (
    architecture_of_track,
    regimes_over_time,
    search_by_track,
)
from regime_nas_pipeline.report.planted_page import render_planted_report
from regime_nas_pipeline.report.planted_words import (
    SECTIONS,
    closing_line,
    headline,
    limits,
    sections,
)

TWO_LINES = 140
"""Characters of a headline that fit on two lines of a page 1,200 pixels wide."""

SEEDS = {
    "regime_nas": [0.5, 0.6, 0.7],
    "mlp": [0.3, 0.4, 0.6],
    "gru": [0.6, 0.8, 0.9],
    "linear": [0.4, 0.7, 0.1],
    "uniform_gate": [0.2, 0.3, 0.4],
    "oracle": [1.0, 1.0, 1.0],
}
BLOCKS = {
    name: [{"node": 1, "edges": [{"from": "input", "operation": operation}]}]
    for name, operation in (
        ("evidence", "lag_product"),
        ("volatility", "squared"),
        ("trend", "identity"),
        ("range", "identity"),
    )
}


def with_median(values: list[float]) -> dict[str, Any]:
    return {"median": float(np.median(values)), "seeds": values}


def margin(name: str) -> dict[str, Any]:
    values = [a - b for a, b in zip(SEEDS["regime_nas"], SEEDS[name], strict=True)]
    better = sum(value > 0 for value in values)
    return {**with_median(values), "range": [min(values), max(values)], "n_better": better}


@pytest.fixture
def summary() -> dict[str, Any]:
    others = [name for name in SEEDS if name not in {"regime_nas", "oracle"}]
    measures = dict.fromkeys(("mae", "rmse", "theil_u", "rank_ic", "spread_ratio", "r2"), 0.5)
    costs = {"epochs": 2.0, "gradient_samples": 9, "search_samples": 8, "seconds": 1.0}
    band = {"r2": [0.01, -0.03], "low": [-0.02] * 2, "high": [0.005] * 2, "p_value": [0.01, 0.9]}
    control = {
        "raw": {
            "regime_nas": {
                "r2": with_median([0.01, -0.03]),
                "minus_linear": with_median([0.0, -0.01]),
                "chance_band": band,
            },
            "linear": {"r2": with_median([0.0, 0.0])},
        }
    }
    return {
        "run": {
            "env": "planted",
            "git_sha": "abc",
            "seed": 1,
            "data_sha256": "d0",
            "started": "2026-01-01",
            "seconds": {"planted": 3.0},
            "versions": {"torch": "2"},
        },
        "sample": {
            "seeds": [1, 2, 3],
            "n_assets": 4,
            "fit_bars": 60,
            "scored_bars": 20,
            "budget": 7,
        },
        "forecasts": {"raw": {name: {**measures, **costs} for name in SEEDS}},
        "oracle_efficiency": {"raw": {name: with_median(v) for name, v in SEEDS.items()}},
        "paired_margins": {"raw": {name: margin(name) for name in others}},
        "regime_recovery": {
            "raw": {
                "regime_nas": with_median([0.8]),
                "oracle": with_median([0.9]),
                "commonest_state": with_median([0.4]),
            }
        },
        "no_regime": control,
        "martingale": copy.deepcopy(control),
    }


@pytest.fixture
def found() -> dict[str, Any]:
    parameters = {"blocks": BLOCKS, "width": 8, "head": "gru"}
    entry = {"parameters": parameters, "search": {}}
    return {"raw": {"regime_nas": {"1": entry, "2": entry}}}


@pytest.fixture
def regimes() -> pd.DataFrame:
    table = pd.DataFrame({"track": "raw", "bar": range(60, 80), "state": [0, 1] * 10})
    for name in ("trend", "range", "volatile"):
        table[f"oracle.{name}"] = 1 / 3
    for number, name in enumerate(("volatility", "trend", "range")):
        table[f"gate.{name}"] = 0.2 + 0.1 * number
    return table


@pytest.fixture
def trials() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "forecaster": ["mlp", "mlp", "mlp"],
            "track": "raw",
            "seed_of_market": [1, 1, 2],
            "number": [1, 0, 0],
            "score": [0.95, 0.9, 1.1],
            "budget_spent": [10, 20, 30],
        }
    )


@pytest.fixture
def figures(
    summary: dict[str, Any], found: dict[str, Any], regimes: pd.DataFrame, trials: pd.DataFrame
) -> dict[str, go.Figure]:
    return {
        "planted_efficiency": efficiency_strips(summary["oracle_efficiency"]),
        "planted_regimes": regimes_over_time(regimes),
        "planted_architecture_engineered": architecture_of_track(found, "engineered"),
        "planted_architecture_raw": architecture_of_track(found, "raw"),
        "planted_search": search_by_track(trials),
        "planted_controls": control_strips(summary["no_regime"], summary["martingale"]),
    }


def efficiency_words(summary: dict[str, Any]) -> str:
    return next(each for each in sections(summary) if each.key == "efficiency").explanation


def test_the_headline_is_what_was_reached_beside_the_best_other(summary: dict[str, Any]) -> None:
    assert headline(summary) == (
        "Share of the best possible R²: from returns alone RegimeNAS 0.60, GRU 0.80."
    )
    table = summary["oracle_efficiency"]["raw"]
    for name in ("mlp", "gru", "linear"):
        table[name]["median"] = None
    assert headline(summary) == (
        "Share of the best possible R²: from returns alone RegimeNAS 0.60."
    )


def test_the_headline_of_two_tracks_fits_two_lines(summary: dict[str, Any]) -> None:
    summary["oracle_efficiency"]["engineered"] = summary["oracle_efficiency"]["raw"]
    assert len(headline(summary)) <= TWO_LINES


def test_the_chapter_says_who_is_ahead_on_every_market(summary: dict[str, Any]) -> None:
    words = efficiency_words(summary)
    assert "From returns alone, RegimeNAS was ahead of MLP and RegimeNAS with equal" in words
    assert "with equal blocks and behind GRU on every market; beside Linear it was now" in words
    controls = next(each for each in sections(summary) if each.key == "controls").explanation
    assert "1 of 2 without regimes and 1 of 2 on martingales lay above" in controls


def test_the_chapter_says_so_where_regime_nas_loses_everywhere(summary: dict[str, Any]) -> None:
    for margins in summary["paired_margins"]["raw"].values():
        margins["range"] = [-0.4, -0.1]
    words = efficiency_words(summary)
    assert "RegimeNAS was behind MLP, GRU, Linear and RegimeNAS with equal" in words
    assert "ahead" not in words
    for margins in summary["paired_margins"]["raw"].values():
        margins["range"] = [-0.4, 0.1]
    assert "equal blocks RegimeNAS was now ahead, now behind" in efficiency_words(summary)


def test_the_gate_is_said_to_help_only_where_it_does_on_every_market(
    summary: dict[str, Any],
) -> None:
    assert "the gate helped on every market: +0.30" in efficiency_words(summary)
    gate = summary["paired_margins"]["raw"]["uniform_gate"]
    gate["range"] = [-0.1, 0.2]
    assert "the gate made no difference that all markets share" in efficiency_words(summary)
    gate["range"] = [-0.3, -0.2]
    assert "the gate did harm on every market" in efficiency_words(summary)


def test_the_closing_line_names_the_best_other_forecaster(summary: dict[str, Any]) -> None:
    line = closing_line(summary)
    assert "0.60 from returns alone (best other: GRU with 0.80)" in line
    assert "\n" not in line


def test_limits_say_how_much_luck_so_few_markets_leave(summary: dict[str, Any]) -> None:
    assert "probability of 0.25" in limits(summary)[0]


def test_the_page_is_whole_and_loads_nothing(
    summary: dict[str, Any], found: dict[str, Any], figures: dict[str, go.Figure]
) -> None:
    page = render_planted_report(summary, found, figures)
    for section in SECTIONS[:-1]:
        assert f'id="{section.key}"' in page
    assert "Not part of this run" not in page
    for name in figures:
        assert f'id="figure-{name}"' in page
    own = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", own)
    assert "<strong>Keep in mind.</strong>" in own
    assert "lag product 2" in own


def test_dots_are_the_markets_and_the_bar_is_their_median(summary: dict[str, Any]) -> None:
    figure = efficiency_strips(summary["oracle_efficiency"])
    dots = [trace for trace in figure.data if trace.name == "MLP"]
    assert list(dots[0].x) == [0.3, 0.4, 0.6]
    assert list(dots[1].x) == [0.4]
    assert not [trace for trace in figure.data if trace.name == "Hamilton filter"]


def test_true_states_are_a_ribbon_and_gates_are_lines(regimes: pd.DataFrame) -> None:
    figure = regimes_over_time(regimes)
    truth = [trace for trace in figure.data if trace.stackgroup == "states 1"]
    assert [list(trace.y)[:2] for trace in truth] == [[1, 0], [0, 1], [0, 0]]
    gates = [trace for trace in figure.data if str(trace.name).startswith("Gate")]
    assert [trace.y[0] for trace in gates] == pytest.approx([0.2, 0.3, 0.4])


def test_blank_gates_are_gaps(regimes: pd.DataFrame) -> None:
    regimes["gate.trend"] = np.nan
    figure = regimes_over_time(regimes)
    trend = next(trace for trace in figure.data if trace.name == "Gate: trend block")
    assert set(trend.y) == {None}


def test_search_lines_go_down_in_the_order_tried(trials: pd.DataFrame) -> None:
    lines = search_by_track(trials).data
    assert [list(line.x) for line in lines] == [[20, 30], [30]]
    assert [list(line.y) for line in lines] == [[0.9, 0.9], [1.1]]


def test_a_track_that_was_not_searched_says_so(found: dict[str, Any]) -> None:
    figure = architecture_of_track(found, "engineered")
    assert "Nothing was searched" in figure.layout.annotations[0].text
    assert "market 1" in architecture_of_track(found, "raw").layout.title.text
    empty = pd.DataFrame(columns=["forecaster", "track", "seed_of_market"])
    assert "No search" in search_by_track(empty).layout.annotations[0].text


def test_control_bars_span_every_markets_band(summary: dict[str, Any]) -> None:
    band = summary["martingale"]["raw"]["regime_nas"]["chance_band"]
    band["low"], band["high"] = [-0.02, -0.05], [0.005, 0.02]
    figure = control_strips(summary["no_regime"], summary["martingale"])
    bars = [trace for trace in figure.data if trace.mode == "lines" and trace.line.width == 14]
    assert [list(bar.x) for bar in bars] == [[-0.02, 0.005], [-0.05, 0.02]]
