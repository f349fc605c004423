from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.core.splits import purged_tail, sample_rows, strided


def test_sample_rows_by_hand() -> None:
    # Ten bars; three of history make row 2 the first. A decision at row 5 is traded at row 6 and
    # its target ends at row 9, the last bar.
    rows = sample_rows(10, history=3, execution_lag=1, horizon=3)
    assert rows.tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize(("n_bars", "expected"), [(0, []), (6, []), (7, [2])])
def test_short_data_has_few_or_no_samples(n_bars: int, expected: list[int]) -> None:
    assert sample_rows(n_bars, history=3, execution_lag=1, horizon=3).tolist() == expected


@pytest.mark.parametrize(("embargo", "training"), [(0, [0, 1, 2, 3]), (1, [0, 1, 2]), (3, [0])])
def test_purged_tail_by_hand(embargo: int, training: list[int]) -> None:
    # A quarter of ten rows, rounded up: rows 7, 8 and 9. Row 3's target ends at 3 + 1 + 3 = 7.
    found = purged_tail(np.arange(10), fraction=0.25, execution_lag=1, horizon=3, embargo=embargo)
    assert found[0].tolist() == training
    assert found[1].tolist() == [7, 8, 9]


def test_rows_with_gaps_are_purged_by_their_numbers() -> None:
    rows = np.array([2, 5, 6, 20, 22])
    training, validation = purged_tail(rows, fraction=0.4, execution_lag=1, horizon=14)
    assert training.tolist() == [2, 5]
    assert validation.tolist() == [20, 22]


@pytest.mark.parametrize(
    ("n_rows", "fraction", "horizon"), [(0, 0.2, 1), (5, 0.2, 4), (5, 0.0, 1), (5, 1.0, 1)]
)
def test_a_part_without_rows_is_an_error(n_rows: int, fraction: float, horizon: int) -> None:
    with pytest.raises(DataError, match=r"cannot be split.*Remedy: start the data earlier"):
        purged_tail(np.arange(n_rows), fraction=fraction, execution_lag=1, horizon=horizon)


@settings(max_examples=60, deadline=None)
@given(
    n_bars=st.integers(0, 120),
    history=st.integers(1, 20),
    lag=st.integers(0, 3),
    horizon=st.integers(1, 25),
    embargo=st.integers(0, 10),
    fraction=st.floats(0.05, 0.95),
)
def test_no_training_target_reaches_the_validation_rows(
    n_bars: int, history: int, lag: int, horizon: int, embargo: int, fraction: float
) -> None:
    rows = sample_rows(n_bars, history=history, execution_lag=lag, horizon=horizon)
    assert ((rows >= history - 1) & (rows + lag + horizon < n_bars)).all()
    try:
        training, validation = purged_tail(
            rows, fraction=fraction, execution_lag=lag, horizon=horizon, embargo=embargo
        )
    except DataError:
        purge = lag + horizon + embargo
        assert len(rows) - np.ceil(fraction * len(rows)) < max(1, purge)
        return
    target_ends = training + lag + horizon
    assert target_ends.max() <= validation.min() - embargo
    assert len(validation) >= fraction * len(rows)
    assert validation[-1] == rows[-1]
    # Nothing is thrown away without need: the next row would have broken the purge.
    kept = len(training)
    assert training.tolist() == rows[:kept].tolist()
    assert rows[kept] + lag + horizon + embargo > validation[0]


def test_strided_by_hand() -> None:
    rows = np.arange(100, 110)
    assert strided(rows, 4).tolist() == [101, 105, 109]
    assert strided(rows, 4, phase=1).tolist() == [100, 104, 108]
    assert strided(rows, 4, phase=3).tolist() == [102, 106]
    assert strided(rows, 4, phase=7).tolist() == [102, 106]


@settings(max_examples=60, deadline=None)
@given(n_rows=st.integers(1, 60), every=st.integers(1, 30))
def test_all_phases_together_cover_every_row_once(n_rows: int, every: int) -> None:
    rows = np.arange(n_rows) + 7
    phases = [strided(rows, every, phase).tolist() for phase in range(min(every, n_rows))]
    assert sorted(row for phase in phases for row in phase) == rows.tolist()


@settings(max_examples=60, deadline=None)
@given(n_rows=st.integers(1, 60), every=st.integers(1, 30), phase=st.integers(0, 99))
def test_no_phase_is_empty_or_out_of_step(n_rows: int, every: int, phase: int) -> None:
    chosen = strided(np.arange(n_rows), every, phase)
    assert len(chosen)
    assert (np.diff(chosen) == every).all()
