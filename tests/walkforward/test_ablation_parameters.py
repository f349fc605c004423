from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from regime_nas_pipeline.walkforward.ablation_parameters import Ablation

GIVEN: dict[str, Any] = {"variants": ["uniform_gate"], "curve": {"limits": [0.5, 2.0]}}


def test_defaults_are_enough_seeds_for_an_interval() -> None:
    asked = Ablation(**GIVEN)
    assert asked.seeds >= 5
    assert asked.curve.limits == (0.5, 2.0)
    assert Ablation(**GIVEN, folds=None).folds is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": 1}, "greater than or equal to 2"),
        ({"variants": ["uniform_gate", "uniform_gate"]}, "listed twice"),
        ({"variants": ["without_luck"]}, "without_luck"),
        ({"variants": []}, "at least 1"),
        ({"curve": {"limits": [2.0, 0.5]}}, "must increase"),
        ({"curve": {"limits": [0.0, 0.5]}}, "greater than 0"),
        ({"lipschitz_limit": 0.0}, "greater than 0"),
        ({"folds": 0}, "greater than or equal to 1"),
        ({"level": 1.0}, "less than 1"),
        ({"seed": 3}, "Extra inputs"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Ablation(**{**GIVEN, **change})
