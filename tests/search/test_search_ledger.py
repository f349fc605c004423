from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.search.ledger import LEDGER_COLUMNS, hash_of_closes, ledger_rows
from regime_nas_pipeline.search.outer import Outcome, Proposal, Trial

DATES = pd.DatetimeIndex(["2014-01-02", "2014-01-03"])
SEARCH = "ab12" * 16


def trial(number: int, score: float = 0.9) -> Trial:
    return Trial(
        Proposal(number, seed=7 + number, choices={"width": 8, "head": "gru"}),
        Outcome(
            score=score,
            parameters={"width": 8, "blocks": {"trend": []}},
            gradient_samples=120,
            returns=np.array([0.01, -0.02]),
            facts={"epochs": 2.0},
            objectives={"lipschitz": np.inf, "latency": 1.5},
        ),
    )


def rows(*trials: Trial, search: str = SEARCH) -> pd.DataFrame:
    return ledger_rows(trials, search_id=search, forecaster="gru", strategy="bayesian", dates=DATES)


def test_one_row_holds_the_whole_trial() -> None:
    row = rows(trial(12)).iloc[0].to_dict()
    assert row == {
        "trial_id": "ab12ab12ab12ab12-0012",
        "search_id": SEARCH,
        "closes_hash": "",
        "forecaster": "gru",
        "strategy": "bayesian",
        "number": 12,
        "seed": 19,
        "score": 0.9,
        "objectives": '{"error": 0.9, "latency": 1.5, "lipschitz": null}',
        "budget_spent": 120,
        "choices": '{"head": "gru", "width": 8}',
        "parameters": '{"blocks": {"trend": []}, "width": 8}',
        "facts": '{"epochs": 2.0}',
        "validation_dates": ["2014-01-02T00:00:00", "2014-01-03T00:00:00"],
        "validation_returns": [0.01, -0.02],
    }


def test_columns_and_kinds() -> None:
    table = rows(trial(0), trial(1))
    assert list(table.columns) == [*LEDGER_COLUMNS, "validation_dates", "validation_returns"]
    assert {name: str(table[name].dtype) for name in LEDGER_COLUMNS} == LEDGER_COLUMNS


def test_a_trial_keeps_its_id_and_another_search_has_others() -> None:
    first, again = rows(trial(0), trial(1)), rows(trial(1, score=0.3))
    assert again["trial_id"][0] == first["trial_id"][1]
    assert set(rows(trial(0), search="cd34" * 16)["trial_id"]).isdisjoint(first["trial_id"])


@pytest.mark.parametrize("unknown", [None, np.nan, np.inf])
def test_an_objective_without_a_value_is_null(unknown: float | None) -> None:
    original = trial(0, score=np.nan)
    outcome = replace(original.outcome, objectives={"lipschitz": unknown, "parameters": 40.0})
    found = json.loads(rows(replace(original, outcome=outcome))["objectives"][0])
    assert found == {"error": None, "lipschitz": None, "parameters": 40.0}


def test_ids_sort_by_number() -> None:
    ids = rows(*map(trial, [2, 10, 100, 9]))["trial_id"]
    assert [name[-4:] for name in sorted(ids)] == ["0002", "0009", "0010", "0100"]


def test_a_row_survives_parquet(tmp_path: Path) -> None:
    table = rows(trial(0), trial(1))
    table.to_parquet(tmp_path / "ledger.parquet")
    found = pd.read_parquet(tmp_path / "ledger.parquet")
    assert found["validation_returns"][1].tolist() == [0.01, -0.02]
    assert json.loads(found["choices"][0]) == {"head": "gru", "width": 8}
    pd.testing.assert_series_equal(found["trial_id"], table["trial_id"])


def test_the_hash_of_closes_sees_who_could_be_chosen(small_market: Market) -> None:
    everybody = np.ones(small_market.close.shape, dtype=bool)
    one_less = everybody.copy()
    one_less[10, 2] = False
    markets = [replace(small_market, members=each) for each in (None, everybody, one_less)]
    assert hash_of_closes(markets[0]) == hash_of_closes(small_market)
    assert len(set(map(hash_of_closes, markets))) == 3
