from __future__ import annotations

import math
from typing import Any

import optuna
import pytest
from pydantic import RootModel, ValidationError

from regime_nas_pipeline.search.space import Interval, Options, Space, suggest

Spaces = RootModel[Space]


def read(**dimensions: dict[str, Any]) -> Space:
    return Spaces.model_validate(dimensions).root


@pytest.fixture
def study() -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))


def test_a_dimension_is_read_by_its_kind() -> None:
    space = read(
        head={"kind": "options", "options": ["linear", "gru"]},
        rate={"kind": "interval", "low": 0.001, "high": 0.1, "log": True},
    )
    assert space == {
        "head": Options(options=("linear", "gru")),
        "rate": Interval(low=0.001, high=0.1, log=True),
    }


@pytest.mark.parametrize(
    ("dimension", "complaint"),
    [
        ({"kind": "options", "options": []}, "at least 1 item"),
        ({"kind": "options", "options": [1], "low": 2}, "low"),
        ({"kind": "interval", "low": 2, "high": 1}, "low <= high.*2.0 and 1.0"),
        ({"kind": "interval", "low": 0, "high": 1, "log": True}, "low > 0 on a log scale"),
        ({"kind": "interval", "low": 1.5, "high": 4, "integer": True}, "whole bounds; got 1.5"),
        ({"kind": "interval", "low": 1, "high": 4.5, "integer": True}, "whole bounds; got 1.0"),
        ({"kind": "interval", "low": 1, "high": math.inf}, "finite number"),
        ({"kind": "interval", "low": math.nan, "high": 1}, "finite number"),
        ({"kind": "interval", "low": 1}, "high"),
        ({"kind": "interval", "low": 1, "high": 2, "step": 1}, "step"),
        ({"kind": "normal", "low": 1, "high": 2}, "kind"),
        ({"options": [1, 2]}, "kind"),
    ],
)
def test_a_bad_dimension_is_refused(dimension: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        read(width=dimension)


def test_suggestions_stay_inside_and_keep_their_kind(study: optuna.Study) -> None:
    space = read(
        width={"kind": "interval", "low": 2, "high": 4, "integer": True},
        rate={"kind": "interval", "low": 0.01, "high": 1.0, "log": True},
        head={"kind": "options", "options": ["a", 1, 2.5]},
    )
    found = [suggest(study.ask(), space) for _ in range(200)]
    assert all(list(choices) == ["width", "rate", "head"] for choices in found)
    assert {choices["width"] for choices in found} == {2, 3, 4}
    assert all(isinstance(choices["width"], int) for choices in found)
    assert all(0.01 <= choices["rate"] <= 1.0 for choices in found)
    # On a log scale half of the proposals lie below the geometric middle.
    assert 70 < sum(choices["rate"] < 0.1 for choices in found) < 130
    assert {choices["head"] for choices in found} == {"a", 1, 2.5}


@pytest.mark.parametrize(
    ("dimension", "size"),
    [
        (Options(options=(1, 2, 3)), 3),
        (Interval(low=2, high=4, integer=True), 3),
        (Interval(low=2, high=4), math.inf),
    ],
)
def test_size(dimension: Options | Interval, size: float) -> None:
    assert dimension.size() == size
