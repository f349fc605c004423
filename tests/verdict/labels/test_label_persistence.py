from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_paths import THREE, TWO, chain, path_of

from regime_nas_pipeline.core.errors import ParameterError
from regime_nas_pipeline.verdict.labels.persistence import (
    REGIME_COLUMNS,
    regime_persistence,
    switching,
    transition_shares,
)


def test_transition_shares_by_hand() -> None:
    # Steps: 0->0, 0->1, 1->1, 1->1, 1->0, 0->0.
    shares = transition_shares(path_of("0011100").states, 3)
    np.testing.assert_allclose(shares[:2], [[2 / 3, 1 / 3, 0.0], [1 / 3, 2 / 3, 0.0]])
    assert np.isnan(shares[2]).all()


def test_persistence_by_hand() -> None:
    table = regime_persistence({"mine": path_of("0011100", THREE)}).set_index("regime")
    assert table.loc["calm", ["share", "n_bars", "n_spells"]].tolist() == [4 / 7, 4, 2]
    assert table.loc["calm", ["mean_spell", "median_spell", "stay"]].tolist() == [2, 2, 2 / 3]
    assert table.loc["stressed", ["share", "n_bars", "n_spells"]].tolist() == [0, 0, 0]
    assert table.loc["stressed", ["mean_spell", "stay", "expected_spell"]].isna().all()
    assert table.loc["middle", "expected_spell"] == pytest.approx(3.0)


def test_switches_by_hand() -> None:
    row = switching({"mine": path_of("0011100")}, 252).iloc[0]
    assert row["n_switches"] == 2
    assert row["switches_per_year"] == pytest.approx(2 * 252 / 7)
    assert row["mean_spell"] == pytest.approx(7 / 3)
    assert row["years"] == pytest.approx(7 / 252)
    with pytest.raises(ParameterError, match="bars_per_year"):
        switching({"mine": path_of("01")}, 0)


def test_a_regime_that_never_ends_has_no_expected_length() -> None:
    table = regime_persistence({"mine": path_of("0000")})
    assert table["stay"].iloc[0] == 1.0
    assert np.isnan(table["expected_spell"].iloc[0])
    assert tuple(table.columns) == REGIME_COLUMNS


def test_a_simulated_chain_lasts_as_long_as_its_persistence_says() -> None:
    stay = (0.98, 0.9)
    table = regime_persistence({"chain": path_of(chain(60_000, stay, 3), TWO)})
    # The mean of n geometric lengths is within four standard errors of 1 / (1 - p).
    for row, p in zip(table.to_dict(orient="records"), stay, strict=True):
        length = 1.0 / (1.0 - p)
        error = length * np.sqrt(p / row["n_spells"])
        assert abs(row["mean_spell"] - length) < 4.0 * error
        assert row["stay"] == pytest.approx(p, abs=4.0 * np.sqrt(p * (1 - p) / row["n_bars"]))
    assert table["share"].iloc[0] == pytest.approx(50 / 60, abs=0.03)


@given(st.lists(st.integers(0, 2), min_size=2, max_size=80))
def test_shares_sum_to_one_and_spells_to_switches(states: list[int]) -> None:
    paths = {"mine": path_of(np.array(states), THREE)}
    table = regime_persistence(paths)
    assert table["share"].sum() == pytest.approx(1.0)
    assert table["n_bars"].sum() == len(states)
    changes = sum(a != b for a, b in pairwise(states))
    assert table["n_spells"].sum() - 1 == changes
    assert switching(paths, 252)["n_switches"].iloc[0] == changes
