from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import RootModel, ValidationError

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.search.space import (
    Interval,
    Options,
    Space,
    check_choices,
    check_space,
    encode,
    enumerate_space,
    sample,
    space_size,
)

Spaces = RootModel[Space]


def read(**dimensions: dict[str, Any]) -> Space:
    return Spaces.model_validate(dimensions).root


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
        ({"kind": "options", "options": [1, "a", 1.0]}, "options must differ"),
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


def test_samples_stay_inside_and_keep_their_kind() -> None:
    space = read(
        width={"kind": "interval", "low": 2, "high": 4, "integer": True},
        rate={"kind": "interval", "low": 0.01, "high": 1.0, "log": True},
        head={"kind": "options", "options": ["a", 1, 2.5]},
    )
    generator = np.random.default_rng(0)
    found = [sample(space, generator) for _ in range(300)]
    assert all(list(choices) == ["width", "rate", "head"] for choices in found)
    assert all(isinstance(choices["width"], int) for choices in found)
    assert all(0.01 <= choices["rate"] <= 1.0 for choices in found)
    # On a log scale half of the values lie below the geometric middle.
    assert 120 < sum(choices["rate"] < 0.1 for choices in found) < 180
    for name, values in {"width": [2, 3, 4], "head": ["a", 1, 2.5]}.items():
        counts = [sum(choices[name] == value for choices in found) for value in values]
        assert sum(counts) == 300
        assert min(counts) > 70
    for choices in found:
        check_choices(space, choices)


@pytest.mark.parametrize(
    ("dimension", "size"),
    [
        (Options(options=(1, 2, 3)), 3),
        (Interval(low=2, high=4, integer=True), 3),
        (Interval(low=2, high=4), math.inf),
        (Interval(low=2, high=2), 1),
    ],
)
def test_size(dimension: Options | Interval, size: float) -> None:
    assert dimension.size() == size


FINITE: Space = {
    "head": Options(options=("gru", "lstm", "linear")),
    "width": Options(options=(32, 8, 16)),
    "nodes": Interval(low=1, high=2, integer=True),
}


def test_every_candidate_is_listed_once() -> None:
    found = [tuple(choices.values()) for choices in enumerate_space(FINITE)]
    assert len(found) == len(set(found)) == space_size(FINITE) == 18
    assert found[:3] == [("gru", 8, 1), ("gru", 8, 2), ("gru", 16, 1)]


def test_a_continuous_space_cannot_be_listed() -> None:
    space: Space = {**FINITE, "rate": Interval(low=0.1, high=0.2)}
    assert space_size(space) == math.inf
    with pytest.raises(ParameterError, match=r"0\.1 to 0\.2 cannot be enumerated"):
        next(enumerate_space(space))


def test_a_candidate_as_a_point() -> None:
    point = encode(FINITE, {"head": "lstm", "width": 16, "nodes": 1})
    # One-hot for names, the rank among 8, 16 and 32, and 1 as the middle of 0.5 to 1.5.
    assert point.tolist() == [0.0, 1.0, 0.0, 0.5, 0.25]
    logarithmic: Space = {"rate": Interval(low=0.01, high=1.0, log=True)}
    assert encode(logarithmic, {"rate": 0.1}) == pytest.approx([0.5])
    assert encode({"one": Options(options=(3,))}, {"one": 3}).tolist() == [0.0]


intervals = st.builds(
    lambda low, span, log, integer: Interval(low=low, high=low + span, log=log, integer=integer),
    st.integers(1, 50),
    st.integers(0, 40),
    st.booleans(),
    st.booleans(),
)


@given(intervals, st.floats(0, 1))
def test_places_and_values_of_an_interval_belong_together(interval: Interval, place: float) -> None:
    value = interval.decode(place)
    assert interval.contains(value)
    [found] = interval.encode(value)
    assert 0.0 <= found <= 1.0
    assert interval.decode(found) == pytest.approx(value, rel=1e-12)
    if interval.size() == math.inf:
        assert found == pytest.approx(place, abs=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_every_candidate_lies_in_the_unit_cube_at_its_own_place(seed: int) -> None:
    generator = np.random.default_rng(seed)
    first, second = sample(FINITE, generator), sample(FINITE, generator)
    a, b = encode(FINITE, first), encode(FINITE, second)
    assert a.shape == (5,)
    assert ((a >= 0) & (a <= 1)).all()
    assert (a == b).all() == (first == second)


@pytest.mark.parametrize(
    ("choices", "complaint"),
    [
        ({"head": "gru", "width": 8}, "'nodes' of the space has no value"),
        ({"head": "gru", "width": 8, "nodes": 1, "x": 1}, "'x' is no dimension"),
        ({"head": "gru", "width": 9, "nodes": 1}, "'width': 9 is not in the space"),
        ({"head": "gru", "width": 8, "nodes": 3}, "'nodes': 3 is not in the space"),
        ({"head": "gru", "width": 8, "nodes": 1.5}, r"'nodes': 1\.5 is not in the space"),
        ({"head": "gru", "width": 8, "nodes": "1"}, "'nodes': '1' is not in the space"),
    ],
)
def test_choices_outside_the_space_are_refused(choices: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ParameterError, match=complaint):
        check_choices(FINITE, choices)


def test_an_empty_space_is_refused() -> None:
    with pytest.raises(ParameterError, match="no dimension; name at least one choice"):
        check_space({})
