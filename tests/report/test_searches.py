from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.report.searches import search_summary, trials_of_run


def entry(search_id: str, trials: int, **parameters: Any) -> dict[str, Any]:
    return {
        "parameters": parameters,
        "search": {
            "search_id": search_id,
            "strategy": "random",
            "trials": trials,
            "best_trial": 1,
            "score": 0.97,
            "gradient_samples": 900,
            "last_date_seen": "2014-12-31",
            "facts": {"entropy": 0.5},
        },
    }


@pytest.fixture
def ledger() -> pd.DataFrame:
    owners = {"old": ("regime_nas", 4), "new": ("regime_nas", 2), "own": ("gru", 3)}
    return pd.DataFrame(
        [
            {"search_id": search_id, "forecaster": name, "number": number}
            for search_id, (name, count) in owners.items()
            for number in range(count)
        ]
    )


def test_trials_of_this_run_are_told_from_those_of_earlier_runs(ledger: pd.DataFrame) -> None:
    found = [entry("new", 2, blocks={}), entry("own", 3)]
    assert trials_of_run(ledger, found)["search_id"].tolist() == ["new"] * 2 + ["own"] * 3
    summary = search_summary(ledger, found, budget=1000)
    assert (summary["trials"], summary["trials_in_ledger"]) == (5, 9)
    assert summary["forecasters"]["regime_nas"] == {
        "search_strategy": "random",
        "trials": 2,
        "trials_in_ledger": 6,
        "best_trial": 1,
        "best_score": 0.97,
        "budget": 1000,
        "budget_spent": 900,
        "last_date_seen": "2014-12-31",
    }
    assert summary["forecasters"]["gru"]["trials_in_ledger"] == 3


def test_only_a_search_for_cells_has_facts_about_cells(ledger: pd.DataFrame) -> None:
    found = [entry("new", 2, blocks={}), entry("own", 3)]
    assert search_summary(ledger, found, budget=1)["cells"] == {"regime_nas": {"entropy": 0.5}}


def test_a_search_that_is_not_in_the_ledger_is_an_error(ledger: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no trial of search lost"):
        search_summary(ledger, [entry("lost", 2)], budget=1)
