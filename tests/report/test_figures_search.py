from __future__ import annotations

import numpy as np
import pandas as pd

from regime_nas_pipeline.report.figures_search import search_progress


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
