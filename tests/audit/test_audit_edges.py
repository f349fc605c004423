from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.audit.edges import (
    Edge,
    MomentumEdge,
    RegimeAutocorrelation,
    RegimeDrift,
)
from regime_nas_pipeline.core.errors import ParameterError

SCALE = np.array([0.01, 0.02, 0.015, 0.03, 0.012, 0.018])


def plain_moves(n_bars: int, n_assets: int = 6, seed: int = 1) -> np.ndarray:
    """Normal moves that share a factor, correlated by one half."""
    generator = np.random.default_rng(seed)
    factor = generator.standard_normal((n_bars, 1))
    own = generator.standard_normal((n_bars, n_assets))
    return SCALE[:n_assets] * np.sqrt(0.5) * (factor + own)


def plant(edge: Edge, moves: np.ndarray, seed: int = 2) -> np.ndarray:
    return edge.plant(moves, SCALE[: moves.shape[1]], np.random.default_rng(seed))


@pytest.mark.parametrize("edge", [RegimeDrift(0.0), RegimeAutocorrelation(0.0), MomentumEdge(0.0)])
def test_no_size_changes_no_bit(edge: Edge) -> None:
    moves = plain_moves(100)
    assert (plant(edge, moves) == moves).all()


@pytest.mark.parametrize(
    "edge",
    [
        RegimeDrift(0.3),
        RegimeDrift(0.1, volatile_ratio=2.5),
        RegimeAutocorrelation(0.5),
        MomentumEdge(0.1),
        MomentumEdge(0.3, lookback=5, horizon=5),
    ],
)
def test_the_size_of_moves_stays(edge: Edge) -> None:
    planted = plant(edge, plain_moves(60_000))[1000:]
    assert np.sqrt((planted**2).mean(axis=0)) == pytest.approx(SCALE, rel=0.04)


# Drift that changes sides.


def test_what_is_added_takes_turns_and_is_nothing_on_average_over_assets() -> None:
    edge = RegimeDrift(0.2, stay=0.95)
    added = plant(edge, np.zeros((20_000, 6))) / SCALE
    assert np.abs(added) == pytest.approx(np.full(added.shape, 0.2))
    assert added.mean(axis=1) == pytest.approx(np.zeros(20_000), abs=1e-15)
    assert (added[:, 0] == -added[:, 1]).all()
    stays = added[1:, 0] == added[:-1, 0]
    assert stays.mean() == pytest.approx(0.95, abs=0.01)
    assert abs(added[:, 0].mean()) < 0.02


def test_the_last_of_an_odd_number_of_assets_has_no_side() -> None:
    added = plant(RegimeDrift(0.2), np.zeros((50, 3)))
    assert (added[:, 2] == 0.0).all()
    assert (added[:, 0] != 0.0).all()


def test_the_second_regime_is_as_volatile_as_was_asked() -> None:
    edge = RegimeDrift(0.1, stay=0.9, volatile_ratio=3.0)
    side = plant(edge, np.zeros((40_000, 6)))[:, 0] > 0.0
    noise = plant(edge, plain_moves(40_000))[:, 0]
    assert noise[~side].std() / noise[side].std() == pytest.approx(3.0, rel=0.05)
    drift = 0.1 * SCALE[0]
    assert noise[side].mean() == pytest.approx(drift, abs=0.2 * drift)


# Autocorrelation that changes its sign.


@pytest.mark.parametrize("seed", range(4))
def test_the_autocorrelation_within_a_regime_is_the_size(seed: int) -> None:
    planted = plant(RegimeAutocorrelation(0.4, stay=1.0), plain_moves(40_000), seed)
    found = [np.corrcoef(column[1:], column[:-1])[0, 1] for column in planted.T]
    assert np.abs(found) == pytest.approx(np.full(6, 0.4), abs=0.02)
    assert len(set(np.sign(found))) == 1


def test_over_both_regimes_neighbours_are_uncorrelated_but_not_independent() -> None:
    planted = plant(RegimeAutocorrelation(0.5, stay=0.97), plain_moves(80_000)) / SCALE
    products = planted[1:, 0] * planted[:-1, 0]
    assert abs(products.mean()) < 0.06
    # The sign of the last forty products tells the regime, and so the next product.
    past = np.convolve(products, np.ones(40) / 40, mode="valid")[:-1]
    assert np.corrcoef(past, products[40:])[0, 1] > 0.1


# Relative strength that goes on.


def information_coefficient(planted: np.ndarray, edge: MomentumEdge) -> float:
    """Correlation of past with future relative returns, over all dates and assets."""
    relative = planted / SCALE
    relative = relative - relative.mean(axis=1, keepdims=True)
    sums = np.vstack([np.zeros(relative.shape[1]), relative.cumsum(axis=0)])
    at = np.arange(edge.lookback, len(relative) - edge.execution_lag - edge.horizon)
    past = sums[at] - sums[at - edge.lookback]
    start = at + edge.execution_lag
    future = sums[start + edge.horizon] - sums[start]
    return float((past * future).sum() / np.sqrt((past**2).sum() * (future**2).sum()))


@pytest.mark.parametrize(
    "edge",
    [
        MomentumEdge(0.05),
        MomentumEdge(0.15, lookback=20, horizon=5, execution_lag=0),
        MomentumEdge(0.3, lookback=10, horizon=21, execution_lag=1),
    ],
)
def test_the_information_coefficient_is_the_one_planted(edge: MomentumEdge) -> None:
    planted = plant(edge, plain_moves(120_000))[1000:]
    assert information_coefficient(planted, edge) == pytest.approx(edge.size, abs=0.015)


def test_nothing_planted_is_nothing_found() -> None:
    edge = MomentumEdge(0.0)
    assert abs(information_coefficient(plain_moves(120_000), edge)) < 0.015


def test_the_average_of_all_assets_is_left_alone() -> None:
    moves = plain_moves(500)
    planted = plant(MomentumEdge(0.2), moves)
    assert not np.allclose(planted, moves)
    assert (planted / SCALE).mean(axis=1) == pytest.approx((moves / SCALE).mean(axis=1))


@settings(max_examples=30, deadline=None)
@given(size=st.floats(0.01, 0.6), lag=st.integers(0, 3))
def test_over_single_bars_it_is_an_ordinary_autoregression(size: float, lag: int) -> None:
    # An AR(1) with coefficient θ has the autocorrelation θ^k at lag k.
    largest = 0.8 ** (lag + 1)
    size = min(size, largest)
    edge = MomentumEdge(size, lookback=1, horizon=1, execution_lag=lag)
    assert edge.persistence ** (lag + 1) == pytest.approx(size, abs=1e-9)


def test_impossible_edges_are_refused() -> None:
    with pytest.raises(ParameterError, match="as large as"):
        MomentumEdge(0.9)
    with pytest.raises(ParameterError, match="size of edge 'momentum'"):
        MomentumEdge(-0.1)
    with pytest.raises(ParameterError, match="lookback"):
        MomentumEdge(0.1, lookback=300)
    with pytest.raises(ParameterError, match="horizon"):
        MomentumEdge(0.1, horizon=0)
    with pytest.raises(ParameterError, match="regime_drift"):
        RegimeDrift(1.0)
    with pytest.raises(ParameterError, match="volatile_ratio"):
        RegimeDrift(0.1, volatile_ratio=0.0)
    with pytest.raises(ParameterError, match="stay"):
        plant(RegimeAutocorrelation(0.1, stay=1.5), plain_moves(10))
    with pytest.raises(ParameterError, match="at least two assets"):
        plant(MomentumEdge(0.1), plain_moves(10, n_assets=1))
