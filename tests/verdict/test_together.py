from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.verdict.together import verdict_of

NAMES = ["gru", "momentum", "equal_weight"]


@pytest.fixture
def answers() -> dict[str, Any]:
    tests = pd.DataFrame(
        [
            ("ledoit_wolf", "gru", "equal_weight", 1.5, 0.14, 0.07, 0.42),
            ("ledoit_wolf", "momentum", "equal_weight", np.nan, 1.0, 1.0, 1.0),
            ("diebold_mariano", "gru", "momentum", 2.5, 0.02, 0.01, 0.06),
        ],
        columns=["test", "subject", "against", "statistic", "p_two_sided", "p_beats", "p_holm"],
    )
    superior = pd.DataFrame(
        [
            ("gru", "mean", False, False, 0.01),
            ("gru", "sharpe", True, True, 0.8),
            ("momentum", "sharpe", None, None, np.nan),
            ("equal_weight", "sharpe", None, True, 0.3),
        ],
        columns=["subject", "measure", "beats", "in_confidence_set", "p_confidence_set"],
    ).astype({"beats": "boolean", "in_confidence_set": "boolean"})
    deflated = pd.DataFrame(
        [
            ("search", "equal_weight", "gru", 0.6, 0.2, np.inf),
            ("out_of_sample", "equal_weight", "gru", 0.9, 0.7, 31.5),
            ("out_of_sample", "risk_free", "gru", 0.99, 0.95, 6.0),
            ("out_of_sample", "risk_free", "equal_weight", 0.97, 0.9, np.inf),
        ],
        columns=[
            "scope",
            "reference",
            "strategy",
            "psr_against_zero",
            "deflated_probability",
            "minimum_track_record_years",
        ],
    )
    overfitting = {
        "probability": 0.4,
        "n_trials_counted": 30,
        "n_effective": 12,
        "left_out": {"on other prices": 3, "without portfolio returns": 2},
        "forecasters": {"gru": {"probability": None}},
        "out_of_sample": {
            "n_in_ledger": 21,
            "n_trials_counted": 17,
            "n_strategies": 8,
            "n_seeds": 4,
            "n_earlier": 5,
            "n_copies": 1,
            "n_effective": 9,
            "left_out": {"on other prices": 3, "on other dates": 0},
            "origins": {
                "this_run": {"n_trials_counted": 12},
                "ablation": {"n_trials_counted": 5},
            },
            "probability": 0.45,
        },
    }
    costs = pd.DataFrame(
        [("gru", 12.5, ""), ("momentum", np.nan, "it does not lead")],
        columns=["strategy", "break_even_bps", "reason"],
    )
    detectable = pd.DataFrame(
        [
            ("gru", "equal_weight", 0.31, 0.2, 0.5, 0.8, 0.12, 0.1, 8.0, 6, 0.8),
            ("gru", "momentum", 0.11, 0.3, 0.7, 1.2, 0.14, 0.1, 8.0, 6, 0.8),
            ("momentum", "equal_weight", *[np.nan] * 6, 8.0, 6, 0.8),
        ],
        columns=[
            "subject",
            "against",
            "difference",
            "standard_error",
            "smallest_edge",
            "smallest_edge_holm",
            "tracking_error",
            "smallest_return",
            "years",
            "n_tests",
            "power",
        ],
    )
    return {
        "detectable": detectable,
        "comparison_tests": tests,
        "superior_strategies": superior,
        "deflated_sharpes": deflated,
        "overfitting": overfitting,
        "break_even_costs": costs,
        "level": 0.05,
    }


def test_every_answer_stands_with_its_strategy(answers: dict[str, Any]) -> None:
    verdict = verdict_of(NAMES, **answers)
    gru = verdict["strategies"]["gru"]
    against = gru.pop("against")
    assert gru == {
        "psr": 0.99,
        "psr_against_reference": 0.9,
        "deflated_probability": 0.7,
        "minimum_track_record_years": 31.5,
        "deflated_probability_in_search": 0.2,
        "in_confidence_set": True,
        "p_confidence_set": 0.8,
        "beats_stepwise": True,
        "break_even_bps": 12.5,
        "break_even_reason": "",
        "sharpe_difference": 0.31,
        "sharpe_difference_error": 0.2,
        "smallest_edge": 0.5,
        "smallest_edge_holm": 0.8,
        "tracking_error": 0.12,
        "smallest_return": 0.1,
    }
    assert set(against) == {"equal_weight", "momentum"}
    assert against["momentum"] == {
        "diebold_mariano": {"statistic": 2.5, "p_two_sided": 0.02, "p_beats": 0.01, "p_holm": 0.06}
    }


def test_counts_of_trials_stand_above(answers: dict[str, Any]) -> None:
    verdict = verdict_of(NAMES, **answers)
    assert (verdict["n_trials"], verdict["n_effective"], verdict["n_left_out"]) == (30, 12, 5)
    assert verdict["out_of_sample"] == {
        "n_trials": 17,
        "n_strategies": 8,
        "n_seeds": 4,
        "n_earlier": 5,
        "n_by_origin": {"this_run": 12, "ablation": 5},
        "n_effective": 9,
        "n_left_out": 3,
        "pbo": 0.45,
    }
    assert verdict["pbo"] == 0.4
    assert verdict["pbo_by_forecaster"] == {"gru": None}
    assert (verdict["level"], verdict["reference"]) == (0.05, "equal_weight")


def test_the_sample_stands_above(answers: dict[str, Any]) -> None:
    verdict = verdict_of(NAMES, **answers)
    assert (verdict["years"], verdict["power"], verdict["n_tests"]) == (8.0, 0.8, 6)
    uncompared = verdict_of(NAMES, **{**answers, "detectable": answers["detectable"].iloc[:0]})
    assert all(uncompared[key] is None for key in ("years", "power", "n_tests"))
    assert uncompared["strategies"]["gru"]["smallest_edge"] is None


def test_what_is_not_known_is_null(answers: dict[str, Any]) -> None:
    verdict = verdict_of(NAMES, **answers)
    momentum, equal = (verdict["strategies"][name] for name in NAMES[1:])
    assert momentum["break_even_bps"] is None
    assert momentum["break_even_reason"] == "it does not lead"
    assert momentum["in_confidence_set"] is None
    assert momentum["deflated_probability"] is None
    assert momentum["smallest_edge"] is None
    assert equal["smallest_edge"] is None
    assert momentum["against"]["equal_weight"]["ledoit_wolf"]["statistic"] is None
    assert equal["psr"] == 0.97
    assert equal["deflated_probability"] is None
    assert equal["break_even_reason"] is None
    assert equal["against"] == {}
    json.dumps(verdict, allow_nan=False)


def test_a_record_that_no_length_makes_long_enough_is_null(answers: dict[str, Any]) -> None:
    answers["deflated_sharpes"].loc[1, "minimum_track_record_years"] = np.inf
    gru = verdict_of(NAMES, **answers)["strategies"]["gru"]
    assert gru["minimum_track_record_years"] is None


@pytest.mark.parametrize(
    ("test", "keys"),
    [
        ("confidence_set_sharpe", {"in_confidence_set", "p_confidence_set"}),
        ("stepwise_sharpe", {"beats_stepwise"}),
        ("stepwise_mean", set()),  # of a measure that the verdict does not read
        ("deflated_sharpe", {"deflated_probability"}),
        ("deflated_sharpe_search", {"deflated_probability_in_search"}),
        ("probabilistic_sharpe", {"psr", "psr_against_reference"}),
    ],
)
def test_a_withdrawn_test_has_no_answer_and_the_others_keep_theirs(
    answers: dict[str, Any], test: str, keys: set[str]
) -> None:
    before = verdict_of(NAMES, **answers)
    after = verdict_of(NAMES, **answers, withdrawn={test: "it was wrong too often"})
    assert after["withdrawn"] == {test: "it was wrong too often"}
    for name in NAMES:
        one, other = before["strategies"][name], after["strategies"][name]
        assert {key for key in one if other[key] != one[key]} <= keys
        assert all(other[key] is None for key in keys)
    assert any(before["strategies"]["gru"][key] is not None for key in keys) or not keys


@pytest.mark.parametrize(
    ("test", "left"),
    [
        ("ledoit_wolf", {"momentum": {"diebold_mariano"}}),
        ("holm", {"momentum": {"diebold_mariano"}}),
        ("diebold_mariano", {"equal_weight": {"ledoit_wolf"}}),
    ],
)
def test_a_withdrawn_pairwise_test_is_gone(
    answers: dict[str, Any], test: str, left: dict[str, set[str]]
) -> None:
    verdict = verdict_of(NAMES, **answers, withdrawn={test: "it was wrong too often"})
    against = verdict["strategies"]["gru"]["against"]
    assert {other: set(tests) for other, tests in against.items()} == left
