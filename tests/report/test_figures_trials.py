from __future__ import annotations

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.report.figures_trials import overfitting_logits, searches_of


def _search(logits: list[float]) -> dict[str, Any]:
    share = float(np.mean([value <= 0 for value in logits])) if logits else None
    return {"logits": logits, "probability": share, "n_trials": 5}


def _heights(figure: go.Figure, panel: int = 0) -> tuple[float, float]:
    """Total height of the bars of failures and of the others."""
    failed, stayed = figure.data[2 * panel : 2 * panel + 2]
    return sum(failed.y), sum(stayed.y)


def test_bars_at_or_below_zero_hold_the_probability(counted: dict[str, Any]) -> None:
    found = counted["overfitting"]
    figure = overfitting_logits(found)
    names = ["RegimeNAS", "GRU", "Transformer"]
    titles = [note.text for note in figure.layout.annotations[:4]]
    for panel, (name, facts) in enumerate(
        zip(["All searches", *names], searches_of(found).values(), strict=True)
    ):
        failed, stayed = _heights(figure, panel)
        assert failed == pytest.approx(facts["probability"], abs=1e-4)
        assert failed + stayed == pytest.approx(1.0, abs=1e-4)
        assert titles[panel].startswith(f"{name}: {100 * facts['probability']:.0f} %")


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 30), st.data())
def test_no_logit_is_lost_and_the_median_is_a_failure(n_trials: int, data: st.DataObject) -> None:
    ranks = data.draw(st.lists(st.integers(1, n_trials), min_size=1, max_size=40))
    logits = [round(math.log(rank / (n_trials + 1 - rank)), 9) for rank in ranks]
    figure = overfitting_logits({**_search(logits), "forecasters": {}})
    failed, stayed = _heights(figure)
    assert failed == pytest.approx(np.mean([2 * rank <= n_trials + 1 for rank in ranks]), abs=1e-3)
    assert failed + stayed == pytest.approx(1.0, abs=1e-3)
    for trace, side in zip(figure.data, (-1, 1), strict=True):
        assert all(side * center > 0 for center in trace.x)
    # Every bar lies within the axis.
    low, high = figure.layout.xaxis.range
    edges = [x + sign * t.width / 2 for t in figure.data for x in t.x for sign in (-1, 1)]
    assert low <= min(edges)
    assert max(edges) <= high


def test_searches_that_could_not_be_judged_have_no_panel() -> None:
    found = {**_search([-1.0, 1.0]), "forecasters": {"gru": _search([]), "a": _search([0.5])}}
    titles = [note.text for note in overfitting_logits(found).layout.annotations]
    assert [title.split(":")[0] for title in titles] == ["All searches", "a"]
    empty = overfitting_logits({**_search([]), "forecasters": {"gru": _search([])}})
    assert empty.layout.annotations[0].text == "Too few trials have returns to compare."


def test_hostile_names_are_text() -> None:
    found = {**_search([1.0]), "forecasters": {"<b>x</b>": _search([1.0])}}
    assert "<b>" not in overfitting_logits(found).to_json()
