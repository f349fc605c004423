from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from regime_nas_pipeline.walkforward.verdict_parameters import Verdict

GIVEN: dict[str, Any] = {"costs_bps": [0, 5], "capacity": {"portfolio_value": 1e6}}


def test_what_is_not_said_is_chosen_from_the_data() -> None:
    asked = Verdict(**GIVEN)
    assert asked.block_length is None
    assert asked.costs_bps == (0.0, 5.0)
    assert asked.groups == {}
    assert asked.capacity.volume_in == "units"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"level": 0.5}, "less than 0.5"),
        ({"level": 0.0}, "greater than 0"),
        ({"block_length": 0}, "greater than or equal to 1"),
        ({"resamples": 0}, "greater than or equal to 1"),
        ({"n_blocks": 7}, "multiple of 2"),
        ({"n_blocks": 20}, "less than or equal to 18"),
        ({"costs_bps": []}, "at least 1"),
        ({"costs_bps": [5, 0]}, "must increase"),
        ({"costs_bps": [0, 0]}, "must increase"),
        ({"costs_bps": [-1, 0]}, "greater than or equal to 0"),
        ({"costs_bps": [0, 5000]}, "less than 5000"),
        ({"groups": {"AAPL": "other"}}, "assets without one"),
        ({"capacity": {"portfolio_value": 0}}, "greater than 0"),
        ({"capacity": {"portfolio_value": float("inf")}}, "finite"),
        ({"capacity": {"portfolio_value": 1e6, "volume_in": "dollars"}}, "currency"),
        ({"capacity": {"portfolio_value": 1e6, "limit": 1.5}}, "less than or equal to 1"),
        ({"capacity": {"portfolio_value": 1e6, "window": 0}}, "greater than or equal to 1"),
        ({"subject": "gru"}, "Extra inputs"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Verdict(**{**GIVEN, **change})
