from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from exposure_samples import RULES, TERMS, index_returns, peeking_labels, run_rules, trailing_labels

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.portfolio.exposure.rules import Known
from regime_nas_pipeline.walkforward.exposure_study import (
    NO_LABELS,
    ExposureStudy,
    study_exposures,
    survivors,
)
from regime_nas_pipeline.walkforward.exposures import exposure_tests

RETURNS = index_returns()
LABELS = {"jump": trailing_labels(RETURNS), "own_one": peeking_labels(RETURNS)}
SETTINGS = {"max_exposure": 1.5, "resamples": 99, "seed": 1, "level": 0.05}


@pytest.fixture(scope="module")
def study() -> ExposureStudy:
    return study_exposures(RETURNS, RULES, LABELS, TERMS, **SETTINGS)


def test_rules_without_labels_run_once_and_the_others_on_every_source(
    study: ExposureStudy,
) -> None:
    pairs = list(zip(study.figures["labels"], study.figures["strategy"], strict=True))
    assert pairs == [
        (NO_LABELS, "buy_and_hold"),
        (NO_LABELS, "volatility_target"),
        ("jump", "calm_only"),
        ("jump", "levered"),
        ("own_one", "calm_only"),
        ("own_one", "levered"),
    ]
    names = ["buy_and_hold", "volatility_target"]
    names += [f"{source}.{rule}" for source in LABELS for rule in ("calm_only", "levered")]
    assert study.net.columns.tolist() == study.exposure.columns.tolist() == names


def test_all_earn_the_same_bars_as_if_they_ran_alone(study: ExposureStudy) -> None:
    assert study.net.notna().all(axis=None)
    # The last to begin: labels from bar 100 on, decided, traded at the next close, earned after it.
    assert study.net.index[0] == RETURNS.index[102]
    known = Known(RETURNS, LABELS["jump"], TERMS.bars_per_year)
    alone = run_rules(RULES, known, TERMS, max_exposure=1.5).column("net")
    for rule in ("calm_only", "levered"):
        pd.testing.assert_series_equal(
            study.net[f"jump.{rule}"], alone[rule], check_names=False, check_freq=False
        )


def test_holm_counts_every_strategy_of_every_source(study: ExposureStudy) -> None:
    tested = study.figures.dropna(subset=["p_value"]).sort_values("p_value")
    assert len(tested) == 5
    raw = tested["p_value"].to_numpy()
    stepped = np.maximum.accumulate(np.minimum(1.0, raw * np.arange(5, 0, -1)))
    assert tested["p_holm"].to_numpy() == pytest.approx(stepped)
    hold = study.figures.iloc[0]
    assert hold[["difference", "p_value", "p_holm", "effect"]].isna().all()
    gaps = study.figures["sharpe"] - hold["sharpe"]
    assert study.figures["difference"].iloc[1:].tolist() == pytest.approx(gaps.iloc[1:].tolist())


def test_the_tests_are_those_of_the_strategies_alone(study: ExposureStudy) -> None:
    known = Known(RETURNS, LABELS["jump"], TERMS.bars_per_year)
    results = run_rules(RULES, known, TERMS, max_exposure=1.5)
    alone = exposure_tests(results, TERMS, n_resamples=99, seed=1)
    row = alone[(alone["test"] == "ledoit_wolf") & (alone["subject"] == "levered")].iloc[0]
    mine = study.figures[study.figures["labels"] == "jump"].set_index("strategy").loc["levered"]
    assert mine["p_value"] == pytest.approx(row["p_two_sided"])


def test_the_future_changes_nothing_that_was_held(study: ExposureStudy) -> None:
    row = 500
    altered = RETURNS.copy()
    altered.iloc[row + 1 :] = np.random.default_rng(2).normal(0, 0.03, len(RETURNS) - row - 1)
    labels = {"jump": trailing_labels(altered), "own_one": peeking_labels(altered)}
    other = study_exposures(altered, RULES, labels, TERMS, **SETTINGS)
    day = RETURNS.index[row]
    pd.testing.assert_frame_equal(
        study.exposure.loc[:day], other.exposure.loc[:day], check_exact=True
    )
    pd.testing.assert_frame_equal(study.net.loc[:day], other.net.loc[:day], check_exact=True)
    assert not study.exposure.equals(other.exposure)


def test_more_leverage_than_is_allowed_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"wants an exposure of 1\.4\d* on .*max_exposure"):
        study_exposures(RETURNS, RULES, LABELS, TERMS, **{**SETTINGS, "max_exposure": 1.4})


def figures(**effects: str | None) -> pd.DataFrame:
    rows = [
        {"labels": NO_LABELS, "strategy": "buy_and_hold", "sharpe": 0.5, "max_drawdown": -0.4},
        {"labels": "jump", "strategy": "calm_only", "sharpe": 0.9, "max_drawdown": -0.2,
         "p_holm": 0.3, "effect": effects.get("jump", "open")},
        {"labels": "classifier", "strategy": "levered", "sharpe": 0.1, "max_drawdown": -0.5,
         "p_holm": 0.0004, "effect": effects.get("classifier", "open")},
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_the_words_say_that_nothing_survives() -> None:
    words = survivors(figures(), level=0.05)
    assert words[0] == (
        "Buy and hold has a Sharpe ratio of 0.50 above cash; the highest of 3 strategies is 0.90: "
        "calm only on the labels of the jump model."
    )
    assert words[1].startswith("Nothing survives: none of the other 2 has a Sharpe ratio above")
    assert "the smallest has p < 0.001, and below 0.05 would count" in words[1]
    assert words[2].startswith("1 of 2 lost less")
    assert len(words) == 3


def test_the_words_name_what_survives_and_what_is_worse() -> None:
    words = survivors(figures(jump="better", classifier="worse"), level=0.05)
    assert words[1] == (
        "Better than buy and hold by more than chance: calm only on the labels of the jump model."
    )
    assert words[2] == "Worse by more than chance: levered on the labels of the classifier."
