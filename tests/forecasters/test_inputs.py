from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.bundle import Bundle, bundle_from_bytes, bundle_to_bytes
from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.forecasters.inputs import (
    FEATURE_CLIP,
    FeatureSet,
    InputSpec,
    Scaling,
    learn_scaling,
    scaled_target,
    training_windows,
)
from regime_nas_pipeline.forecasters.prediction import prediction_windows
from regime_nas_pipeline.market.features import make_features
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import random_walk_market, with_listing
from regime_nas_pipeline.networks.windows import WindowData

CPU = torch.device("cpu")
SPEC = InputSpec(lookback=10, timeframes=(1, 5), horizon=4, execution_lag=1)
MARKET = with_listing(
    random_walk_market(n_assets=4, n_bars=300, seed=2),
    first_bar={"A02": 100},
    last_bar={"A03": 240},
)
WINDOWS = training_windows(MARKET, SPEC, CPU)
DATA, SCALING = WINDOWS.data, WINDOWS.scaling
FEATURES = make_features(MARKET, SPEC.timeframes)


def test_required_history_is_exact() -> None:
    # 63 returns and four more bars for the slowest feature, then ten bars of it.
    assert SPEC.required_history() == 63 + 5 + 10 - 1
    usable = DATA.usable.numpy()
    first = np.argmax(usable, axis=0)
    assert first[[0, 1, 3]].tolist() == [SPEC.required_history() - 1] * 3
    assert first[2] == 100 + SPEC.required_history() - 1
    assert usable[240, 3]
    assert not usable[241:, 3].any()


def test_an_asset_is_usable_only_in_the_universe() -> None:
    seasoned = replace(MARKET, min_history=150)
    data = training_windows(seasoned, SPEC, CPU).data
    np.testing.assert_array_equal(data.usable.numpy(), DATA.usable.numpy() & seasoned.eligible)
    assert (data.usable.numpy() != DATA.usable.numpy()).any()


def test_scaling_equals_plain_statistics() -> None:
    rows = np.isfinite(FEATURES.asset).all(axis=-1)
    asset = FEATURES.asset[rows]
    np.testing.assert_allclose(SCALING.asset_centre, asset.mean(axis=0))
    np.testing.assert_allclose(SCALING.asset_size, asset.std(axis=0), rtol=1e-6)
    market = FEATURES.market[67:]
    np.testing.assert_allclose(SCALING.market_centre, market.mean(axis=0))
    np.testing.assert_allclose(SCALING.market_size, market.std(axis=0), rtol=1e-6)
    ratio = MARKET.target(4, 1) / (FEATURES.volatility * 2.0)
    known = ratio[rows & np.isfinite(ratio)]
    assert pytest.approx(np.sqrt(np.mean(known**2)), rel=1e-6) == SCALING.target_size
    # A random walk's target is about as large as its trailing volatility says.
    assert 0.8 < SCALING.target_size < 1.25


def test_only_the_universe_teaches_the_scaling() -> None:
    seasoned = replace(MARKET, min_history=280)
    scaling = learn_scaling(seasoned, FEATURES, SPEC)
    np.testing.assert_allclose(scaling.asset_centre, FEATURES.asset[279:, :2].mean(axis=(0, 1)))


def test_training_targets_have_size_one_and_blanks_where_unknown() -> None:
    target = DATA.target.numpy()
    np.testing.assert_allclose(
        target, scaled_target(MARKET, FEATURES.volatility, SPEC) / SCALING.target_size, rtol=1e-6
    )
    assert np.isnan(target[-5:]).all()
    known = target[np.isfinite(FEATURES.asset).all(axis=-1) & np.isfinite(target)]
    assert np.sqrt((known.astype(float) ** 2).mean()) == pytest.approx(1.0, rel=1e-5)


def test_features_are_centred_clipped_and_blank_as_zero() -> None:
    finite = np.isfinite(FEATURES.asset)
    values = DATA.asset.numpy()
    assert (values[~finite] == 0.0).all()
    assert np.abs(values).max() <= FEATURE_CLIP
    expected = (FEATURES.asset - SCALING.asset_centre) / SCALING.asset_size
    inside = finite & (np.abs(expected) < FEATURE_CLIP)
    np.testing.assert_allclose(values[inside], expected[inside], rtol=1e-5, atol=1e-6)
    assert (np.abs(values[finite & ~inside]) == FEATURE_CLIP).all()
    assert (finite & ~inside).any()


def test_scaling_round_trip() -> None:
    bundle = bundle_from_bytes(bundle_to_bytes(Bundle(SCALING.to_arrays())))
    restored = Scaling.from_arrays(bundle.arrays)
    assert restored.target_size == SCALING.target_size
    for name in ("asset_centre", "asset_size", "market_centre", "market_size"):
        np.testing.assert_array_equal(getattr(restored, name), getattr(SCALING, name))


def last_window(market: Market, row: int) -> tuple[WindowData, np.ndarray, np.ndarray]:
    return prediction_windows(market, np.array([row]), SPEC, SCALING, CPU)


@settings(max_examples=25, deadline=None)
@given(row=st.integers(SPEC.required_history() - 1, 299))
def test_the_window_of_a_forecast_is_the_window_of_training(row: int) -> None:
    data, ends, volatility = last_window(MARKET, row)
    # Only the bars that count, so that a forecast costs the same at any date.
    assert len(data.usable) <= SPEC.required_history() + 1
    found = data.batch(ends, need_target=False)
    expected = DATA.batch(np.array([row]), need_target=False)
    assert torch.equal(found.mask, expected.mask)
    assert torch.equal(found.asset[found.mask], expected.asset[found.mask])
    if row >= SPEC.required_history():
        assert torch.equal(found.market, expected.market)
    np.testing.assert_array_equal(volatility[0], FEATURES.volatility[row])


@pytest.mark.parametrize("features", ["engineered", "returns"])
def test_windows_made_together_are_those_made_alone(features: FeatureSet) -> None:
    spec = replace(SPEC, features=features)
    scaling = training_windows(MARKET, spec, CPU).scaling
    rows = np.array([290, 160, 120, 161, 245])
    data, ends, volatility = prediction_windows(MARKET, rows, spec, scaling, CPU)
    together = data.batch(ends, need_target=False)
    for line, row in enumerate(rows):
        one, end, size = prediction_windows(MARKET, np.array([row]), spec, scaling, CPU)
        alone = one.batch(end, need_target=False)
        seen = alone.mask[0]
        assert torch.equal(together.mask[line], seen)
        assert seen.any()
        assert torch.equal(together.asset[line][seen], alone.asset[0][seen])
        assert torch.equal(together.market[line], alone.market[0])
        np.testing.assert_array_equal(volatility[line], size[0])


def test_another_future_leaves_a_window_to_the_bit() -> None:
    row = 200
    close = MARKET.close.copy()
    close[row + 1 :] = np.random.default_rng(0).uniform(1, 1000, size=close[row + 1 :].shape)
    expected, _, _ = last_window(MARKET, row)
    found, _, _ = last_window(replace(MARKET, close=close), row)
    assert torch.equal(found.asset, expected.asset)
    assert torch.equal(found.market, expected.market)
    assert torch.equal(found.usable, expected.usable)


RETURNS = InputSpec(lookback=10, timeframes=(1, 5), horizon=4, execution_lag=1, features="returns")


def test_the_raw_track_shows_returns_over_one_constant_and_nothing_else() -> None:
    windows = training_windows(MARKET, RETURNS, CPU)
    returns = np.diff(np.log(MARKET.close), axis=0)
    known = np.isfinite(returns)
    constant = np.sqrt(np.mean(returns[known] ** 2))
    expected = np.clip(returns / constant, -FEATURE_CLIP, FEATURE_CLIP)
    asset = windows.data.asset.numpy()[1:, :, 0]
    assert windows.data.asset.shape[-1] == 1
    np.testing.assert_allclose(asset[known], expected[known], rtol=1e-4, atol=1e-6)
    assert (asset[~known] == 0.0).all()
    mean = np.nanmean(returns, axis=1) / constant
    np.testing.assert_allclose(windows.data.market.numpy()[1:, 0], mean, rtol=1e-4, atol=1e-6)
    target = MARKET.target(4, 1) / (constant * 2.0)
    np.testing.assert_allclose(windows.data.target.numpy(), target, rtol=1e-4, atol=1e-6)
    assert windows.sizes == {"n_assets": 4, "n_asset_features": 1, "market_timeframes": (1,)}


def test_the_raw_track_needs_one_close_more_than_its_window() -> None:
    assert RETURNS.required_history() == 11
    usable = training_windows(MARKET, RETURNS, CPU).data.usable.numpy()
    assert np.argmax(usable, axis=0).tolist() == [10, 10, 110, 10]


def test_the_raw_tracks_scaling_outlives_a_checkpoint() -> None:
    scaling = training_windows(MARKET, RETURNS, CPU).scaling
    bundle = bundle_from_bytes(bundle_to_bytes(Bundle(scaling.to_arrays())))
    restored = Scaling.from_arrays(bundle.arrays)
    assert restored.target_size == scaling.target_size == restored.asset_size[0]


def test_an_unknown_set_of_features_is_refused() -> None:
    with pytest.raises(ParameterError, match="engineered, returns, technical and is 'raw'"):
        replace(SPEC, features="raw")  # type: ignore[arg-type]


def test_regimes_travel_with_the_windows() -> None:
    regimes = np.random.default_rng(0).dirichlet(np.ones(3), size=300)
    regimes[:120] = np.nan
    labelled = replace(MARKET, regimes=regimes, regime_names=("a", "b", "c"))
    data = training_windows(labelled, SPEC, CPU).data
    assert data.regimes is not None
    np.testing.assert_allclose(data.regimes.numpy(), regimes, rtol=1e-6)
    assert DATA.regimes is None


def test_a_market_without_a_sample_is_an_error() -> None:
    bars = SPEC.required_history() + SPEC.horizon + SPEC.execution_lag
    whole: Market = random_walk_market(n_assets=2, n_bars=bars, seed=0)
    data = training_windows(whole, SPEC, CPU).data
    assert (data.usable & torch.isfinite(data.target)).sum() == 2
    with pytest.raises(DataError, match="no asset has 77 bars of history and a known target"):
        training_windows(whole.slice(0, bars - 1), SPEC, CPU)
