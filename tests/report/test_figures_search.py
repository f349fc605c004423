from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.report.figures_search import pareto_front, search_progress


def ledger() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "forecaster": "gru",
            "trial": [0, 1, 2, 3],
            "score": [1.2, np.nan, 1.3, 1.1],
            "budget_spent": [100, 50, 100, 100],
            "state": ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"],
            "strategy": "random",
        }
    )


def test_best_so_far_never_rises_and_outlasts_failures() -> None:
    dots, by_trial, by_budget = search_progress(ledger()).data
    assert list(dots.y) == [1.2, None, 1.3, 1.1]
    assert list(by_trial.y) == [1.2, 1.2, 1.2, 1.1]
    assert list(by_budget.x) == [100, 150, 250, 350]
    assert list(by_budget.y) == list(by_trial.y)


def test_all_trials_are_counted() -> None:
    figure = search_progress(ledger())
    assert figure.layout.title.text == "Search: 4 trials, 1 without a score"
    assert "350 in all" in figure.layout.xaxis2.title.text


def test_strategies_are_drawn_apart(trials: pd.DataFrame) -> None:
    named = {trace.name: trace for trace in search_progress(trials).data if trace.showlegend}
    assert len(named) == 6
    bayesian, random = named["RegimeNAS, bayesian"], named["RegimeNAS, random"]
    assert bayesian.line.color == random.line.color
    assert bayesian.line.dash != random.line.dash


def test_no_search_is_said() -> None:
    assert "No search" in search_progress(ledger().iloc[:0]).layout.annotations[0].text


def panel(figure: Any, number: int) -> list[Any]:
    name = "x" if number == 1 else f"x{number}"
    return [trace for trace in figure.data if trace.xaxis == name]


def test_the_front_shows_every_trial_where_both_objectives_are_known(front: pd.DataFrame) -> None:
    figure = pareto_front(front)
    for number, name in enumerate(("parameters", "latency", "lipschitz"), start=1):
        drawn = {
            (x, y) for trace in panel(figure, number) for x, y in zip(trace.x, trace.y, strict=True)
        }
        known = front[front[name].notna()]
        assert len(drawn) == len(known) == (10 if name == "lipschitz" else 20)
        for x, y in drawn:
            assert np.isclose(known[name], x, rtol=1e-4).any()
            assert np.isclose(known["error"], y, rtol=1e-4).any()
    axes = [figure.layout.xaxis, figure.layout.xaxis2, figure.layout.xaxis3, figure.layout.yaxis]
    assert {each.type for each in axes} == {"log"}


def test_the_front_and_the_chosen_trial_are_marked(front: pd.DataFrame) -> None:
    beaten, marked, chosen = panel(pareto_front(front), 1)
    assert len(beaten.x) == (~front["on_front"]).sum()
    assert len(marked.x) + len(chosen.x) == front["on_front"].sum()
    assert np.isclose(chosen.y[0], front["error"].min(), rtol=1e-4)
    best = front.loc[front["error"].idxmin()]
    assert f"trial {best['number']}" in chosen.customdata[0]
    assert "head: gru" in chosen.customdata[0]
    assert f"{front['on_front'].sum()} of 20" in pareto_front(front).layout.title.text


def test_an_objective_that_no_trial_has_is_said(front: pd.DataFrame) -> None:
    figure = pareto_front(front.assign(lipschitz=np.nan))
    assert not any(len(trace.x) for trace in panel(figure, 3))
    assert [note.text for note in figure.layout.annotations] == ["no trial has one"]


def test_a_hostile_choice_is_only_text(front: pd.DataFrame) -> None:
    figure = pareto_front(front.assign(choices='{"<b>": "<i>"}'))
    said = panel(figure, 1)[0].customdata[0]
    assert "&lt;b&gt;: &lt;i&gt;" in said


def test_no_trial_no_front(front: pd.DataFrame) -> None:
    assert "No search" in pareto_front(front.iloc[:0]).layout.annotations[0].text
