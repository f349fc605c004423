from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_paths import THREE, dates_of, labels_of, path_of

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.labels.states import (
    by_volatility,
    common_dates,
    most_likely,
    spells_of,
    without_short_spells,
)


def test_the_most_likely_regime_is_said_and_ties_go_to_the_calmer() -> None:
    table = pd.DataFrame({"calm": [0.6, 0.5, 0.1], "stressed": [0.4, 0.5, 0.9]}, index=dates_of(3))
    path = most_likely(table, "mine")
    assert path.states.tolist() == [0, 0, 1]
    assert path.names == ("calm", "stressed")
    assert most_likely(table.reset_index(), "mine").dates.equals(path.dates)


def _faulty(change: str) -> pd.DataFrame:
    table = labels_of("001")
    if change == "blank":
        table.iloc[1, 0] = np.nan
    elif change == "sum":
        table.iloc[1, 0] = 0.9
    elif change == "negative":
        table.iloc[1] = [1.2, -0.2]
    elif change == "order":
        table = table.iloc[[0, 2, 1]]
    else:
        table = table.iloc[:0]
    return table


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("blank", "2000-01-04.*do not sum to 1"),
        ("sum", "2000-01-04.*do not sum to 1"),
        ("negative", "2000-01-04.*negative"),
        ("order", "must increase"),
        ("none", "no labels"),
    ],
)
def test_faulty_labels_are_refused_by_name(change: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        most_likely(_faulty(change), "mine")
    assert caught.value.source == "mine"


def test_spells_by_hand() -> None:
    spells = spells_of(path_of("0011101").states)
    assert spells.start.tolist() == [0, 2, 5, 6]
    assert spells.length.tolist() == [2, 3, 1, 1]
    assert spells.state.tolist() == [0, 1, 0, 1]
    assert spells.stop.tolist() == [2, 5, 6, 7]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=60))
def test_spells_put_together_are_the_path(states: list[int]) -> None:
    spells = spells_of(np.array(states))
    assert np.repeat(spells.state, spells.length).tolist() == states
    assert (spells.state[1:] != spells.state[:-1]).all()


@pytest.mark.parametrize(
    ("states", "least", "settled"),
    [
        ("0001000", 2, "0000000"),
        ("0001100", 2, "0001100"),
        ("0110222", 3, "0000222"),
        ("1000", 3, "1000"),  # The first spell stays, however short.
        ("00101011", 2, "00000011"),
        ("0001000", 1, "0001000"),
    ],
)
def test_short_spells_belong_to_what_was_there_before(
    states: str, least: int, settled: str
) -> None:
    found = without_short_spells(path_of(states, THREE).states, least)
    assert "".join(map(str, found)) == settled


def test_a_spell_has_a_bar_at_least() -> None:
    with pytest.raises(ParameterError, match="at least 1 bar"):
        without_short_spells(np.array([0, 1]), 0)


def test_only_bars_that_all_label_are_shared() -> None:
    first = path_of("000011")
    late = first.on(first.dates[2:])
    assert common_dates({"a": first, "b": late}).equals(late.dates)
    with pytest.raises(DataError, match="no date has labels of all"):
        common_dates({"a": first.on(first.dates[:2]), "b": late})
    with pytest.raises(DataError, match="no labels to judge"):
        common_dates({})
    with pytest.raises(DataError, match=r"2000-01-03.*no label"):
        late.on(first.dates)


def test_regimes_are_ordered_by_the_moves_on_their_own_bars() -> None:
    path = path_of("0120", ("wild", "quiet", "between", "never"))
    order = by_volatility(path, np.array([0.05, -0.01, 0.02, -0.05]))
    assert order.tolist() == [1, 2, 0, 3]
