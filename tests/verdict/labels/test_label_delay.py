from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_paths import THREE, TWO, chain, path_of

from regime_nas_pipeline.core.errors import DataError
from regime_nas_pipeline.verdict.labels.delay import (
    SUMMARY_COLUMNS,
    SWITCH_COLUMNS,
    delay_summary,
    false_alarms,
    switch_delays,
)


def test_delays_by_hand() -> None:
    truth = {"mine": path_of("0001111000110000011")}
    said_ = {"mine": path_of("0000011100000111000")}
    table = switch_delays(said_, truth)
    assert tuple(table.columns) == SWITCH_COLUMNS
    assert table["regime"].tolist() == ["stressed", "calm", "stressed", "calm", "stressed"]
    assert table["outcome"].tolist() == ["found", "found", "missed", "found", "open"]
    np.testing.assert_array_equal(table["delay"], [2.0, 1.0, np.nan, 0.0, np.nan])
    assert table["already"].tolist() == [False, False, False, True, False]
    assert table["date"].iloc[0] == truth["mine"].dates[3]


def test_the_summary_by_hand() -> None:
    truth = {"mine": path_of("0001111000110000011")}
    said = {"mine": path_of("0000011100000111000")}
    row = delay_summary(said, truth, bars_per_year=252).iloc[0]
    assert tuple(row.index) == SUMMARY_COLUMNS
    assert (row["n_switches"], row["n_found"]) == (4, 3)
    assert row["median_delay"] == 1.0
    assert row["mean_delay"] == 1.0
    assert row["median_delay_all"] == 1.5  # 0, 1, 2, never
    assert row["share_missed"] == 0.25
    assert row["share_already"] == 0.25
    # The second stressed spell meets no stressed bar of hindsight; the last calm one is unfinished.
    assert row["n_false_alarms"] == 1
    assert row["false_alarms_per_year"] == pytest.approx(252 / 19)
    assert row["same_as_hindsight"] == pytest.approx(9 / 19)


def test_labels_that_are_the_truth_seven_bars_later_have_a_delay_of_seven() -> None:
    rng = np.random.default_rng(1)
    truth = np.repeat(np.arange(60) % 2, rng.integers(8, 60, size=60))
    said = np.concatenate([np.zeros(7, dtype=int), truth[:-7]])
    online, hindsight = {"late": path_of(said)}, {"late": path_of(truth)}
    delays = switch_delays(online, hindsight)
    assert (delays["outcome"] == "found").all()
    assert (delays["delay"] == 7.0).all()
    row = delay_summary(online, hindsight, bars_per_year=252).iloc[0]
    assert (row["median_delay"], row["mean_delay"], row["median_delay_all"]) == (7.0, 7.0, 7.0)
    assert row["n_false_alarms"] == 0
    assert row["share_already"] == 0.0


def test_a_spell_shorter_than_the_delay_is_missed_and_then_a_false_alarm() -> None:
    truth = "0" * 10 + "1" * 4 + "0" * 30
    said = "0" * 7 + truth[:-7]
    row = delay_summary({"late": path_of(said)}, {"late": path_of(truth)}, bars_per_year=252).iloc[
        0
    ]
    assert row["share_missed"] == 0.5
    assert row["n_false_alarms"] == 1
    assert row["share_already"] == 0.5


def test_lasting_switches_leave_out_what_flickers() -> None:
    truth = "0" * 5 + "1" + "0" * 5 + "1" * 8
    said = "0" * 13 + "1" * 6
    table = switch_delays({"a": path_of(said)}, {"a": path_of(truth)}, min_spell=3)
    assert table["delay"].tolist() == [2.0]
    assert table["min_spell"].tolist() == [3]
    row = delay_summary(
        {"a": path_of(said)}, {"a": path_of(truth)}, bars_per_year=252, min_spell=3
    ).iloc[0]
    assert row["same_as_hindsight"] == pytest.approx(17 / 19)


@pytest.mark.parametrize(
    ("said", "truth", "rows"),
    [
        ("00110001100", "00000001100", [2]),
        ("00110001100", "00001001100", [2]),
        ("00110001100", "00010001100", []),
        ("1100", "0000", []),  # Begins with no switch.
        ("0011", "0000", []),  # Its end is not known.
        ("0000", "0110", []),
    ],
)
def test_false_alarms_by_hand(said: str, truth: str, rows: list[int]) -> None:
    found = false_alarms(path_of(said).states, path_of(truth).states)
    assert found.tolist() == rows


def test_without_a_switch_there_is_nothing_to_be_late_for() -> None:
    row = delay_summary({"a": path_of("0010")}, {"a": path_of("0000")}, bars_per_year=252).iloc[0]
    assert (row["n_switches"], row["n_found"], row["n_false_alarms"]) == (0, 0, 1)
    assert row[["median_delay", "mean_delay", "median_delay_all", "share_missed"]].isna().all()


def test_more_missed_than_found_has_no_median_of_all() -> None:
    truth = "0001000100010001000"
    row = delay_summary({"a": path_of("0" * 19)}, {"a": path_of(truth)}, bars_per_year=252).iloc[0]
    assert row["share_missed"] == 0.5
    assert row["median_delay"] == 0.0
    assert np.isnan(row["median_delay_all"])


@given(st.integers(0, 1000), st.integers(2, 40))
def test_who_says_the_truth_is_never_late(seed: int, n: int) -> None:
    truth = path_of(chain(n, (0.8, 0.6, 0.7), seed), THREE)
    table = switch_delays({"a": truth}, {"a": truth})
    assert (table["outcome"] == "found").all()
    assert (table["delay"] == 0.0).all()
    assert not len(false_alarms(truth.states, truth.states))


def test_labels_that_do_not_belong_together_are_refused() -> None:
    truth = path_of("0011")
    with pytest.raises(DataError, match="none said on the day"):
        switch_delays({"b": truth}, {"a": truth})
    with pytest.raises(DataError, match="regimes with hindsight are"):
        switch_delays({"a": path_of("0011", THREE)}, {"a": path_of("0011", TWO)})
    with pytest.raises(DataError, match="not of the bars"):
        switch_delays({"a": truth.on(truth.dates[1:])}, {"a": truth})
