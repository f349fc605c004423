"""One check for every labeller: ``check_labeller`` exercises the whole contract."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from two_states import scrambled_after, with_blanks

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.market.market import Market
from regime_nas_pipeline.market.synthetic import market_from_log_returns
from regime_nas_pipeline.regimes.base import Labeller

TRAINING_SHARE = 0.7
N_DATES = 6


def check_labeller(labeller: Labeller, market: Market) -> None:
    """Check that a labeller keeps its contract; it is fitted four times.

    Args:
        labeller: Unfitted; it is cloned and stays so.
        market: Prices everywhere and a volatility index named ``VIX``, with all regimes of the
            labeller in the first 70 % of the bars. The labeller reads prices, not the index alone.
    """
    cut = int(TRAINING_SHARE * len(market.dates))
    training = market.until(market.dates[cut])
    check_clone(labeller)
    check_too_short(labeller, market)
    check_one_regime(labeller)
    names = labeller.regime_names
    fitted = clone(labeller).fit(training)
    assert fitted.regime_names == names
    labels = fitted.predict_online(market, market.dates)
    check_shape(fitted, labels, market)
    twin = clone(labeller).fit(training)
    assert_same_bits(twin.predict_online(market, market.dates), labels)
    check_one_by_one(fitted, labels, market)
    check_future(fitted, labels, market, cut)
    check_blanks(fitted, labels, market, cut)
    check_identity(fitted, labels, market)
    check_hindsight(fitted, market)
    with pytest.raises(DataError, match="no bar on this date"):
        fitted.predict_online(market, market.dates[-1:] + pd.Timedelta(days=3650))


def check_clone(labeller: Labeller) -> None:
    copied = clone(labeller)
    assert copied.get_params() == labeller.get_params()
    assert not learned(labeller), "the prototype is fitted"


def learned(labeller: Labeller) -> dict[str, Any]:
    return {name: value for name, value in vars(labeller).items() if name.endswith("_")}


def check_too_short(labeller: Labeller, market: Market) -> None:
    needed = labeller.required_history()
    short = market.slice(0, needed - 1)
    with pytest.raises(DataError, match=rf"needs at least {needed} bars .* are {needed - 1}"):
        clone(labeller).fit(short)


def check_one_regime(labeller: Labeller) -> None:
    """Returns that alternate for ever have one regime."""
    for pattern in ([0.01, -0.005], [0.01, 0.01]):
        steady = market_from_log_returns(np.tile(pattern, 200)[:, None])
        steady = replace(steady, observed={"VIX": np.full(401, 20.0)})
        with pytest.raises(DataError, match=r"split into|regimes holds|did not vary|collapsed"):
            clone(labeller).fit(steady)


def check_shape(fitted: Labeller, labels: pd.DataFrame, market: Market) -> None:
    assert tuple(labels.columns) == fitted.regime_names
    assert labels.index.isin(market.dates).all()
    assert labels.index.is_monotonic_increasing
    # Blank at the start until the windows are full, then never.
    assert len(labels) >= len(market.dates) - fitted.required_history()
    assert labels.index[-1] == market.dates[-1]
    assert (labels.to_numpy() >= 0.0).all()
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, atol=1e-12)
    assert set(labels.to_numpy().argmax(axis=1)) == set(range(len(fitted.regime_names)))


def assert_same_bits(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected, check_exact=True, check_freq=False)


def check_one_by_one(fitted: Labeller, labels: pd.DataFrame, market: Market) -> None:
    dates = labels.index[np.linspace(0, len(labels) - 1, N_DATES, dtype=int)]
    for date in dates:
        alone = fitted.predict_online(market.until(date), pd.DatetimeIndex([date]))
        assert_same_bits(alone, labels.loc[[date]])
    assert_same_bits(fitted.predict_online(market, dates), labels.loc[dates])
    assert fitted.predict_online(market, dates[:0]).empty


def check_future(fitted: Labeller, labels: pd.DataFrame, market: Market, cut: int) -> None:
    past = labels.index[labels.index <= market.dates[cut]]
    scrambled = fitted.predict_online(scrambled_after(market, cut), market.dates)
    assert_same_bits(scrambled.loc[past], labels.loc[past])
    later = labels.index.difference(past)
    assert not np.array_equal(scrambled.loc[later], labels.loc[later])


def check_blanks(fitted: Labeller, labels: pd.DataFrame, market: Market, cut: int) -> None:
    """Bars without inputs have no row, and it is not known before that they come."""
    holes = slice(cut + 20, cut + 22)
    blanked = fitted.predict_online(with_blanks(market, holes), market.dates)
    before = labels.index[labels.index < market.dates[cut + 20]]
    assert_same_bits(blanked.loc[before], labels.loc[before])
    assert not blanked.index.isin(market.dates[holes]).any()
    assert blanked.index[-1] == market.dates[-1], "labels come back after the gap"
    np.testing.assert_allclose(blanked.sum(axis=1), 1.0, atol=1e-12)


def check_identity(fitted: Labeller, labels: pd.DataFrame, market: Market) -> None:
    n_regimes = len(fitted.regime_names)
    signature = fitted.signature()
    assert signature.shape == (n_regimes, len(fitted.signature_names))
    assert fitted.signature_scale_.shape == (len(fitted.signature_names),)
    assert (fitted.signature_scale_ > 0).all()
    assert len({tuple(row) for row in signature}) == n_regimes, "regimes cannot be told apart"
    with pytest.raises(ParameterError, match="each of the"):
        fitted.reordered([0] * n_regimes)
    if fitted.named_by_rule:
        return
    order = list(np.roll(np.arange(n_regimes), 1))
    moved = fitted.reordered(order)
    assert moved.regime_names == fitted.regime_names
    np.testing.assert_array_equal(moved.signature(), signature[order])
    found = moved.predict_online(market, market.dates)
    np.testing.assert_allclose(found, labels.iloc[:, order], rtol=1e-9, atol=1e-12)
    assert_same_bits(fitted.predict_online(market, market.dates), labels)


def check_hindsight(fitted: Labeller, market: Market) -> None:
    """Labels of all bars from a fit on all of them, columns as in the fitted labeller."""
    hindsight = fitted.predict_hindsight(market)
    online = fitted.predict_online(market, market.dates)
    assert tuple(hindsight.columns) == fitted.regime_names
    assert hindsight.index.equals(online.index)
    np.testing.assert_allclose(hindsight.sum(axis=1), 1.0, atol=1e-9)
    if fitted.named_by_rule:
        return
    agreement = hindsight.to_numpy().argmax(axis=1) == online.to_numpy().argmax(axis=1)
    assert agreement.mean() > 0.5
    # Whoever holds the columns in another order gets the hindsight in that order.
    order = list(range(len(fitted.regime_names)))[::-1]
    turned = fitted.reordered(order).predict_hindsight(market)
    np.testing.assert_allclose(turned, hindsight.iloc[:, order], rtol=1e-9, atol=1e-12)
