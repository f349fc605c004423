"""Exposures that labels ask for, and which block each label teaches."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.portfolio.exposure.rules import VolatilityTarget
from regime_nas_pipeline.walkforward.regime_uses.labels import (
    all_exposures,
    label_exposures,
    market_moves,
    refuse_late_labels,
)
from regime_nas_pipeline.walkforward.regime_uses.supervision import (
    SHUFFLE_BARS,
    as_blocks,
    block_shares,
    shuffled,
)

RULE = {"calm": ("calm", "trend", "range"), "in_calm": 1.0, "otherwise": 0.5}


def table(market: Market, names: list[str], rows: list[list[float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, index=market.dates[100 : 100 + len(rows)], columns=names)


def test_exposures_are_worked_by_hand(small_market: Market) -> None:
    labels = table(small_market, ["calm", "stressed"], [[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])
    made = label_exposures("mine", labels, small_market, **RULE)
    assert made["by_label"].tolist() == [1.0, 1.0, 0.5]  # of equal ones the calmer one
    np.testing.assert_allclose(made["by_probability"], [0.95, 0.75, 0.6], rtol=1e-12)
    assert made["by_label"].index.equals(labels.index)
    named = table(small_market, ["trend", "range", "volatile"], [[0.1, 0.5, 0.4], [0.3, 0.3, 0.4]])
    made = label_exposures("kmeans", named, small_market, **RULE)
    assert made["by_label"].tolist() == [1.0, 0.5]
    np.testing.assert_allclose(made["by_probability"], [0.8, 0.8], rtol=1e-12)


@pytest.mark.parametrize("names", [["low", "high"], ["calm", "range"]])
def test_labels_without_a_calm_or_without_another_regime_are_refused(
    names: list[str], small_market: Market
) -> None:
    labels = table(small_market, names, [[0.5, 0.5]])
    with pytest.raises(ParameterError, match=rf"regimes of mine.*{names[0]}, {names[1]}"):
        label_exposures("mine", labels, small_market, **RULE)


def test_the_control_reads_the_mean_return_and_stands_last(small_market: Market) -> None:
    labels = table(small_market, ["calm", "stressed"], [[0.9, 0.1]])
    target = VolatilityTarget(target=0.01, cap=1.0, window=5)
    made = all_exposures(small_market, {"mine": labels}, target, **RULE)
    assert list(made) == [
        ("mine", "by_label"),
        ("mine", "by_probability"),
        ("none", "volatility_target"),
    ]
    moves = np.expm1(np.nanmean(small_market.log_returns[1:], axis=1))
    np.testing.assert_allclose(market_moves(small_market), moves, rtol=1e-9)
    trailing = np.sqrt((moves[:5] ** 2).mean() * small_market.bars_per_year)
    control = made["none", "volatility_target"]
    assert control.index[0] == small_market.dates[5]
    assert control.iloc[0] == pytest.approx(min(1.0, 0.01 / trailing))


def test_labels_that_begin_too_late_are_refused(small_market: Market) -> None:
    labels = {"mine": table(small_market, ["calm", "stressed"], [[0.9, 0.1]])}
    refuse_late_labels(labels, small_market.dates[100])
    with pytest.raises(DataError, match=r"labels of mine begin on .* regime_uses\.burn_in"):
        refuse_late_labels(labels, small_market.dates[99])


def test_labels_teach_blocks_by_name_or_by_position() -> None:
    assert block_shares(("volatile", "trend", "range")).tolist() == [
        [0, 0, 1],
        [1, 0, 0],
        [0, 1, 0],
    ]
    assert block_shares(("calm", "stressed")).tolist() == [[0.5, 0.5, 0], [0, 0, 1]]
    assert block_shares(("calm", "middle", "stressed")).tolist() == np.eye(3).tolist()
    assert block_shares(("a", "b", "c", "d")).tolist() == [
        [1, 0, 0],
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
    ]
    with pytest.raises(ParameterError, match="at least two"):
        block_shares(("calm",))
    dates = pd.bdate_range("2020-01-01", periods=2)
    labels = pd.DataFrame([[0.8, 0.2], [0.0, 1.0]], index=dates, columns=["calm", "stressed"])
    made = as_blocks(labels)
    assert list(made.columns) == ["trend", "range", "volatile"]
    np.testing.assert_allclose(made.to_numpy(), [[0.4, 0.4, 0.2], [0.0, 0.0, 1.0]], rtol=1e-12)


def test_shuffled_labels_are_pieces_of_the_past() -> None:
    dates = pd.bdate_range("2000-01-03", periods=2000)
    own = np.arange(2000.0) / 2000.0
    labels = pd.DataFrame({"calm": own, "stressed": 1.0 - own}, index=dates)
    made = shuffled(labels, seed=3)
    assert made.index.equals(dates)
    assert made.iloc[:SHUFFLE_BARS].isna().all(axis=None)
    rows = (made["calm"].to_numpy()[SHUFFLE_BARS:] * 2000).round().astype(int)
    assert (rows <= np.arange(2000 - SHUFFLE_BARS)).all()
    begun = int((np.diff(rows) != 1).sum())
    assert 0.5 < begun / (2000 / SHUFFLE_BARS) < 1.5  # 31 pieces are expected
    # What is later changes nothing of what was said before.
    other = labels.copy()
    other.iloc[1200:] = 0.5
    pd.testing.assert_frame_equal(shuffled(other, seed=3).iloc[:1200], made.iloc[:1200])
    assert not shuffled(labels, seed=4).equals(made)


def test_shuffled_labels_tell_nothing_of_their_bar() -> None:
    generator = np.random.default_rng(0)
    state = np.cumsum(generator.random(6000) < 0.02) % 2.0
    dates = pd.bdate_range("2000-01-03", periods=6000)
    labels = pd.DataFrame({"calm": 1.0 - state, "stressed": state}, index=dates)
    made = shuffled(labels, seed=1)["stressed"].to_numpy()[SHUFFLE_BARS:]
    state = state[SHUFFLE_BARS:]
    assert abs(np.corrcoef(made, state)[0, 1]) < 0.2
    # Spells are as long and as frequent as those of the labels, but for the seams.
    assert abs(made.mean() - state.mean()) < 0.15
    switches = np.abs(np.diff(made)).sum() / np.abs(np.diff(state)).sum()
    assert 0.7 < switches < 2.0
