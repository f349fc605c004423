from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.synthetic import hidden_chain
from regime_nas_pipeline.regimes.classifier_controls import (
    base_rate_switch,
    filter_forecast,
    hard_persistence,
    known_transitions,
    persistence_forecast,
    realised,
    transition_switch,
)

SAID = [0, 0, 1, 0, 0, 0]


def labels_of(said: list[int] | np.ndarray) -> pd.DataFrame:
    certainty = np.where(np.asarray(said) == 0, 0.8, 0.3)
    dates = pd.bdate_range("2001-01-01", periods=len(said), name="date")
    both = np.column_stack([certainty, 1.0 - certainty])
    return pd.DataFrame(both, index=dates, columns=["calm", "stressed"])


def test_outcomes_are_indexed_by_the_decision_date() -> None:
    labels = labels_of(SAID)
    found = realised(labels, target="label", lead=2)
    assert found.tolist() == ["stressed", "calm", "calm", "calm"]
    pd.testing.assert_index_equal(found.index, labels.index[:4])
    switches = realised(labels, target="switch", lead=2)
    assert switches.tolist() == ["switch", "switch", "switch", "stay"]


def test_transitions_known_at_each_date_by_hand() -> None:
    found = known_transitions(labels_of(SAID))
    # One of each kind is added; nothing has moved before the first bar.
    np.testing.assert_allclose(found[0], [[1 / 2, 1 / 2], [1 / 2, 1 / 2]])
    np.testing.assert_allclose(found[1], [[2 / 3, 1 / 3], [1 / 2, 1 / 2]])
    np.testing.assert_allclose(found[2], [[2 / 4, 2 / 4], [1 / 2, 1 / 2]])
    np.testing.assert_allclose(found[3], [[2 / 4, 2 / 4], [2 / 3, 1 / 3]])
    np.testing.assert_allclose(found[5], [[4 / 6, 2 / 6], [2 / 3, 1 / 3]])
    half = known_transitions(labels_of(SAID), smoothing=0.5)
    np.testing.assert_allclose(half[5, 0], [3.5 / 5, 1.5 / 5])


def test_transitions_of_a_long_chain_are_its_own() -> None:
    said = hidden_chain(n_bars=20_000, n_states=2, stay=0.95, seed=3)
    found = known_transitions(labels_of(said))[-1]
    np.testing.assert_allclose(np.diag(found), 0.95, atol=0.01)


def test_persistence_moves_the_last_label_by_the_matrix_of_its_date() -> None:
    labels = labels_of(SAID)
    found = persistence_forecast(labels, lead=1)
    np.testing.assert_allclose(found.loc[labels.index[2]], [1 / 2, 1 / 2])
    np.testing.assert_allclose(found.loc[labels.index[5]], [4 / 6, 2 / 6])
    matrix = np.array([[4 / 6, 2 / 6], [2 / 3, 1 / 3]])
    ahead = persistence_forecast(labels, lead=3).loc[labels.index[5]]
    np.testing.assert_allclose(ahead, (matrix @ matrix @ matrix)[0])


def test_of_the_same_day_only_the_label_before_is_known() -> None:
    labels = labels_of(SAID)
    found = hard_persistence(labels, lead=0)
    pd.testing.assert_index_equal(found.index, labels.index[1:])
    assert found["stressed"].tolist() == [0, 0, 1, 0, 0]
    tomorrow = hard_persistence(labels, lead=1)
    assert tomorrow["stressed"].tolist() == [0, 0, 1, 0, 0, 0]
    soft = persistence_forecast(labels, lead=0)
    np.testing.assert_array_equal(soft, persistence_forecast(labels, lead=1).iloc[:-1])


def test_the_filters_forecast_by_hand() -> None:
    filtered = labels_of([0, 1])
    transition = np.array([[0.9, 0.1], [0.25, 0.75]])
    found = filter_forecast(filtered, transition)
    np.testing.assert_allclose(found.iloc[0], [0.8 * 0.9 + 0.2 * 0.25, 0.8 * 0.1 + 0.2 * 0.75])
    np.testing.assert_allclose(found.iloc[1], [0.3 * 0.9 + 0.7 * 0.25, 0.3 * 0.1 + 0.7 * 0.75])
    two = filter_forecast(filtered, transition, lead=2)
    np.testing.assert_allclose(two, filter_forecast(found, transition))
    by_date = filter_forecast(filtered, np.stack([transition, np.eye(2)]))
    np.testing.assert_allclose(by_date.iloc[0], found.iloc[0])
    np.testing.assert_allclose(by_date.iloc[1], filtered.iloc[1])


def test_switches_by_hand() -> None:
    labels = labels_of(SAID)
    found = transition_switch(labels, within=3)
    np.testing.assert_allclose(found["switch"].iloc[2], 1.0 - (1 / 2) ** 3)
    np.testing.assert_allclose(found["switch"].iloc[5], 1.0 - (4 / 6) ** 3)
    rate = base_rate_switch(labels, within=2)
    # Windows that are over by bar 5: those of bars 0 to 3, of which three hold a switch.
    assert rate["switch"].tolist() == pytest.approx([1 / 2, 1 / 2, 2 / 3, 3 / 4, 4 / 5, 4 / 6])
    np.testing.assert_allclose(rate.sum(axis=1), 1.0)


def test_the_future_changes_no_control() -> None:
    said = hidden_chain(n_bars=120, n_states=2, stay=0.9, seed=1)
    other = said.copy()
    other[80:] = 1 - other[80:]
    for control in (
        lambda labels: persistence_forecast(labels, lead=4),
        lambda labels: hard_persistence(labels, lead=0),
        lambda labels: filter_forecast(labels, known_transitions(labels)),
        lambda labels: transition_switch(labels, within=5),
        lambda labels: base_rate_switch(labels, within=5),
    ):
        first, second = control(labels_of(said)), control(labels_of(other))
        until = labels_of(said).index[79]
        pd.testing.assert_frame_equal(first.loc[:until], second.loc[:until], check_exact=True)
        assert not first.equals(second)


def test_wrong_input_is_refused() -> None:
    labels = labels_of(SAID)
    with pytest.raises(ParameterError, match="smoothing"):
        known_transitions(labels, smoothing=0.0)
    with pytest.raises(ParameterError, match="cannot be moved -1"):
        filter_forecast(labels, np.eye(2), lead=-1)
    with pytest.raises(ParameterError, match="cannot be moved"):
        filter_forecast(labels, np.eye(3))
    with pytest.raises(ParameterError, match="distribution"):
        filter_forecast(labels, np.full((2, 2), 0.6))
    labels.iloc[2] = np.nan
    with pytest.raises(DataError, match=r"2001-01-03.*blank"):
        persistence_forecast(labels)
