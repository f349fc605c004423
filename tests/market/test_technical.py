from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import random_walk_market
from regime_nas_pipeline.market.technical import TECHNICAL_HISTORY, technical_features


@pytest.fixture(scope="module")
def bars() -> Market:
    market = random_walk_market(n_assets=2, n_bars=90, seed=3)
    noise = np.random.default_rng(0).uniform(0.0, 0.01, size=(4, *market.close.shape))
    close = market.close
    fields = {
        "open": close * (1.0 + noise[0] - 0.005),
        "high": close * (1.01 + noise[1]),
        "low": close * (0.99 - noise[2]),
        "volume": 1e4 * np.exp(100.0 * noise[3]),
    }
    return replace(market, fields=fields)


def test_the_features_are_those_of_pandas(bars: Market) -> None:
    features = technical_features(bars)
    assert features.names == (
        *("return", "open", "high", "low"),
        *("volatility", "ma_ratio", "rsi", "volume", "volume_ratio"),
    )
    for column in range(2):
        close = pd.Series(bars.close[:, column])
        returns = np.log(close).diff()
        gains, losses = returns.clip(lower=0.0), -returns.clip(upper=0.0)
        strength = gains.rolling(14).mean() / losses.rolling(14).mean()
        volume = pd.Series(bars.fields["volume"][:, column]) + 1.0
        expected = {
            "return": returns,
            **{
                name: np.log(pd.Series(bars.fields[name][:, column]) / close.shift())
                for name in ("open", "high", "low")
            },
            "volatility": np.sqrt((returns**2).rolling(20).mean()),
            "ma_ratio": close / close.rolling(20).mean() - 1.0,
            # As Wilder writes it, 100 - 100 / (1 + RS), on a scale of one around zero.
            "rsi": (100.0 - 100.0 / (1.0 + strength)) / 100.0 - 0.5,
            "volume": np.log(volume).diff(),
            "volume_ratio": np.log(volume / volume.rolling(20).mean()),
        }
        for name, values in expected.items():
            found = features.asset[:, column, features.names.index(name)]
            np.testing.assert_allclose(found[20:], values[20:], rtol=1e-9, atol=1e-12)
    assert np.isnan(features.asset[: TECHNICAL_HISTORY - 1]).all()
    assert np.isfinite(features.asset[TECHNICAL_HISTORY - 1 :]).all()
    np.testing.assert_array_equal(features.volatility, 1.0)
    np.testing.assert_allclose(features.market[30], features.asset[30].mean(axis=0))


def test_the_same_bits_from_any_slice_and_before_any_future(bars: Market) -> None:
    whole = technical_features(bars).asset
    part = technical_features(bars.slice(17, 70)).asset
    np.testing.assert_array_equal(part[TECHNICAL_HISTORY - 1 :], whole[37:70])
    changed = replace(
        bars,
        close=np.where(np.arange(90)[:, None] > 60, 3.0, bars.close),
        fields={
            name: np.where(np.arange(90)[:, None] > 60, 7.0, values)
            for name, values in bars.fields.items()
        },
    )
    np.testing.assert_array_equal(technical_features(changed).asset[:61], whole[:61])


def test_without_fields_there_are_the_features_of_closes(bars: Market) -> None:
    features = technical_features(replace(bars, fields={}))
    assert features.names == ("return", "volatility", "ma_ratio", "rsi")


def test_an_asset_without_a_field_gets_neutral_values(bars: Market) -> None:
    gaps = {name: values.copy() for name, values in bars.fields.items()}
    for values in gaps.values():
        values[:, 1] = np.nan
    features = technical_features(replace(bars, fields=gaps))
    for name in ("open", "high", "low", "volume", "volume_ratio"):
        np.testing.assert_array_equal(features.asset[30:, 1, features.names.index(name)], 0.0)
    assert np.isfinite(features.asset[30:, 1]).all()


def test_a_price_that_stands_still_has_a_neutral_strength(bars: Market) -> None:
    still = replace(bars, close=np.full(bars.close.shape, 5.0), fields={})
    features = technical_features(still)
    np.testing.assert_array_equal(features.asset[30], 0.0)
