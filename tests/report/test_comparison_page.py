from __future__ import annotations

import re
from typing import Any

import pandas as pd

from regime_nas_pipeline.report.comparison_page import (
    comparison_headline,
    regret_words,
    render_comparison,
    wins_words,
)
from regime_nas_pipeline.report.theme import new_figure

CONTEST = {
    "planted": {"first": "random", "r2": 0.021, "random_r2": 0.021, "wins": 3, "seeds": 5},
    "prices": {"first": "bayesian", "r2": -0.004, "random_r2": -0.01, "wins": 2, "seeds": 5},
}
CLAIM = {"bayesian": {"halved": 2, "landscapes": 5, "median_ratio": 0.7}}


def page(**changes: Any) -> str:
    given: dict[str, Any] = {
        "shortcuts": pd.DataFrame(
            {
                "shortcut": ["full", "less_data"],
                "samples_saved": [0.0, 0.7],
                "seconds_saved": [0.0, 0.65],
                "kendall": [0.6, 0.31],
                "kendall_low": [0.4, 0.1],
                "kendall_high": [0.8, 0.5],
                "spearman": [0.7, 0.4],
                "spearman_low": [0.5, 0.2],
                "spearman_high": [0.9, 0.6],
                "regret": [0.001, 0.02],
            }
        ),
        "strategies": pd.DataFrame(
            {
                "bed": ["planted", "planted"],
                "strategy": ["random", "bayesian"],
                "score": [0.97, 0.98],
                "r2": [0.021, 0.02],
                "r2_low": [0.0, 0.0],
                "r2_high": [0.03, 0.03],
                "r2_margin": [0.0, -0.001],
                "wins": [3, 2],
                "seeds": [5, 5],
                "gradient_samples": [900, 900],
                "seconds": [1.0, 1.0],
            }
        ),
        "regret": pd.DataFrame(
            {
                "landscape": [0, 0],
                "strategy": ["bayesian", "random"],
                "evaluations": [36, 36],
                "regret": [0.001, 0.002],
                "ratio": [0.5, 1.0],
            }
        ),
        "summary": {
            "contest": CONTEST,
            "claim": CLAIM,
            "facts": [(6, "candidates a search"), ("<b>", "escaped")],
        },
        "figures": {
            name: new_figure(name)
            for name in ("shortcut_scores", "strategy_comparison", "search_regret")
        },
    }
    return render_comparison(**{**given, **changes})


def test_the_headline_says_who_came_first_even_if_it_was_chance() -> None:
    said = comparison_headline(CONTEST)
    assert said == (
        "Highest median R²: random on planted markets (2.10 %), bayesian on the run's own prices "
        "(-0.40 %, random -1.00 %)."
    )
    # Two lines of a page that is 1,200 pixels wide.
    assert len(said) <= 140


def test_the_seeds_in_which_it_came_first_stand_in_its_chapter() -> None:
    said = wins_words(CONTEST)
    assert "on planted markets, random in 3 of 5; on the run's own prices, bayesian in 2" in said
    assert said.replace("'", "&#39;") in page()


def test_the_claim_on_regret_stands_in_its_chapter() -> None:
    said = regret_words(CLAIM)
    assert said.endswith("at most half of random search's regret: bayesian 2 of 5.")
    assert said.replace("'", "&#39;") in page()
    assert regret_words({}) == ""


def test_every_table_and_figure_has_its_place() -> None:
    html = page()
    for name in ("strategies", "regret", "shortcuts"):
        assert f'id="table-{name}"' in html
    for name in ("shortcut_scores", "strategy_comparison", "search_regret"):
        assert f'id="figure-{name}-data"' in html
    assert "Not part of this run" not in html
    assert "<td" in html
    assert "Less data" in html
    assert "planted markets" in html


def test_the_page_loads_nothing_and_escapes_text() -> None:
    html = page()
    assert "&lt;b&gt;" in html
    assert "<dd><b></dd>" not in html
    assert not re.search(r"<(link|img|iframe)|src=[\"']", html.split("<script")[0])


def test_a_missing_figure_is_named() -> None:
    assert "Not part of this run: Search regret." in page(
        figures={name: new_figure(name) for name in ("shortcut_scores", "strategy_comparison")}
    )
