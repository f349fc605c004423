from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.report.figures_placebo import detection_curves, false_positive_rates
from regime_nas_pipeline.report.placebo_page import render_placebo, render_power
from regime_nas_pipeline.report.placebo_words import (
    placebo_closing_line,
    placebo_headline,
    power_closing_line,
    power_headline,
    title_of_test,
)
from regime_nas_pipeline.report.theme import new_figure

RUN = {"env": "placebo", "seed": 1, "seconds": {"placebo": 3.0}, "versions": {"numpy": "2.4"}}
PAIR = {"subject": "regime_nas", "against": "equal_weight"}


def found(verdict: str, count: int | None, **worst: Any) -> dict[str, Any]:
    rate = None if count is None else count / 200
    return {
        "verdict": verdict,
        "reason": "why",
        "sets": {"drawn": {"verdict": verdict, "reason": "why", "pairs": {verdict: 7}}},
        "worst": {
            "set": "drawn",
            **PAIR,
            "n_tested": 200 if count is not None else 0,
            "n_blank": 0,
            "n_rejected": count or 0,
            "rate": rate,
            "rate_low": rate,
            "rate_high": rate,
            "p_above": rate,
            "p_bonferroni": rate,
            "detectable_rate": None,
            **worst,
        },
    }


def verdicts(**tests: dict[str, Any]) -> dict[str, Any]:
    own = tests or {"ledoit_wolf": found("kept", 11), "spa_sharpe": found("withdrawn", 37)}
    sets = {"drawn": {"source": "bootstrap", "n_panels": 200, "seed": 20240501}}
    sets["drawn"] |= {"block_length": None, "drawn_from": {"assets": ["AAA", "BBB"], "nu": 5.0}}
    return {
        "run": RUN,
        "sample": {
            "first": "2015-01-02",
            "last": "2019-12-31",
            "n_bars": 1260,
            "oos_bars": 504,
            "n_assets": 2,
            "sets": sets,
        },
        "level": 0.05,
        "withdrawn": [name for name, one in own.items() if one["verdict"] == "withdrawn"],
        "tests": own,
    }


def rates() -> pd.DataFrame:
    rows = [
        {
            "set": name,
            "test": test,
            "subject": subject,
            "against": "equal_weight",
            "level": level,
            "n_tested": 200,
            "n_rejected": round(200 * level * factor),
            "rate": level * factor,
            "rate_low": level * factor / 2,
            "rate_high": level * factor * 2,
        }
        for name in ("drawn", "fitted")
        for test in ("ledoit_wolf", "spa_sharpe")
        for subject, factor in (("regime_nas", 2.0), ("gru", 0.5), ("<b>own</b>", 1.0))
        for level in (0.01, 0.05, 0.1)
    ]
    return pd.DataFrame(rows)


def power_rates() -> pd.DataFrame:
    rows = []
    for job, bars in (("cheap", 1260), ("cheap", 2520), ("full", 1260)):
        for edge, size in (("none", 0.0), ("momentum", 0.05), ("momentum", 0.2)):
            rate = 0.05 + 4.0 * size
            row = {"job": job, "edge": edge, "edge_size": size, "n_bars": bars, "n_panels": 60}
            row |= {"test": "ledoit_wolf", "subject": "momentum", "against": "equal_weight"}
            rows.append(row | {"rate": rate, "rate_low": 0.9 * rate, "rate_high": 1.1 * rate})
    return pd.DataFrame(rows)


def smallest(value: float = 0.13) -> pd.DataFrame:
    row = {"job": "cheap", "edge": "momentum", "n_bars": 1260, "test": "ledoit_wolf"}
    row |= {"subject": "momentum", "against": "equal_weight", "power": 0.8}
    other = row | {"n_bars": 2520, "smallest": np.nan, "reason": "not reached: and a long tale"}
    return pd.DataFrame(
        [row | {"smallest": value, "smallest_low": 0.1, "reason": ""}, other]
    ).assign(smallest_high=np.nan)


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("\u00a0", " ")


def test_the_page_says_which_test_is_withdrawn_and_why() -> None:
    page = render_placebo(
        rates=rates(), verdicts=verdicts(), figures={"placebo_rates": new_figure("x")}
    )
    said = text_of(page)
    assert "Hansen's SPA, Sharpe ratio said" in said.replace("&#39;", "'")
    assert "on 37 of 200" in said
    assert "1 of 2 tests are kept" in said
    assert "<b>own</b>" not in page
    for caption in ("Rates by test, over its pairs", "Verdict on each test", "Panels"):
        assert caption in said
    assert "Not part of this run" not in said


def test_rates_by_test_hold_the_highest_pair_and_the_mean() -> None:
    page = text_of(
        render_placebo(
            rates=rates(), verdicts=verdicts(), figures={"placebo_rates": new_figure("x")}
        )
    )
    # At 5 %: 10, 2.5 and 5 % of three pairs.
    assert "drawn Ledoit-Wolf 3 200 1.2 2.0 5.8 10.0 11.7 20.0" in page


@pytest.mark.parametrize(
    ("tests", "said", "last"),
    [
        ({"holm": found("kept", 3)}, "no test was shown to reject too often", "none is withdrawn"),
        ({"holm": found("not judged", None)}, "Not judged, for want", "too few panels to judge"),
        (
            {"holm": found("withdrawn", 40), "spa_mean": found("not judged", None)},
            "it is withdrawn",
            "of 1 tests judged, withdrawn: Any Sharpe ratio, after Holm",
        ),
    ],
)
def test_the_words_hold_whatever_came_out(tests: dict[str, Any], said: str, last: str) -> None:
    own = verdicts(**tests)
    assert said in placebo_headline(own)
    assert last in placebo_closing_line(own)


def test_rates_are_drawn_beside_the_level_that_is_claimed() -> None:
    figure = false_positive_rates(rates(), verdicts()["tests"])
    lines = [shape["x0"] for shape in figure.to_plotly_json()["layout"]["shapes"]]
    assert lines == pytest.approx([1.0, 5.0, 10.0])
    dots = [trace for trace in figure.data if trace.customdata is not None]
    assert len(dots) == 6  # two sets at three levels
    assert sorted(dots[2].x) == pytest.approx([2.5, 2.5, 5.0, 5.0, 10.0, 10.0])
    bars = [trace for trace in figure.data if trace.error_x.array is not None]
    assert list(bars[2].x) == [10.0, 10.0]
    assert list(bars[2].error_x.arrayminus) == [5.0, 5.0]
    assert figure.layout.yaxis.ticktext == tuple(map(title_of_test, ("spa_sharpe", "ledoit_wolf")))
    hovers = [entry[0] for trace in dots for entry in trace.customdata]
    assert all("<b>" not in hover for hover in hovers)


def test_nothing_tested_is_said_and_not_drawn() -> None:
    empty = rates().assign(n_tested=0, rate=np.nan)
    figure = false_positive_rates(empty, verdicts()["tests"])
    assert "No test could be made" in figure.layout.annotations[0].text
    none = detection_curves(power_rates().assign(rate=np.nan), power=0.8)
    assert "No edge was planted" in none.layout.annotations[0].text


def test_detection_starts_at_no_edge_and_ends_at_the_largest() -> None:
    figure = detection_curves(power_rates(), power=0.8)
    assert len(figure.data) == 3  # two lengths of the cheap job, one of the whole
    for line in figure.data:
        assert list(line.x) == [0.0, 0.05, 0.2]
        assert list(line.y) == pytest.approx([5.0, 25.0, 85.0])
    assert {line.line.dash for line in figure.data} == {"solid", "dash"}
    targets = [shape["y0"] for shape in figure.to_plotly_json()["layout"]["shapes"]]
    assert targets == pytest.approx([80.0, 80.0])


def test_the_page_of_power_says_the_smallest_edge_or_that_there_is_none() -> None:
    page = text_of(
        render_power(
            rates=power_rates(),
            smallest=smallest(),
            run=RUN,
            level=0.05,
            power=0.8,
            figures={"power_detection": new_figure("x")},
        )
    )
    assert "most easily: momentum 0.13 in 1,260 bars (Momentum)." in page
    assert "with a probability of 80 %" in page
    assert "not reached" in page
    assert "a long tale" not in page
    assert "Not part of this run" not in page
    assert "1 of 2 combinations" in power_closing_line(smallest())
    assert "would go unnoticed" in power_headline(smallest(np.nan), 0.8)
