from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from regime_nas_pipeline.report.spx_vix_page import render_spx_vix
from regime_nas_pipeline.report.spx_vix_text import SECTIONS
from regime_nas_pipeline.report.tables import BLANK
from regime_nas_pipeline.report.theme import empty_figure, strategy_style

LABELLERS = ("kmeans", "gaussian_mixture", "own_one")
RUNGS = {"same_bar": ("Own bar", ""), "online": ("Known on the day", "labels from the future")}
CONTROLS = ("persistence", "hard_persistence", "filter")


@dataclass(frozen=True)
class Published:
    strategy: str
    total_return: float = 2.05
    sharpe: float = 0.66
    mean_per_bar: float = 0.000242
    volatility_per_bar: float = 0.005824


@pytest.fixture
def quality() -> dict[str, Any]:
    def rows(*each: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"labeller": name, **row} for name in LABELLERS for row in each]

    regimes = [{"regime": name, "share": 0.5, "n_spells": 4, "mean_spell": 9.0,
                "median_spell": 7.0} for name in ("calm", "stressed")]  # fmt: skip
    contrast = {"regime": "stressed", "against": "calm", "difference": 0.085, "low": None,
                "high": None, "p_value": 0.2, "p_holm": 0.4}  # fmt: skip
    delay = {"n_switches": 5, "median_delay": 2.0, "mean_delay": 2.5, "share_missed": 0.1,
             "false_alarms_per_year": 1.5, "same_as_hindsight": 0.97}  # fmt: skip
    return {
        "sentences": ["Labels were said."],
        "switching": rows({"n_switches": 7, "switches_per_year": 2.7, "mean_spell": 83.8}),
        "refit_stability": rows(
            {"n_refits": 5, "n_switches_at_refit": 0, "mean_relabelled": 0.1, "max_relabelled": 0.2}
        ),
        "regime_persistence": rows(*regimes),
        # The pipeline lists all labellers for one length of spells, then for the next.
        "delay_summary": [{"min_spell": least, **row} for least in (1, 21) for row in rows(delay)],
        "outcome_contrasts": rows({"outcome": "volatility", **contrast}),
    }


@pytest.fixture
def classification() -> dict[str, Any]:
    score = {"n": 753, "accuracy": 0.95, "balanced_accuracy": 0.9, "log_loss": 0.2, "brier": 0.05,
             "calibration_error": 0.03}  # fmt: skip
    test = {"difference": -0.1476, "statistic": -7.5, "p_two_sided": 0.0, "p_holm": 0.0,
            "effect": "worse"}  # fmt: skip
    untested = dict.fromkeys(("difference", "statistic", "p_two_sided", "p_holm")) | {
        "effect": "open"
    }
    event = {"n": 749, "base_rate": 0.13, "average_precision": 0.17, "brier_skill": -0.018}
    return {
        "sentences": ["Every control beats the classifier."],
        "classification": [{"forecaster": n, **score} for n in ("classifier", *CONTROLS)],
        "comparison": [
            {"loss": loss, "against": name}
            | (untested if (loss, name) == ("log_loss", "hard_persistence") else test)
            for loss in ("log_loss", "brier")
            for name in CONTROLS
        ],
        "switches": {
            "5": {
                "sentence": "13.0 % of 749 dates came before a switch.",
                "table": [
                    {"forecaster": name, **event}
                    for name in ("classifier", "transitions", "base_rate")
                ],
            }
        },
    }


@pytest.fixture
def attention() -> dict[str, Any]:
    measured = {"entropy": 0.93, "correlation": 0.41, "low": None, "high": None}
    places = [(20, 0, 0), (1, 0, 0), (1, 1, 1), (1, 1, 2)]
    return {
        "sentences": ["Attention is not explanation."],
        "sample": {"shown": {"fitted": "2018-01-02"}},
        "heads": [{"fits": n, "layer": k, "head": h, **measured} for n, k, h in places],
    }


@pytest.fixture
def strategies() -> pd.DataFrame:
    columns = ("cagr", "volatility", "max_drawdown", "sharpe", "difference", "p_holm",
               "mean_exposure", "turnover_per_year", "cost_per_year", "interest_per_year",
               "financing_per_year", "n_capped")  # fmt: skip
    pairs = [("none", "buy_and_hold"), ("kmeans", "calm_only"), ("classifier", "calm_only")]
    return pd.DataFrame(
        [
            {"labels": labels, "strategy": name, **dict.fromkeys(columns, 0.3), "effect": "open"}
            for labels, name in pairs
        ]
    )


@pytest.fixture
def ladder() -> pd.DataFrame:
    figures = dict.fromkeys(
        ("sharpe_zero", "total_return", "mean_per_bar", "volatility_per_bar", "worth_sharpe_zero"),
        0.4,
    )
    return pd.DataFrame(
        [
            {"labeller": labeller, "rung": rung, "strategy": name, **figures}
            for labeller in LABELLERS
            for rung in RUNGS
            for name in ("buy_and_hold", "calm_only")
        ]
    )


@pytest.fixture
def inputs(
    quality: dict[str, Any],
    classification: dict[str, Any],
    attention: dict[str, Any],
    strategies: pd.DataFrame,
    ladder: pd.DataFrame,
) -> dict[str, Any]:
    near = dict.fromkeys(("distance", "p_value", "sharpe_distance", "sharpe_p_value"), 0.4)
    names = [name for section in SECTIONS for name in section.figures]
    return {
        "summary": {
            "headline": "Nothing survives, at 5 % too.",
            "sample": {
                "first": "2016-01-04",
                "last": "2018-12-31",
                "n_bars": 754,
                "risk_free": 0.011,
                "labellers": dict.fromkeys(LABELLERS),
                "classifier_learns": "gaussian_mixture",
            },
        },
        "quality": quality,
        "classification": classification,
        "attention": attention,
        "strategies": strategies,
        "ladder": ladder,
        "published": {
            "resemblance": [
                {"labeller": name, "rung": rung, **near} for name in LABELLERS for rung in RUNGS
            ],
            "words": ["They resemble <nothing>."],
            "unpaid_leverage": {"implied": 0.000433, "published": 0.000433, "unpaid": True},
            "survivors": ["Nothing survives."],
        },
        "figures": {name: empty_figure(name, "nothing") for name in names},
        "published_figures": [Published("buy_and_hold"), Published("calm_only")],
        "rungs": RUNGS,
        "data": ({}, {"bars_per_year": {"value": 252, "rule": "Counted."}}),
        "limits": ["The S&P 500 is a price index. It pays no dividends."],
    }


def table(page: str, name: str) -> str:
    """The HTML of one table."""
    found = re.search(rf'<div class="table" id="table-{name}">.*?</table>', page, re.DOTALL)
    assert found, name
    return found[0]


def first_cells(html: str) -> list[str]:
    return re.findall(r'<th scope="row(?:group)?"[^>]*>(.*?)</th>', html)


def cells(html: str) -> list[str]:
    return [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", html)]


def test_every_chapter_table_and_figure_is_there(inputs: dict[str, Any]) -> None:
    page = render_spx_vix(**inputs)
    for section in SECTIONS[:-1]:
        assert f'<section id="{section.key}"' in page
        for name in section.tables:
            assert f'id="table-{name}"' in page
        for name in section.figures:
            assert f'id="figure-{name}"' in page
    assert "Not part of this run" not in page
    assert "Nothing survives, at 5\u00a0% too." in page
    assert "They resemble &lt;nothing&gt;." in page
    assert "Yearly figures take a year for 252 bars" in page
    assert "neither was charged" in page


def test_labellers_have_their_names_and_stand_once_in_their_tables(inputs: dict[str, Any]) -> None:
    page = render_spx_vix(**inputs)
    names = ["K-means", "Gaussian mixture", "own one"]
    for key in ("label_shares", "label_delays_summary", "exposure_resemblance"):
        assert first_cells(table(page, key)) == names
    assert first_cells(table(page, "ladder_sharpe_zero")) == names
    assert first_cells(table(page, "exposure_strategies")) == ["no labels", "K-means", "Classifier"]
    assert not re.search(r">(gaussian_mixture|kmeans|none)<", page)


def test_delays_of_one_labeller_stand_together(inputs: dict[str, Any]) -> None:
    lengths = cells(table(render_spx_vix(**inputs), "label_delays_summary"))[::7]
    assert lengths == ["1", "21"] * len(LABELLERS)


def test_a_regime_is_no_strategy_and_has_no_colour(inputs: dict[str, Any]) -> None:
    contrasts = table(render_spx_vix(**inputs), "label_contrasts")
    assert "calm" in contrasts
    assert "swatch" not in contrasts


def test_forecasts_are_named_and_coloured_as_in_their_figures(inputs: dict[str, Any]) -> None:
    page = render_spx_vix(**inputs)
    scores = table(page, "classification")
    assert [re.sub(r"<[^>]+>", "", cell) for cell in first_cells(scores)] == [
        "Classifier", "Last label, by its transitions", "Last label, held certain", "Filter",
    ]  # fmt: skip
    assert "background:#d55e00" in scores
    assert strategy_style("persistence").colour not in scores  # what a stranger would get
    assert first_cells(table(page, "classifier_tests")) == ["Log loss", "Brier score"]


def test_what_was_not_tested_has_no_verdict(inputs: dict[str, Any]) -> None:
    verdicts = cells(table(render_spx_vix(**inputs), "classifier_tests"))[5::6]
    assert verdicts == ["worse", BLANK, "worse", "worse", "worse", "worse"]


def test_heads_are_named_by_their_network_and_averages_called_so(inputs: dict[str, Any]) -> None:
    page = render_spx_vix(**inputs)
    heads = table(page, "classifier_heads")
    assert first_cells(heads) == ["average of 20 fits", "fit of 2018-01-02"]
    assert cells(heads)[:6] == ["averaged", "averaged", "93.0", "0.41", BLANK, BLANK]
    assert cells(heads)[12:14] == ["1", "1"]
    assert "Attention is not explanation." in page


def test_published_figures_and_the_worth_of_cheats_are_of_the_labels_that_are_learned(
    inputs: dict[str, Any],
) -> None:
    learned = inputs["ladder"]["labeller"] == "gaussian_mixture"
    inputs["ladder"].loc[learned, ["sharpe_zero", "worth_sharpe_zero"]] = 7.77
    page = render_spx_vix(**inputs)
    assert first_cells(table(page, "worth_sharpe_zero")) == ["Gaussian mixture"]
    assert cells(table(page, "worth_sharpe_zero")) == ["Labels from the future", "7.77", "7.77"]
    shown = cells(table(page, "published_exposures"))
    assert shown[:9] == [
        "Published", "0.66", "0.66", "Own bar", "7.77", "7.77", "Known on the day", "7.77", "7.77",
    ]  # fmt: skip


def test_without_forecasts_of_switches_their_chapter_is_left_out(inputs: dict[str, Any]) -> None:
    inputs["classification"]["switches"] = {}
    inputs["figures"].pop("precision_recall")
    assert '<section id="switches"' not in render_spx_vix(**inputs)
