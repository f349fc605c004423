from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.forecasters.gru import GRUForecaster
from regime_nas_pipeline.forecasters.options import (
    arguments_of,
    option_of_timeframes,
    timeframes_of_option,
)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=5))
def test_timeframes_survive_being_written_as_an_option(timeframes: list[int]):
    assert timeframes_of_option(option_of_timeframes(timeframes)) == timeframes


@pytest.mark.parametrize(
    "option", ["", "1-", "-1", "1,5", "1-0", "1.5", "one", "1--5", "\u0661", 0.5]
)
def test_another_spelling_is_an_error(option: object):
    with pytest.raises(ParameterError, match="is not bars with hyphens between them"):
        timeframes_of_option(option)


def test_weights_are_gathered_and_the_rest_is_left_alone():
    choices = {"width": 8, "label_weight": 0.1, "timeframes": "1-5", "l2_weight": 0.0}
    assert arguments_of(choices, frozenset({"label_weight", "l2_weight"})) == {
        "width": 8,
        "timeframes": [1, 5],
        "objective": {"label_weight": 0.1, "l2_weight": 0.0},
    }
    assert arguments_of({"width": 8}, frozenset({"label_weight"})) == {"width": 8}


def test_a_forecaster_is_made_from_its_choices():
    found = GRUForecaster.from_choices({"timeframes": "1-5", "ranking_weight": 0.2})
    assert found == {"timeframes": [1, 5], "objective": {"ranking_weight": 0.2}}
