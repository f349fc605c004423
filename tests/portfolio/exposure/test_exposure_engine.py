from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime_nas_pipeline.core.errors import DataError, ParameterError
from regime_nas_pipeline.core.statistics import per_bar_rate
from regime_nas_pipeline.portfolio.backtest import buy_and_hold
from regime_nas_pipeline.portfolio.exposure.engine import Terms, cash_returns, run_exposure

BLANK = np.nan
DAYS = pd.date_range("2020-03-02", periods=6, name="date")
RETURNS = pd.Series([BLANK, 0.10, -0.50, 0.20, 0.00, 0.10], index=DAYS)
WANTED = pd.Series([1.0, 0.5, 1.5, 0.0, 0.5, 9.0], index=DAYS)
YEARLY = Terms(0, 100.0, cash_rate=0.02, financing_spread=0.01, bars_per_year=1)
"""Bars of a year, so that rates per bar are plain numbers: cash 2 %, loans 3 %, 1 % cost."""


def test_by_hand_without_a_lag() -> None:
    bars = run_exposure(RETURNS, WANTED, YEARLY).bars
    assert list(bars.index) == list(DAYS[1:])
    assert list(bars["decided_on"]) == list(DAYS[:5])
    np.testing.assert_array_equal(bars["exposure"], [1.0, 0.5, 1.5, 0.0, 0.5])
    # Bar 2: half in the index loses 50 %, half in cash earns 2 %: -0.25 + 0.01.
    np.testing.assert_allclose(bars["interest"], [0.0, 0.01, 0.0, 0.02, 0.01])
    np.testing.assert_allclose(bars["financing"], [0.0, 0.0, 0.015, 0.0, 0.0])
    np.testing.assert_allclose(bars["gross"], [0.10, -0.24, 0.285, 0.02, 0.06])
    # After bar 2 the index is 0.25 of 0.76; after bar 3, 1.8 of 1.285.
    np.testing.assert_allclose(
        bars["traded"], [1.0, 0.5, 1.5 - 0.25 / 0.76, 1.8 / 1.285, 0.5], rtol=1e-14
    )
    np.testing.assert_allclose(bars["cost"], bars["traded"] / 100)
    np.testing.assert_allclose(bars["net"], (1 - bars["cost"]) * (1 + bars["gross"]) - 1)


def test_a_lag_moves_exposures_and_the_cheat_moves_them_onto_their_own_bar() -> None:
    lagged = run_exposure(RETURNS, WANTED, replace(YEARLY, execution_lag=2)).bars
    assert list(lagged.index) == list(DAYS[3:])
    assert list(lagged["exposure"]) == [1.0, 0.5, 1.5]
    assert list(lagged["decided_on"]) == list(DAYS[:3])
    wanted = WANTED.clip(upper=1.5)
    same = run_exposure(RETURNS, wanted, YEARLY, same_bar=True).bars
    assert list(same["exposure"]) == [0.5, 1.5, 0.0, 0.5, 1.5]
    assert list(same["decided_on"]) == list(DAYS[1:])
    with pytest.raises(ParameterError, match="same_bar"):
        run_exposure(RETURNS, wanted, replace(YEARLY, execution_lag=1), same_bar=True)


def test_without_same_bar_no_decision_earns_a_bar_before_its_close() -> None:
    for lag in range(3):
        bars = run_exposure(RETURNS, WANTED, replace(YEARLY, execution_lag=lag)).bars
        assert (bars["decided_on"] < bars.index).all()


def test_the_first_bar_can_be_chosen() -> None:
    late = run_exposure(RETURNS, WANTED, YEARLY, first=DAYS[3]).bars
    whole = run_exposure(RETURNS, WANTED, YEARLY).bars
    assert list(late.index) == list(DAYS[3:])
    assert late["traded"].iloc[0] == 1.5  # everything is bought anew
    pd.testing.assert_series_equal(late["gross"], whole["gross"].loc[DAYS[3] :], check_freq=False)
    with pytest.raises(DataError, match="not among the returns"):
        run_exposure(RETURNS, WANTED, YEARLY, first=pd.Timestamp("1999-01-01"))


def slow_twin(
    moves: list[float], exposures: list[float], rates: list[float], spread: float, cost: float
) -> list[float]:
    """Wealth after each bar of someone with shares, a bank account and a loan."""
    price, shares, account, path = 1.0, 0.0, 1.0, []
    for move, exposure, rate in zip(moves, exposures, rates, strict=True):
        wealth = shares * price + account
        fee = cost * abs(exposure * wealth - shares * price)
        left = wealth - fee
        shares = exposure * left / price
        account = left - shares * price
        price *= 1.0 + move
        account *= 1.0 + (rate if account >= 0.0 else rate + spread)
        path.append(shares * price + account)
    return path


BAR = st.tuples(
    st.floats(-0.3, 0.3),
    st.floats(0.0, 2.0),
    st.floats(-0.001, 0.002),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(BAR, min_size=1, max_size=12), st.floats(0.0, 200.0), st.floats(0.0, 0.05))
def test_wealth_is_that_of_an_account_kept_by_hand(
    bars: list[tuple[float, float, float]], cost_bps: float, spread: float
) -> None:
    moves, exposures, rates = map(list, zip(*bars, strict=True))
    dates = pd.date_range("2020-01-01", periods=len(bars) + 1, name="date")
    path = run_exposure(
        pd.Series([BLANK, *moves], index=dates),
        pd.Series([*exposures, 0.0], index=dates),
        Terms(0, cost_bps, pd.Series([0.0, *rates], index=dates), spread, bars_per_year=1),
    )
    expected = slow_twin(moves, exposures, rates, spread, cost_bps / 1e4)
    account = path.accounts()
    np.testing.assert_allclose(account["wealth"], expected, rtol=1e-11)
    np.testing.assert_allclose((1.0 + path.net).cumprod(), expected, rtol=1e-11)
    # Every unit of wealth came from somewhere, and costs and financing never give anything.
    added = account["market"] + account["interest"] - account["financing"] - account["cost"]
    np.testing.assert_allclose(1.0 + added.cumsum(), account["wealth"], rtol=1e-11)
    assert (account["cost"] >= 0.0).all()
    assert (path.bars["traded"] >= 0.0).all()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=15),
    st.integers(0, 2),
    st.floats(0.0, 100.0),
    st.floats(0.0, 0.1),
)
def test_always_one_is_buy_and_hold_to_the_bit(
    moves: list[float], lag: int, cost_bps: float, rate: float
) -> None:
    moves = [*moves, 0.01, 0.02]
    dates = pd.date_range("2020-01-01", periods=len(moves) + 1, name="date")
    returns = pd.Series([0.0, *moves], index=dates)
    terms = Terms(lag, cost_bps, cash_rate=rate, financing_spread=0.01)
    path = run_exposure(returns, pd.Series(1.0, index=dates), terms)
    held = buy_and_hold(
        returns.to_frame("index"),
        "index",
        decided_on=dates[0],
        execution_lag=lag,
        cost_bps=cost_bps,
    )
    assert path.net.to_numpy().tobytes() == held.net.to_numpy().tobytes()
    assert path.bars["traded"].tolist() == [1.0] + [0.0] * (len(path.bars) - 1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=10), st.floats(0.0, 0.1))
def test_always_zero_is_cash(moves: list[float], rate: float) -> None:
    dates = pd.date_range("2020-01-01", periods=len(moves) + 1, name="date")
    returns = pd.Series([BLANK, *moves], index=dates)
    path = run_exposure(returns, pd.Series(0.0, index=dates), Terms(0, 50.0, rate))
    cash = per_bar_rate(rate, 252)
    assert path.net.tolist() == [(1.0 + cash) - 1.0] * len(moves)
    assert not path.bars[["cost", "traded", "financing"]].to_numpy().any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2))
def test_higher_costs_and_spreads_never_help(seed: int, lag: int) -> None:
    generator = np.random.default_rng(seed)
    dates = pd.date_range("2020-01-01", periods=30, name="date")
    returns = pd.Series(generator.normal(0, 0.02, 30), index=dates)
    wanted = pd.Series(generator.uniform(0, 2, 30), index=dates)
    cheap = Terms(lag, 1.0, 0.02, 0.0)
    net = run_exposure(returns, wanted, cheap).net
    assert (run_exposure(returns, wanted, replace(cheap, cost_bps=20.0)).net <= net).all()
    dear = run_exposure(returns, wanted, replace(cheap, financing_spread=0.05))
    assert (dear.accounts()["wealth"] < (1 + net).cumprod() + 1e-12).all()


@pytest.mark.parametrize("same_bar", [False, True])
def test_the_past_does_not_depend_on_the_future(same_bar: bool) -> None:
    generator = np.random.default_rng(1)
    dates = pd.date_range("2020-01-01", periods=60, name="date")
    returns, wanted = generator.normal(0, 0.02, 60), generator.uniform(0, 1.5, 60)
    terms = Terms(0 if same_bar else 1, 5.0, 0.01, 0.01)

    def run() -> pd.DataFrame:
        pair = (pd.Series(values, index=dates) for values in (returns, wanted))
        return run_exposure(*pair, terms, same_bar=same_bar).bars.loc[: dates[39]]

    before = run()
    returns[40:], wanted[40:] = generator.normal(0, 0.1, 20), generator.uniform(0, 1.5, 20)
    # A decision is not traded before its lag is over.
    wanted[40 if same_bar else 38 :] = 0.7
    pd.testing.assert_frame_equal(run(), before, check_exact=True)


def test_a_cash_rate_by_date_is_used_bar_by_bar() -> None:
    rates = pd.Series([0.0, 0.01, 0.02, 0.01, 0.0, 0.03], index=DAYS)
    earned = cash_returns(rates, DAYS, 252)
    assert earned.tolist() == [per_bar_rate(rate, 252) for rate in rates]
    bars = run_exposure(RETURNS, pd.Series(0.0, index=DAYS), Terms(0, 0.0, rates)).bars
    np.testing.assert_array_equal(bars["interest"], earned[1:])
    with pytest.raises(DataError, match=r"cash rate, date 2020-03-07"):
        run_exposure(RETURNS, WANTED.clip(upper=1), Terms(0, 0.0, rates.iloc[:5]))


def test_what_cannot_be_reckoned_is_refused_with_its_date() -> None:
    terms = Terms(0, 5.0)
    with pytest.raises(DataError, match=r"exposures, date 2020-03-04.*2020-03-05"):
        run_exposure(RETURNS, WANTED.drop(DAYS[2]), terms)
    with pytest.raises(DataError, match=r"date 2020-03-03.*-0\.1"):
        run_exposure(RETURNS, WANTED.where(WANTED != 0.5, -0.1), terms)
    with pytest.raises(DataError, match=r"index returns, date 2020-03-05"):
        run_exposure(RETURNS.where(RETURNS != 0.2), WANTED, terms)
    with pytest.raises(DataError, match=r"date 2020-03-04: the strategy loses everything"):
        run_exposure(RETURNS, WANTED * 4.0, terms)
    with pytest.raises(DataError, match="no bar can be earned"):
        run_exposure(RETURNS, WANTED, replace(terms, execution_lag=6))
    with pytest.raises(ParameterError, match=r"2020-03-03 costs all"):
        run_exposure(RETURNS, WANTED * 1.5, replace(terms, cost_bps=9999.0))
    with pytest.raises(DataError, match="increase"):
        run_exposure(RETURNS.iloc[::-1], WANTED, terms)


@pytest.mark.parametrize(
    "faulty",
    [{"execution_lag": -1}, {"cost_bps": -1.0}, {"cost_bps": 1e4}, {"financing_spread": -0.01}],
)
def test_impossible_terms_are_refused(faulty: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match=next(iter(faulty))):
        Terms(**faulty)  # type: ignore[arg-type]
