from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.verdict.accuracy import forecast_accuracy
from regime_nas_pipeline.verdict.efficiency import (
    chance_band,
    efficiency_table,
    oracle_efficiency,
    r2_zero,
)


def test_r2_by_hand_over_what_both_have() -> None:
    mean = np.array([[1.0, 0.0, np.nan], [2.0, 1.0, 1.0]])
    target = np.array([[2.0, 1.0, 5.0], [2.0, np.nan, -1.0]])
    # Errors 1, 1, 0, 2 against targets 2, 1, 2, 1.
    assert r2_zero(mean, target) == pytest.approx(1 - 6 / 10)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_r2_is_that_of_the_accuracy_table(seed: int) -> None:
    generator = np.random.default_rng(seed)
    mean, target = generator.normal(size=(2, 12, 3))
    mean[generator.random(mean.shape) < 0.2] = np.nan
    assert r2_zero(mean, target) == pytest.approx(
        forecast_accuracy(mean, target, np.zeros(3))["r2_zero"]
    )


def test_r2_without_anything_to_explain_or_to_compare() -> None:
    assert r2_zero(np.ones(3), np.zeros(3)) is None
    with pytest.raises(DataError, match="no forecast whose target is known"):
        r2_zero(np.full(3, np.nan), np.ones(3))
    with pytest.raises(DataError, match=r"forecasts \(3,\) and targets \(2,\)"):
        r2_zero(np.ones(3), np.ones(2))


def test_efficiency_is_the_share_of_the_best_and_undefined_without_a_best() -> None:
    assert oracle_efficiency(0.03, 0.06) == pytest.approx(0.5)
    assert oracle_efficiency(-0.03, 0.06) == pytest.approx(-0.5)
    assert oracle_efficiency(0.03, 0.0) is None
    assert oracle_efficiency(0.03, -0.1) is None


def test_the_table_takes_the_median_of_ratios_market_by_market() -> None:
    table = efficiency_table({"gru": [0.01, 0.08, 0.05], "mlp": [0.0, 0.0, 0.0]}, [0.1, 0.1, -0.2])
    assert table["gru"]["seeds"] == pytest.approx([0.1, 0.8, None])
    assert table["gru"]["median"] == pytest.approx(0.45)
    assert table["mlp"] == {"median": 0.0, "seeds": [0.0, 0.0, None]}
    assert efficiency_table({"gru": [0.1]}, [0.0])["gru"] == {"median": None, "seeds": [None]}
    with pytest.raises(DataError, match="gru has 1 values of R² and the oracle 2"):
        efficiency_table({"gru": [0.1]}, [0.1, 0.1])


def walk(seed: int, n_dates: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Forecasts that follow the last return, and returns that do not; volatility changes."""
    generator = np.random.default_rng(seed)
    size = 0.01 * np.where(np.arange(n_dates + 1) % 100 < 50, 1.0, 3.0)
    common = generator.standard_normal(n_dates + 1)
    returns = size[:, None] * (generator.standard_normal((n_dates + 1, 4)) + common[:, None])
    return 0.1 * returns[:-1], returns[1:]


def test_the_band_holds_as_often_as_it_says_on_martingales() -> None:
    inside, below = 0, 0
    for seed in range(200):
        band = chance_band(*walk(seed), level=0.8, n_draws=300, seed=seed)
        inside += band.low <= band.r2 <= band.high
        below += band.p_value <= 0.1
    # Standard errors 0.028 and 0.021.
    assert inside / 200 == pytest.approx(0.8, abs=0.09)
    assert below / 200 == pytest.approx(0.1, abs=0.07)


def test_the_band_has_the_mean_and_width_of_the_formula() -> None:
    mean, target = walk(1)
    squares = (target**2).sum()
    by_date = (mean * target).sum(axis=1)
    centre = -(mean**2).sum() / squares
    spread = 2.0 * math.sqrt((by_date**2).sum()) / squares
    band = chance_band(mean, target, level=0.9, n_draws=20_000, seed=0)
    assert (band.low + band.high) / 2 == pytest.approx(centre, abs=0.05 * spread)
    assert (band.high - band.low) / 2 == pytest.approx(1.645 * spread, rel=0.05)
    assert band.r2 == pytest.approx(r2_zero(mean, target))


def test_skill_lies_above_the_band() -> None:
    generator = np.random.default_rng(0)
    mean = 0.003 * generator.standard_normal((400, 4))
    target = mean + 0.01 * generator.standard_normal((400, 4))
    target[5, 2] = mean[7, 1] = np.nan
    band = chance_band(mean, target, n_draws=999, seed=1)
    assert band.r2 == pytest.approx(r2_zero(mean, target))
    assert band.r2 > band.high
    assert band.p_value == pytest.approx(1 / 1000)
    assert chance_band(mean, target, n_draws=999, seed=1) == band


def test_what_has_no_band_is_refused() -> None:
    mean, target = walk(0, n_dates=5)
    with pytest.raises(ParameterError, match="level between 0 and 1"):
        chance_band(mean, target, level=1.0, seed=0)
    with pytest.raises(ParameterError, match="at least one draw"):
        chance_band(mean, target, n_draws=0, seed=0)
    with pytest.raises(DataError, match="no target moved"):
        chance_band(mean, np.zeros(target.shape), seed=0)
    with pytest.raises(DataError, match="must have one shape"):
        chance_band(mean, target[1:], seed=0)
