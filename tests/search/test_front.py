from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from regime_nas_pipeline.search.front import front_table
from regime_nas_pipeline.search.ledger import ledger_rows
from regime_nas_pipeline.search.trials import PROXY, Outcome, Proposal, Trial


def rows(*outcomes: dict[str, Any], **facts: Any) -> pd.DataFrame:
    trials = [
        Trial(
            Proposal(number, 7, {"width": 8 + number}),
            Outcome(score, {}, 10, np.zeros(1), facts=facts, objectives=others),
        )
        for number, (score, others) in enumerate(
            (outcome["error"], {k: v for k, v in outcome.items() if k != "error"})
            for outcome in outcomes
        )
    ]
    return ledger_rows(
        trials,
        search_id="f" * 40,
        forecaster="regime_nas",
        strategy="random",
        dates=pd.DatetimeIndex(["2020-01-01"]),
    )


def measured(error: float, parameters: float, latency: float, lipschitz: float | None) -> Any:
    return {
        "error": error, "parameters": parameters, "latency": latency, "lipschitz": lipschitz,
    }  # fmt: skip


def test_a_front_by_hand():
    table = front_table(
        rows(
            measured(0.9, 100, 1.0, None),  # the lowest error
            measured(1.0, 50, 1.0, 10.0),  # the smallest, and bounded
            measured(1.0, 60, 1.0, 10.0),  # the same, larger
            measured(0.9, 100, 1.0, float("inf")),  # no constant either: equal to the first
            measured(1.1, 500, 2.0, 3.0),  # the worst of all but for its constant
            measured(1.1, 500, 2.0, None),  # the same without one
        )
    )
    assert table["on_front"].tolist() == [True, True, False, True, True, False]
    assert table["lipschitz"].isna().tolist() == [True, False, False, True, False, True]
    assert table["number"].tolist() == list(range(6))
    assert table["choices"][2] == '{"width": 10}'
    assert table["trial_id"].is_unique


def test_no_trial_on_the_front_is_beaten_and_each_other_one_is():
    draws = np.random.default_rng(3).integers(0, 4, (40, 4)) + 1.0
    table = front_table(rows(*(measured(*map(float, draw)) for draw in draws)))
    names = ["error", "parameters", "latency", "lipschitz"]
    np.testing.assert_array_equal(table[names], draws)
    for place, on_front in enumerate(table["on_front"]):
        beaten = any(
            all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
            for other in range(len(draws))
            if (pairs := list(zip(draws[other], draws[place], strict=True)))
        )
        assert on_front != beaten


def test_trials_scored_by_proxy_are_left_out():
    full = rows(measured(1.0, 50, 1.0, 10.0))
    cheap = rows(measured(0.5, 5, 0.1, 1.0), **{PROXY: True})
    table = front_table(pd.concat([cheap, full], ignore_index=True))
    assert table["error"].tolist() == [1.0]
    assert table["on_front"].tolist() == [True]
    assert front_table(cheap).empty


def test_an_objective_that_was_never_measured_is_blank():
    table = front_table(rows({"error": 1.0}, {"error": 0.9}))
    assert table[["parameters", "latency", "lipschitz"]].isna().all(axis=None)
    assert table["on_front"].tolist() == [False, True]
