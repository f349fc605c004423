from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.market.features import (
    VOLATILITY_FLOOR,
    Features,
    make_features,
    mean_and_deviation,
    trailing_sum,
    trailing_volatility,
    warm_up,
)
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import random_walk_market, with_listing

TIMEFRAMES = (1, 5, 21)
LEVEL = "trailing_volatility"


@pytest.fixture(scope="module")
def rich_market() -> Market:
    """Four assets with high, low and volume; one is listed late and one ends early."""
    market = random_walk_market(n_assets=4, n_bars=260, seed=5)
    generator = np.random.default_rng(6)
    spread = np.exp(0.01 * generator.random(market.close.shape))
    fields = {
        "high": market.close * spread,
        "low": market.close / spread,
        "volume": np.round(1e5 * generator.random(market.close.shape)),
    }
    rich = replace(market, fields=fields)
    return with_listing(rich, first_bar={"A02": 90}, last_bar={"A03": 200})


@pytest.fixture(scope="module")
def features(rich_market: Market) -> Features:
    return make_features(rich_market, TIMEFRAMES)


def assert_rows_equal(found: Features, expected: Features, rows: slice) -> None:
    for name in ("asset", "market", "volatility"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name)[rows], name)


def test_names_and_timeframes(features: Features) -> None:
    assert dict(zip(features.names, features.timeframes, strict=True)) == {
        "return_1": 1,
        "absolute_return_1": 1,
        "lag_product_1": 1,
        "return_5": 5,
        "realised_volatility_5": 5,
        "efficiency_ratio_5": 5,
        "lag_product_5": 5,
        "return_21": 21,
        "realised_volatility_21": 21,
        "efficiency_ratio_21": 21,
        "lag_product_21": 21,
        "trailing_volatility": 21,
        "log_range": 1,
        "log_volume_ratio": 1,
    }
    assert features.asset.shape == (260, 4, 14)
    assert features.market.shape == (260, 14)


def by_pandas(market: Market, column: int) -> pd.DataFrame:
    """The same features of one asset, from rolling windows of pandas."""
    r = pd.Series(np.log(market.close[:, column])).diff()
    volatility = np.sqrt((r**2).rolling(63).mean())
    neighbours = r * r.shift(1) / volatility**2
    table = {
        "return_1": r / volatility,
        "absolute_return_1": r.abs() / volatility,
        "lag_product_1": neighbours,
    }
    for k in (5, 21):
        table[f"return_{k}"] = r.rolling(k).sum() / (volatility * np.sqrt(k))
        realised = np.sqrt((r**2).rolling(k).mean())
        table[f"realised_volatility_{k}"] = np.log(realised / volatility)
        table[f"efficiency_ratio_{k}"] = r.rolling(k).sum().abs() / r.abs().rolling(k).sum()
        table[f"lag_product_{k}"] = neighbours.rolling(k).mean()
    table["trailing_volatility"] = np.log(volatility)
    high, low, volume = (
        pd.Series(market.fields[name][:, column]) for name in ("high", "low", "volume")
    )
    table["log_range"] = np.log(high / low) / volatility
    table["log_volume_ratio"] = np.log((volume + 1) / (volume + 1).rolling(63).mean())
    return pd.DataFrame(table).where(pd.DataFrame(table).notna().all(axis=1))


def test_features_equal_an_independent_computation(rich_market: Market, features: Features) -> None:
    for column in range(4):
        expected = by_pandas(rich_market, column)
        assert expected.notna().any().all()
        np.testing.assert_allclose(
            features.asset[:, column], expected[list(features.names)], rtol=1e-9, atol=1e-9
        )


@pytest.mark.parametrize("timeframes", [(1,), (5, 21), (40, 2)])
def test_the_level_of_volatility_belongs_to_the_longest_timeframe(
    rich_market: Market, timeframes: tuple[int, ...]
) -> None:
    features = make_features(rich_market, timeframes)
    assert features.names.count(LEVEL) == 1
    assert features.timeframes[features.names.index(LEVEL)] == max(timeframes)


@pytest.mark.parametrize("size", [0.25, 3.0])
def test_nothing_but_the_level_tells_a_wild_market_from_a_calm_one(size: float) -> None:
    """Log returns of another size are a power of the close; the rest is relative to them."""
    calm = PREFIX_FEATURES
    wild = make_features(replace(PREFIX_MARKET, close=PREFIX_MARKET.close**size), TIMEFRAMES)
    shift = np.where(np.array(calm.names) == LEVEL, np.log(size), 0.0)
    np.testing.assert_allclose(wild.asset, calm.asset + shift, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(wild.market, calm.market + shift, rtol=1e-7, atol=1e-9)


def test_the_market_is_the_mean_of_the_assets_that_are_there(features: Features) -> None:
    assert np.isnan(features.market[:83]).all()
    np.testing.assert_allclose(features.market[120], features.asset[120, [0, 1, 3]].mean(axis=0))
    np.testing.assert_allclose(features.market[190], features.asset[190].mean(axis=0))
    np.testing.assert_allclose(features.market[230], features.asset[230, :3].mean(axis=0))


@pytest.mark.parametrize("timeframes", [(1,), (5,), (1, 21), (40, 2)])
def test_warm_up_is_exact(rich_market: Market, timeframes: tuple[int, ...]) -> None:
    needed = warm_up(timeframes)
    features = make_features(rich_market, timeframes)
    for column, first_bar in [(0, 0), (2, 90)]:
        there = np.isfinite(features.asset[:, column]).all(axis=-1)
        assert int(np.argmax(there)) == first_bar + needed - 1
        assert not there[: first_bar + needed - 1].any()


def test_an_asset_is_blank_before_listing_and_after_its_end(features: Features) -> None:
    assert np.isnan(features.asset[:90, 2]).all()
    assert np.isfinite(features.asset[200, 3]).all()
    assert np.isnan(features.asset[201:, 3]).all()
    # A row is complete or blank, never in between.
    finite = np.isfinite(features.asset)
    np.testing.assert_array_equal(finite.any(axis=-1), finite.all(axis=-1))


@settings(max_examples=15, deadline=None)
@given(row=st.integers(0, 259))
def test_a_prefix_of_the_market_gives_a_prefix_of_the_features(row: int) -> None:
    market = PREFIX_MARKET
    known = make_features(market.until(market.dates[row]), TIMEFRAMES)
    assert_rows_equal(known, PREFIX_FEATURES, slice(0, row + 1))


@settings(max_examples=15, deadline=None)
@given(first=st.integers(0, 170), length=st.integers(84, 260))
def test_a_slice_with_enough_warm_up_gives_the_same_bits(first: int, length: int) -> None:
    part = PREFIX_MARKET.slice(first, first + length)
    found = make_features(part, TIMEFRAMES)
    ready = warm_up(TIMEFRAMES) - 1
    for name in ("asset", "market", "volatility"):
        np.testing.assert_array_equal(
            getattr(found, name)[ready:],
            getattr(PREFIX_FEATURES, name)[first + ready : first + length],
            name,
        )


PREFIX_MARKET = with_listing(
    random_walk_market(n_assets=9, n_bars=260, seed=8), first_bar={"A01": 60}, last_bar={"A02": 222}
)
PREFIX_FEATURES = make_features(PREFIX_MARKET, TIMEFRAMES)


def test_another_future_leaves_the_past_to_the_bit(rich_market: Market, features: Features) -> None:
    row = 150
    generator = np.random.default_rng(0)

    def scramble(values: np.ndarray) -> np.ndarray:
        changed = values.copy()
        changed[row + 1 :] = generator.uniform(1.0, 1e4, size=changed[row + 1 :].shape)
        return changed

    other = replace(
        rich_market,
        close=scramble(rich_market.close),
        benchmark=scramble(rich_market.benchmark),
        fields={name: scramble(values) for name, values in rich_market.fields.items()},
    )
    found = make_features(other, TIMEFRAMES)
    for name in ("asset", "market", "volatility"):
        np.testing.assert_array_equal(
            getattr(found, name)[: row + 1], getattr(features, name)[: row + 1], name
        )
        assert (getattr(found, name)[row + 2] != getattr(features, name)[row + 2]).any()


def test_an_asset_without_volume_beside_others_gets_the_neutral_value(
    rich_market: Market,
) -> None:
    volume = rich_market.fields["volume"].copy()
    volume[:, 1] = np.nan
    market = replace(rich_market, fields={**rich_market.fields, "volume": volume})
    features = make_features(market, TIMEFRAMES)
    position = features.names.index("log_volume_ratio")
    assert (features.asset[83:, 1, position] == 0.0).all()
    assert (features.asset[83:, 0, position] != 0.0).any()


def test_a_day_without_volume_is_no_infinity(rich_market: Market) -> None:
    volume = rich_market.fields["volume"].copy()
    volume[100:110, 0] = 0.0
    market = replace(rich_market, fields={"volume": volume})
    features = make_features(market, TIMEFRAMES)
    assert np.isfinite(features.asset[83:, 0]).all()


def test_a_stale_price_has_finite_features() -> None:
    market = random_walk_market(n_assets=2, n_bars=200, seed=1)
    close = market.close.copy()
    close[50:, 0] = close[50, 0]
    features = make_features(replace(market, close=close), TIMEFRAMES)
    assert (features.volatility[113:, 0] == VOLATILITY_FLOOR).all()
    assert np.isfinite(features.asset[83:]).all()
    assert (features.asset[150:, 0, features.names.index("return_21")] == 0.0).all()


def test_trailing_volatility_by_hand() -> None:
    returns = np.array([[np.nan], *[[0.03], [-0.04]] * 40])
    volatility = trailing_volatility(returns)[:, 0]
    assert np.isnan(volatility[:63]).all()
    # 63 returns, of which the first and the last are 0.03.
    assert volatility[63] == pytest.approx(np.sqrt((32 * 0.0009 + 31 * 0.0016) / 63))


@pytest.mark.parametrize(("window", "expected"), [(1, [1, 2, 4]), (2, [np.nan, 3, 6])])
def test_trailing_sum_by_hand(window: int, expected: list[float]) -> None:
    np.testing.assert_array_equal(trailing_sum(np.array([1.0, 2.0, 4.0]), window), expected)


def test_a_window_longer_than_the_data_is_blank() -> None:
    assert np.isnan(trailing_sum(np.ones((3, 2)), 4)).all()


@pytest.fixture(scope="module")
def wide_market() -> Market:
    """More numbers than are worked on at once, by rows and by assets; one asset lists late."""
    market = random_walk_market(n_assets=130, n_bars=700, seed=5)
    volume = np.random.default_rng(6).uniform(1.0, 9.0, market.close.shape)
    filled = replace(
        market,
        fields={"high": market.close * 1.01, "low": market.close * 0.98, "volume": volume},
    )
    return with_listing(filled, first_bar={market.assets[100]: 350})


@pytest.mark.parametrize("rows", [1, 37, 259])
def test_features_of_some_rows_at_a_time_have_the_bits_of_one_go(
    rich_market: Market, features: Features, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regime_nas_pipeline.market.features._BLOCK_ROWS", rows)
    monkeypatch.setattr("regime_nas_pipeline.market.features._BLOCK_NUMBERS", 3 * rows)
    assert_rows_equal(make_features(rich_market, TIMEFRAMES), features, slice(None))


def test_an_asset_among_many_has_the_features_that_it_has_alone(wide_market: Market) -> None:
    together = make_features(wide_market, (1, 5))
    for column in (0, 92, 93, 94, 100, 129):
        alone = make_features(
            replace(
                wide_market,
                assets=wide_market.assets[column : column + 1],
                close=wide_market.close[:, column : column + 1],
                fields={k: v[:, column : column + 1] for k, v in wide_market.fields.items()},
            ),
            (1, 5),
        )
        np.testing.assert_array_equal(together.asset[:, column], alone.asset[:, 0])
        np.testing.assert_array_equal(together.volatility[:, column], alone.volatility[:, 0])
    members = np.isfinite(together.asset).all(axis=-1)
    np.testing.assert_array_equal(together.complete, members)
    rows = members.any(axis=1)
    expected = np.nanmean(together.asset[rows], axis=1)
    np.testing.assert_array_equal(together.market[rows], expected)
    assert np.isnan(together.market[~rows]).all()


@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 400), st.integers(2, 6)),
    window=st.integers(1, 70),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_sums_over_many_numbers_have_the_bits_of_one_go(
    shape: tuple[int, int, int], window: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    values = generator.normal(3.0, 2.0, shape)
    expected = np.full(shape, np.nan)
    for row in range(window - 1, shape[0]):
        expected[row] = values[row - window + 1]
        for term in range(row - window + 2, row + 1):
            expected[row] += values[term]
    np.testing.assert_array_equal(trailing_sum(values, window), expected)
    chosen = generator.random(shape[:2]) < 0.6
    chosen[-1, -1] = True
    mean, deviation = mean_and_deviation(values, chosen)
    np.testing.assert_array_equal(mean, values[chosen].mean(axis=0))
    np.testing.assert_array_equal(deviation, values[chosen].std(axis=0))
