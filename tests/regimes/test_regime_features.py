from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import market_from_log_returns, with_listing
from regime_nas_pipeline.regimes import features
from regime_nas_pipeline.regimes.features import (
    CATALOGUE,
    feature_history,
    feature_matrix,
    parse_feature,
)

NAMES = (
    "return_1",
    "return_5",
    "volatility_5",
    "log_volatility_20",
    "efficiency_4",
    "autocorrelation_10",
    "downside_deviation_3",
    "vix",
    "log_vix",
)


@pytest.fixture(scope="module")
def seen(small_market: Market) -> Market:
    """The small market with a volatility index that starts late."""
    index = np.random.default_rng(0).uniform(10.0, 40.0, 420)
    index[:30] = np.nan
    return replace(small_market, observed={"VIX": index})


def test_features_equal_their_definitions(seen: Market) -> None:
    features = feature_matrix(seen, NAMES)
    returns = seen.log_returns.mean(axis=1)
    for row in (30, 57, 200, 419):
        window = returns[row - 9 : row + 1]
        centred = window - window.mean()
        pairs = sum(a * b for a, b in zip(centred[1:], centred[:-1], strict=True))
        steps = returns[row - 3 : row + 1]
        past = returns[1 : row + 1]
        weights = [0.5 ** ((len(past) - 1 - bar) / 3) for bar in range(len(past))]
        falls = sum(w * min(r, 0.0) ** 2 for w, r in zip(weights, past, strict=True))
        expected = [
            returns[row],
            sum(returns[row - 4 : row + 1]),
            np.sqrt(252 * np.mean([returns[row - k] ** 2 for k in range(5)])),
            0.5 * np.log(252 * np.mean([returns[row - k] ** 2 for k in range(20)])),
            abs(sum(steps)) / sum(abs(step) for step in steps),
            pairs / sum(c * c for c in centred),
            np.sqrt(252 * falls / sum(weights)),
            seen.observed["VIX"][row],
            np.log(seen.observed["VIX"][row]),
        ]
        np.testing.assert_allclose(features[row], expected, rtol=1e-9)


def test_every_kind_of_the_catalogue_is_among_those_tested() -> None:
    assert {name.rsplit("_N", 1)[0] for name in CATALOGUE} == {
        parse_feature(name).kind for name in NAMES
    }


@pytest.mark.parametrize("name", [name for name in NAMES if "vix" not in name])
def test_a_feature_is_blank_until_its_history_is_there(small_market: Market, name: str) -> None:
    needed = feature_history([name])
    known = np.isfinite(feature_matrix(small_market, [name])[:, 0])
    assert not known[: needed - 1].any()
    assert known[needed - 1 :].all()
    assert feature_history([name, "return_60", "vix"]) == 61


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(row=st.integers(30, 418), seed=st.integers(0, 100))
def test_features_do_not_know_the_future(seen: Market, row: int, seed: int) -> None:
    whole = feature_matrix(seen, NAMES)
    np.testing.assert_array_equal(
        feature_matrix(seen.until(seen.dates[row]), NAMES), whole[: row + 1]
    )
    generator = np.random.default_rng(seed)
    close, index = seen.close.copy(), seen.observed["VIX"].copy()
    close[row + 1 :] = generator.uniform(1.0, 1000.0, close[row + 1 :].shape)
    index[row + 1 :] = generator.uniform(1.0, 90.0, index[row + 1 :].shape)
    other = feature_matrix(replace(seen, close=close, observed={"VIX": index}), NAMES)
    np.testing.assert_array_equal(other[: row + 1], whole[: row + 1])


def test_a_row_is_blank_unless_all_its_features_are_known(seen: Market) -> None:
    features = feature_matrix(seen, ("return_1", "vix"))
    assert np.isnan(features[:30]).all()
    assert np.isfinite(features[30:]).all()


def test_a_bar_without_prices_blanks_the_windows_that_hold_it(small_market: Market) -> None:
    close = small_market.close.copy()
    close[100] = np.nan
    features = feature_matrix(replace(small_market, close=close), ("volatility_5",))
    # The returns of bars 100 and 101 are missing.
    assert np.isnan(features[100:106]).all()
    assert np.isfinite(features[[99, 106]]).all()
    downside = feature_matrix(replace(small_market, close=close), ("downside_deviation_3",))
    assert np.flatnonzero(np.isnan(downside[9:, 0])).tolist() == [91, 92]


def test_a_straight_line_is_efficient_and_a_zigzag_is_not() -> None:
    climb = 0.01 + 0.001 * np.sin(np.arange(40))
    zigzag = 0.01 * (-1.0) ** np.arange(40)
    names = ("efficiency_4", "autocorrelation_10")
    straight = feature_matrix(market_from_log_returns(climb[:, None]), names)[-1]
    crooked = feature_matrix(market_from_log_returns(zigzag[:, None]), names)[-1]
    assert straight[0] == pytest.approx(1.0, abs=1e-12)
    assert crooked[0] == pytest.approx(0.0, abs=1e-9)
    assert crooked[1] == pytest.approx(-0.9, abs=1e-6)


def test_the_market_return_adds_asset_by_asset(small_market: Market) -> None:
    counted = small_market.eligible & np.isfinite(small_market.log_returns)
    total = np.zeros(len(small_market.dates))
    for column in range(len(small_market.assets)):
        total += np.where(counted[:, column], small_market.log_returns[:, column], 0.0)
    number = counted.sum(axis=1)
    expected = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    np.testing.assert_array_equal(small_market.market_return, expected)
    for rows in (2, 3, 150):
        cut = replace(small_market.slice(0, rows))  # computes it itself
        np.testing.assert_array_equal(cut.market_return, expected[:rows])


def test_only_assets_in_the_universe_make_the_market_return(small_market: Market) -> None:
    late = replace(with_listing(small_market, first_bar={"A04": 100}), min_history=50)
    found = late.market_return
    assert np.isnan(found[:49]).all()
    np.testing.assert_allclose(found[49:149], small_market.log_returns[49:149, :4].mean(axis=1))
    np.testing.assert_allclose(found[149:], small_market.log_returns[149:].mean(axis=1))


@pytest.mark.parametrize(
    ("name", "first"),
    [("efficiency_4", 204), ("log_volatility_6", 206), ("autocorrelation_3", 203)],
)
def test_a_ratio_without_movement_is_refused(small_market: Market, name: str, first: int) -> None:
    close = small_market.close.copy()
    close[200:230] = close[200]
    still = replace(small_market, close=close)
    with pytest.raises(DataError, match="did not vary") as error:
        feature_matrix(still, (name,))
    assert error.value.date == small_market.dates[first]
    assert np.isfinite(feature_matrix(still, ("volatility_6",))[206:]).all()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["momentum_5"], "no feature 'momentum_5'. Choose among: return_N, volatility_N"),
        (["return"], "no feature 'return'"),
        (["return_x"], "no feature"),
        (["return_-1"], "no feature"),
        (["vix_5"], "no feature"),
        (["vix:"], "no feature"),
        (["volatility_0"], "a window of at least 1 bars"),
        (["autocorrelation_2"], "a window of at least 3 bars"),
        ([], "at least one feature, each once"),
        (["vix", "vix"], "at least one feature, each once"),
    ],
)
def test_unknown_features_are_refused(small_market: Market, names: list[str], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        feature_matrix(small_market, names)


def test_the_volatility_index_is_named_where_there_are_several(seen: Market) -> None:
    both = replace(seen, observed=seen.observed | {"V3M": np.full(420, 25.0)})
    with pytest.raises(DataError, match=r"are 2 \(VIX, V3M\)"):
        feature_matrix(both, ["log_vix"])
    np.testing.assert_allclose(feature_matrix(both, ["log_vix:V3M"]), np.log(25.0))
    np.testing.assert_array_equal(feature_matrix(both, ["vix:VIX"]), feature_matrix(seen, ["vix"]))


def test_a_market_without_volatility_index_says_so(small_market: Market) -> None:
    with pytest.raises(DataError, match=r"there are 0 \(none\).*set universe\.observed"):
        feature_matrix(small_market, ["vix"])
    with pytest.raises(DataError, match="not among the observed series"):
        feature_matrix(small_market, ["vix:VIX"])


@pytest.mark.parametrize("at_once", [1, 7, 400])
def test_how_many_windows_are_reduced_at_once_changes_no_bit(
    small_market: Market, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    names = ("volatility_6", "efficiency_4", "autocorrelation_10")
    expected = feature_matrix(small_market, names)
    monkeypatch.setattr(features, "_WINDOWS_AT_ONCE", at_once)
    np.testing.assert_array_equal(feature_matrix(small_market, names), expected)
