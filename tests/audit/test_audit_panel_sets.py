from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.audit.panel_sets import judge_sets, rates_by_set
from regime_nas_pipeline.audit.placebo import judge_tests


def table_of(p_values: dict[tuple[str, str, str], np.ndarray]) -> pd.DataFrame:
    """One row per panel for each (set, test, subject)."""
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "set": name,
                    "panel": np.arange(len(values)),
                    "seed": 1,
                    "edge": "none",
                    "edge_size": 0.0,
                    "n_bars": 100,
                    "test": test,
                    "subject": subject,
                    "against": "reference",
                    "p_beats": values,
                }
            )
            for (name, test, subject), values in p_values.items()
        ],
        ignore_index=True,
    )


def rejections(count: int, n: int = 200) -> np.ndarray:
    return np.r_[np.full(count, 0.01), np.full(n - count, 0.6)]


def test_one_set_is_enough_to_withdraw_a_test() -> None:
    table = table_of(
        {
            ("one", "good", "a"): rejections(10),
            ("two", "good", "a"): rejections(10),
            ("one", "bad", "a"): rejections(10),
            ("two", "bad", "a"): rejections(40),
            ("two", "bad", "b"): rejections(60),
            ("one", "never", "a"): np.full(200, np.nan),
            ("two", "never", "a"): np.full(200, np.nan),
        }
    )
    found = judge_sets(table)
    verdicts = {test: each["verdict"] for test, each in found.items()}
    assert verdicts == {"good": "kept", "bad": "withdrawn", "never": "not judged"}
    assert found["bad"]["sets"]["one"]["verdict"] == "kept"
    assert found["bad"]["reason"].startswith("two: ")
    worst = found["bad"]["worst"]
    assert (worst["set"], worst["subject"], worst["n_rejected"]) == ("two", "b", 60)
    assert found["never"]["worst"]["rate"] is None
    assert json.loads(json.dumps(found)) == found


def test_sets_share_the_familywise_level() -> None:
    one = {("one", "t", "a"): rejections(16)}
    alone = judge_sets(table_of(one))
    both = judge_sets(table_of({**one, ("two", "t", "a"): rejections(10)}))
    # 16 of 200 have a probability of 4.4 %: enough at 5 %, and not at half of it.
    assert alone["t"]["verdict"] == "withdrawn"
    assert both["t"]["verdict"] == "kept"
    by_hand = judge_tests(table_of(one), familywise=0.025)
    assert by_hand["verdict"].tolist() == ["kept"]


def test_rates_are_counted_set_by_set_and_decisions_at_their_own_level_only() -> None:
    decisions = np.r_[np.full(20, 0.04), np.full(80, 1.0)]
    table = table_of(
        {
            ("one", "stepwise_sharpe", "a"): decisions,
            ("one", "ledoit_wolf", "a"): decisions,
            ("two", "ledoit_wolf", "a"): rejections(3, 50),
        }
    )
    rates = rates_by_set(table, level=0.04).set_index(["set", "test", "level"]).sort_index()
    assert rates.loc[("one", "stepwise_sharpe", 0.04), "rate"] == pytest.approx(0.2)
    assert list(rates.loc[("one", "stepwise_sharpe")].index) == [0.04]
    assert list(rates.loc[("one", "ledoit_wolf")].index) == [0.01, 0.04, 0.05, 0.1]
    assert rates.loc[("two", "ledoit_wolf", 0.05), "n_tested"] == 50
    assert rates.loc[("two", "ledoit_wolf", 0.05), "n_rejected"] == 3
