from __future__ import annotations

import json
import math

import pandas as pd

from regime_nas_pipeline.pipelines.common import records_of, sample_of
from regime_nas_pipeline.walkforward.folds import Fold


def test_records_are_what_json_can_say() -> None:
    table = pd.DataFrame(
        {
            "name": ["a", "b"],
            "share": [0.5, math.nan],
            "limit": [math.inf, 2.0],
            "n": [3, 4],
            "tested": [True, False],
        }
    )
    wanted = [
        {"name": "a", "share": 0.5, "limit": None, "n": 3, "tested": True},
        {"name": "b", "share": None, "limit": 2.0, "n": 4, "tested": False},
    ]
    assert json.loads(json.dumps(records_of(table), allow_nan=False)) == wanted


def test_a_sample_runs_from_the_first_folds_first_to_the_last_folds_last_decision() -> None:
    days = pd.bdate_range("2020-01-01", periods=9)
    folds = [
        Fold(0, days[0], days[1], days[2:6:2]),
        Fold(1, days[0], days[5], days[6:9]),
    ]
    assert sample_of(folds) == {
        "fits": 2,
        "decisions": 5,
        "first_decision": "2020-01-03",
        "last_decision": "2020-01-13",
    }


def test_a_sample_of_hourly_bars_has_the_hours_of_its_decisions() -> None:
    hours = pd.date_range("2020-01-01", periods=100, freq="h")
    found = sample_of([Fold(0, hours[0], hours[47], hours[48::24])])
    assert found["first_decision"] == "2020-01-03 00:00:00"
    assert found["last_decision"] == "2020-01-05 00:00:00"
